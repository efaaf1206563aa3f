/* Between a program and its C library: a disk that is slow to sync, and a clock that can be set.
 *
 * TORTURE_SYNC_MS: how long every sync takes longer.
 * TORTURE_CLOCK: a file of eight bytes, the seconds that the wall clock is off by; read at every look at the clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile long long *off_by(void) {
    static volatile long long *offset;
    static long long none;
    if (!offset) {
        const char *path = getenv("TORTURE_CLOCK");
        int file = path ? open(path, O_RDONLY) : -1;
        void *memory = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
        offset = memory == MAP_FAILED ? &none : memory;
    }
    return offset;
}

static void be_slow(void) {
    const char *text = getenv("TORTURE_SYNC_MS");
    if (text) usleep(1000 * (useconds_t)atol(text));
}

int clock_gettime(clockid_t id, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, time);
    if (id == CLOCK_REALTIME) time->tv_sec += *off_by();
    return result;
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    be_slow();
    return real(file);
}

int fdatasync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    be_slow();
    return real(file);
}
