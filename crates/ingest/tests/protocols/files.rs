//! Files followed and read whole, across rotation, truncation and restarts.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use lurcher_ingest::{Refusal, files, stdin};
use lurcher_journal::RecordKind;
use tokio::task::JoinHandle;

use crate::server::{Server, gzip};

fn options(pattern: &Path, more: &str) -> files::Options {
    let text = format!("paths = [{:?}]\nstream = \"f\"\npoll_milliseconds = 20\n{more}", pattern.display().to_string());
    toml::from_str(&text).unwrap()
}

struct Follower {
    server: Server,
    running: JoinHandle<Result<(), lurcher_ingest::Failure>>,
}

impl Follower {
    fn start(folder: &Path, pattern: &str, more: &str) -> Self {
        let server = Server::new();
        let options = options(&folder.join(pattern), more);
        let checkpoint = folder.join("checkpoint.json");
        let running = tokio::spawn(files::run(options, checkpoint, server.reception(), server.stop_receiver()));
        Self { server, running }
    }

    async fn stop(self) -> Vec<String> {
        // What must not come has had time to come.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        self.server.stop();
        self.running.await.unwrap().unwrap();
        self.server.bodies()
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a.log");
    (folder, log)
}

#[tokio::test]
async fn a_file_is_followed_and_gone_on_with() {
    let (folder, log) = folder();
    append(&log, "one\n{\"a\":1}\nhal");
    let follower = Follower::start(folder.path(), "*.log", "");
    follower.server.wait_for(2).await;
    append(&log, "f\r\n");
    follower.server.wait_for(3).await;
    let kinds: Vec<RecordKind> = follower.server.taken().iter().map(|record| record.0).collect();
    assert_eq!(kinds, [RecordKind::Line, RecordKind::Json, RecordKind::Line]);
    assert_eq!(follower.stop().await, ["one", "{\"a\":1}", "half"]);

    append(&log, "while away\n");
    append(&folder.path().join("b.log"), "new\n");
    fs::write(folder.path().join("a.log.1.gz"), gzip(b"packed\n")).unwrap();
    let follower = Follower::start(folder.path(), "*.log*", "");
    follower.server.wait_for(2).await;
    assert_eq!(follower.stop().await, ["while away", "new"]);
}

#[tokio::test]
async fn rotation_by_renaming_loses_and_repeats_nothing() {
    for pattern in ["*.log", "*.log*"] {
        let (folder, log) = folder();
        append(&log, "one\n");
        let follower = Follower::start(folder.path(), pattern, "");
        follower.server.wait_for(1).await;
        let rotated = folder.path().join("a.log.1");
        fs::rename(&log, &rotated).unwrap();
        append(&rotated, "two\n");
        append(&log, "three\n");
        let mut bodies = follower.server.wait_for(3).await;
        bodies.sort();
        assert_eq!(bodies, ["one", "three", "two"]);
        assert_eq!(follower.stop().await.len(), 3);
    }
}

#[tokio::test]
async fn rotation_by_copying_loses_and_repeats_nothing() {
    let (folder, log) = folder();
    let long = "x".repeat(100);
    append(&log, &format!("{long}\n"));
    let follower = Follower::start(folder.path(), "*.log*", "");
    follower.server.wait_for(1).await;
    fs::copy(&log, folder.path().join("a.log.1")).unwrap();
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    append(&log, "after\n");
    follower.server.wait_for(2).await;
    // As long as before, and another.
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    append(&log, "again\n");
    follower.server.wait_for(3).await;
    assert_eq!(follower.stop().await, [long.as_str(), "after", "again"]);
}

#[tokio::test]
async fn nothing_is_kept_as_read_before_it_was_taken() {
    let (folder, log) = folder();
    append(&log, "one\n");
    let follower = Follower::start(folder.path(), "*.log", "");
    follower.server.refuse(Some(Refusal::Busy));
    append(&log, "two\n");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let before = follower.stop().await;
    let follower = Follower::start(folder.path(), "*.log", "");
    follower.server.wait_for(2 - before.len()).await;
    let mut all = before;
    all.extend(follower.stop().await);
    assert_eq!(all, ["one", "two"]);
}

#[tokio::test]
async fn the_end_is_where_following_can_begin() {
    let (folder, log) = folder();
    append(&log, "old\n");
    let follower = Follower::start(folder.path(), "*.log", "from = \"end\"\nmax_line_bytes = 5");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    append(&log, "new\n");
    append(&folder.path().join("later.log"), "123456789\nlate\n");
    follower.server.wait_for(3).await;
    assert_eq!(follower.server.count(|c| &c.malformed), 1);
    let mut bodies = follower.stop().await;
    bodies.sort();
    assert_eq!(bodies, ["12345", "late", "new"]);
}

#[tokio::test]
async fn a_last_line_without_its_end_is_taken_when_the_file_is_gone() {
    let (folder, log) = folder();
    append(&log, "one\ntwo");
    let follower = Follower::start(folder.path(), "*.log", "");
    follower.server.wait_for(1).await;
    fs::remove_file(&log).unwrap();
    assert_eq!(follower.server.wait_for(2).await, ["one", "two"]);
    follower.server.wait_until(|| follower.server.count(|c| &c.connections) == 0).await;
    follower.stop().await;
}

#[tokio::test]
async fn dropped_files_are_read_once() {
    let (folder, _) = folder();
    let drop = folder.path().join("drop");
    fs::create_dir(&drop).unwrap();
    let follower = Follower::start(folder.path(), "drop/*", "mode = \"whole\"");
    fs::write(drop.join("1.json"), "[{\"a\":1},\n{\"b\":2}]").unwrap();
    let xml: Vec<u8> = "<Events><Event>é</Event></Events>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(drop.join("2.xml"), [&b"\xff\xfe"[..], &xml].concat()).unwrap();
    fs::write(drop.join("3.txt.gz"), gzip(b"line 1\nline 2\n")).unwrap();
    let mut bodies = follower.server.wait_for(5).await;
    bodies.sort();
    assert_eq!(bodies, ["<Event>é</Event>", "line 1", "line 2", "{\"a\":1}", "{\"b\":2}"]);
    assert_eq!(follower.stop().await.len(), 5);
    let follower = Follower::start(folder.path(), "drop/*", "mode = \"whole\"");
    fs::write(drop.join("5.json"), "{\"c\":3}").unwrap();
    follower.server.wait_for(1).await;
    assert_eq!(follower.stop().await, ["{\"c\":3}"]);
}

#[tokio::test]
async fn what_is_dropped_may_be_of_any_format_and_in_an_archive() {
    let (folder, _) = folder();
    let drop = folder.path().join("drop");
    fs::create_dir(&drop).unwrap();
    let follower = Follower::start(folder.path(), "drop/*", "mode = \"whole\"");
    // Written elsewhere and moved in, as a copier does that wants it to be seen whole.
    let put = |name: &str, bytes: &[u8]| {
        let aside = folder.path().join(name);
        fs::write(&aside, bytes).unwrap();
        fs::rename(&aside, drop.join(name)).unwrap();
    };
    put("1.csv", b"dest,process_name\nA,b.exe\n");
    put("2.zst", &zstd::encode_all(&b"{\"n\":1}\n{\"n\":2}\n"[..], 1).unwrap());
    put(
        "3.json",
        b"{\"Records\":[{\"eventSource\":\"s3.amazonaws.com\",\"eventVersion\":\"1.08\",\"eventName\":\"A\"}]}",
    );
    let mut bodies = follower.server.wait_for(4).await;
    bodies.sort();
    assert!(bodies[0].contains("\"b.exe\""), "{bodies:?}");
    assert_eq!(bodies[2..], ["{\"n\":1}", "{\"n\":2}"]);
    assert!(bodies[1].contains("s3.amazonaws.com"), "{bodies:?}");
    assert_eq!(follower.server.count(|c| &c.malformed), 0);
    follower.stop().await;
}

#[tokio::test]
async fn a_damaged_file_gives_what_can_be_read_of_it_and_is_counted() {
    let (folder, _) = folder();
    let drop = folder.path().join("drop");
    fs::create_dir(&drop).unwrap();
    let follower = Follower::start(folder.path(), "drop/*", "mode = \"whole\"\nmax_file_bytes = 100000");
    let packed = gzip("{\"n\":1}\n".repeat(2000).as_bytes());
    fs::write(drop.join("1.gz"), &packed[..packed.len() - 12]).unwrap();
    follower.server.wait_until(|| follower.server.count(|c| &c.malformed) > 0).await;
    let before = follower.server.count(|c| &c.malformed);
    fs::write(drop.join("2.evtx"), b"ElfFile\0...").unwrap();
    fs::write(drop.join("3.bin"), [0, 1, 2, 3, 0, 5].repeat(50)).unwrap();
    fs::write(drop.join("4.json"), "{\"n\":1}\n".repeat(20_000)).unwrap();
    fs::write(drop.join("5.gz"), gzip("{\"n\":1}\n".repeat(20_000).as_bytes())).unwrap();
    follower.server.wait_until(|| follower.server.count(|c| &c.malformed) >= before + 4).await;
    assert!(follower.stop().await.iter().all(|body| body == "{\"n\":1}"));
}

#[tokio::test]
async fn standard_input_is_read_to_its_end() {
    let server = Server::new();
    let input = &b"one\r\n\n{\"a\":1}\n<Event></Event>\nlast"[..];
    stdin::pump(input, stdin::Options::default(), server.reception(), server.stop_receiver()).await.unwrap();
    assert_eq!(server.bodies(), ["one", "{\"a\":1}", "<Event></Event>", "last"]);
}
