//! Databases to test on, each empty and for one test alone.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use lurcher_schema::{Timestamp, VirtualClock};
use lurcher_triage::{Limits, Triage};
use sqlx::{AnyConnection, Connection, Executor};
use tempfile::TempDir;

/// When the tests' clock begins: 2026-03-02T08:00:00Z.
pub(crate) const START: Timestamp = Timestamp(1_772_438_400_000_000);

/// A store on a database of its own.
pub(crate) struct Store {
    pub(crate) triage: Arc<Triage>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) url: String,
    pub(crate) folder: TempDir,
}

impl std::ops::Deref for Store {
    type Target = Triage;

    fn deref(&self) -> &Triage {
        &self.triage
    }
}

impl Store {
    pub(crate) async fn at(url: String, folder: TempDir, limits: Limits) -> Self {
        let clock = Arc::new(VirtualClock::at(START));
        let triage = Triage::open_with(&url, clock.clone(), limits).await.unwrap();
        Self { triage: Arc::new(triage), clock, url, folder }
    }

    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_with(Limits::default()).await
    }

    pub(crate) async fn sqlite_with(limits: Limits) -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("alerts 100%.db").display());
        Self::at(url, folder, limits).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let url = format!("{}?sslmode=disable", new_postgres_database().await?);
        Some(Self::at(url, TempDir::new().unwrap(), Limits::default()).await)
    }

    /// Moves the clock on.
    pub(crate) fn pass(&self, seconds: i64) {
        use lurcher_schema::Clock;
        self.clock.set(Timestamp(self.clock.now().0 + seconds * 1_000_000));
    }

    /// A connection past the store, to do what it would not.
    pub(crate) async fn connect(&self) -> AnyConnection {
        let url = if self.url.starts_with("sqlite:") {
            format!("{}?mode=rw", self.url.replace('%', "%25").replace(' ', "%20"))
        } else {
            self.url.clone()
        };
        AnyConnection::connect(&url).await.unwrap()
    }
}

/// Runs a test on each database there is.
pub(crate) fn on_each<F: Future<Output = ()>>(name: &str, test: impl Fn(Store) -> F) {
    run(async {
        test(Store::sqlite().await).await;
        match Store::postgres().await {
            Some(store) => test(store).await,
            None => eprintln!("skipped: {name} on PostgreSQL: its programs are not installed"),
        }
    });
}

/// Runs a test.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

/// A server that ends with this process: it is the child of a shell that waits for its input to be closed.
struct Server {
    url: String,
    _shell: Mutex<Child>,
}

/// The address of a new database on a server that knows TLS, and the folder with its authority's certificate, `ca.pem`; not
/// on a server of somebody else's.
pub(crate) async fn over_tls() -> Option<(String, PathBuf)> {
    if std::env::var_os("LURCHER_TEST_POSTGRES").is_some() {
        return None;
    }
    Some((new_postgres_database().await?, folder()))
}

fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("lurcher-postgres-{}", std::process::id()))
}

/// An authority of our own, and what it vouches for: the server at 127.0.0.1.
fn certificates(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join(name), issuer.pem()).unwrap();
        issuer
    };
    authority("other.pem");
    let issuer = authority("ca.pem");
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("server.pem"), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    std::fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

async fn new_postgres_database() -> Option<String> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let base = match std::env::var("LURCHER_TEST_POSTGRES") {
        Ok(url) => url,
        Err(_) => SERVER.get_or_init(start).as_ref()?.url.clone(),
    };
    sqlx::any::install_default_drivers();
    let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
    let mut connection = AnyConnection::connect(&base.replace("DATABASE", "postgres")).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    connection.close().await.unwrap();
    Some(base.replace("DATABASE", &name))
}

/// The folder of PostgreSQL's programs, the newest version's.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .collect();
    found.sort();
    found.pop()
}

fn start() -> Option<Server> {
    let programs = programs()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let folder = folder();
    std::fs::create_dir(&folder).ok()?;
    certificates(&folder);
    // The server refuses to run as root.
    let is_root = std::fs::metadata("/proc/self").ok().is_some_and(|found| {
        use std::os::unix::fs::MetadataExt;
        found.uid() == 0
    });
    let script = script(&programs, &folder, port, is_root);
    let log = std::fs::File::create(folder.join("test.log")).ok()?;
    let shell = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(log.try_clone().ok()?)
        .stderr(log)
        .spawn()
        .ok()?;
    for _ in 0..600 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        if folder.join("ready").exists() {
            let url = format!("postgres://postgres@127.0.0.1:{port}/DATABASE");
            return Some(Server { url, _shell: Mutex::new(shell) });
        }
        if folder.join("failed").exists() {
            break;
        }
    }
    eprintln!("{}", std::fs::read_to_string(folder.join("test.log")).unwrap_or_default());
    None
}

fn script(programs: &Path, folder: &Path, port: u16, is_root: bool) -> String {
    let (programs, folder) = (programs.display(), folder.display());
    let user = if is_root { "runuser -u postgres --" } else { "" };
    let own = if is_root { format!("chown -R postgres {folder}") } else { "true".to_owned() };
    let tls = format!("-c ssl=on -c ssl_cert_file={folder}/server.pem -c ssl_key_file={folder}/server.key");
    format!(
        "chmod 600 {folder}/server.key; {own}; cd {folder}
         {user} {programs}/initdb -D {folder}/data -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync || touch failed
         {user} {programs}/pg_ctl -D {folder}/data -l {folder}/data/server.log -w -o '-p {port} -k {folder} -h 127.0.0.1 -c fsync=off -c max_connections=200 {tls}' start && touch ready || touch failed
         cat > /dev/null
         {user} {programs}/pg_ctl -D {folder}/data -m immediate stop
         cd /; rm -rf {folder}"
    )
}
