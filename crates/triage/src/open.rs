//! Opening the database, and the connections to it.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use lurcher_schema::{Clock, Timestamp};
use sqlx::{Any, AnyConnection, Connection, Pool, Transaction, any::AnyPoolOptions};

use crate::{
    Error, Grouping, Recipient, Result,
    dialect::{Dialect, Place, sqlite_url},
    migration,
    sql::sql,
};

/// How many connections read at once.
const READERS: u32 = 4;
/// How long a call waits for a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is kept of what comes in. What is larger is cut, and says so.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most bytes of an alert's native document.
    pub document_bytes: usize,
    /// The most bytes of any other text: a message, a comment, the value of an entity.
    pub text_bytes: usize,
    /// The most entities, techniques, tags … of one alert, each.
    pub terms: usize,
    /// The most alerts that one bulk change touches.
    pub bulk: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { document_bytes: 1 << 20, text_bytes: 16 << 10, terms: 200, bulk: 10_000 }
    }
}

/// What was found, and what people made of it.
///
/// All methods may be called from many tasks at once. Each is one transaction: done wholly, or not at all.
#[derive(Debug)]
pub struct Triage {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dialect: Dialect,
    pub(crate) file: Option<PathBuf>,
    pub(crate) reader: Pool<Any>,
    pub(crate) writer: Pool<Any>,
    pub(crate) limits: Limits,
    targets: RwLock<Arc<[Arc<dyn Recipient>]>>,
    grouping: RwLock<Grouping>,
    /// When the use of a key was last written down.
    pub(crate) key_uses: Mutex<HashMap<String, Timestamp>>,
}

impl Triage {
    /// Opens the database, makes it if it is not there, and brings its tables up to date. `url` is `sqlite:PATH` or
    /// `postgres://USER:PASSWORD@HOST/NAME`. Fails if it cannot be reached or was written by a newer program.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_with(url, clock, Limits::default()).await
    }

    /// Opens a database that is there, to look at it: its tables stay in the version that they have. Fails if there is
    /// none, or a newer program wrote it.
    pub async fn existing(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        install_drivers();
        let Place { dialect, mut url, file } = Place::parse(url)?;
        if let Some(file) = &file {
            url = sqlite_url(file, "rw");
        }
        let reader = pool(&url, dialect, true).await?;
        let found = sql!("SELECT COALESCE(MAX(version), 0) AS version FROM schema_version").first(&reader).await?;
        let found = found.map_or(Ok(0), |row| row.int("version"))?;
        if found > migration::newest() {
            return Err(Error::Newer { found, known: migration::newest() });
        }
        Ok(Self {
            clock,
            dialect,
            file,
            writer: reader.clone(),
            reader,
            limits: Limits::default(),
            targets: RwLock::new(Arc::from([])),
            grouping: RwLock::default(),
            key_uses: Mutex::default(),
        })
    }

    /// The same with limits of the caller's.
    pub async fn open_with(url: &str, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self> {
        install_drivers();
        let Place { dialect, url, file } = Place::parse(url)?;
        let writer = pool(&url, dialect, false).await?;
        let found = match migration::migrate(&writer, dialect, clock.now()).await {
            Ok(found) => found,
            Err(error) => {
                writer.close().await;
                return Err(error);
            }
        };
        if found != migration::newest() {
            tracing::info!(from = found, to = migration::newest(), "upgraded the database of alerts");
        }
        let reader = pool(&url, dialect, true).await?;
        Ok(Self {
            clock,
            dialect,
            file,
            reader,
            writer,
            limits,
            targets: RwLock::new(Arc::from([])),
            grouping: RwLock::default(),
            key_uses: Mutex::default(),
        })
    }

    /// Lets all calls end and closes the connections. Calls after this fail.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Whether it is a file, of which backups hold a copy.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Whom new alerts are to be told from now on. Alerts that are there already are not told again.
    pub fn set_targets(&self, targets: Vec<Arc<dyn Recipient>>) {
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = targets.into();
    }

    /// Whom new alerts are told.
    pub fn targets(&self) -> Arc<[Arc<dyn Recipient>]> {
        Arc::clone(&self.targets.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// By what new alerts are grouped from now on, where they come without a key of their own.
    pub fn set_grouping(&self, grouping: Grouping) {
        *self.grouping.write().unwrap_or_else(PoisonError::into_inner) = grouping;
    }

    /// By what new alerts are grouped.
    pub fn grouping(&self) -> Grouping {
        *self.grouping.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of the tables that this program writes.
    pub fn schema_version() -> i64 {
        migration::newest()
    }

    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>> {
        if let Ok(transaction) = self.writer.begin_with(self.dialect.begin()).await {
            return Ok(transaction);
        }
        // A transaction whose end failed, as on a full disk, leaves a connection that takes no other one: it goes, for a new one.
        if let Ok(connection) = self.writer.acquire().await {
            drop(connection.detach());
        }
        Ok(self.writer.begin_with(self.dialect.begin()).await?)
    }
}

/// Makes the databases known, and what encrypts the connection to one.
fn install_drivers() {
    sqlx::any::install_default_drivers();
    // Fails only if there is a provider already, which does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn pool(url: &str, dialect: Dialect, reader: bool) -> Result<Pool<Any>> {
    // A pool tries again and again for as long as its patience lasts; what is wrong for good is to be said at once.
    let mut first = AnyConnection::connect(url).await.map_err(unopened)?;
    dialect.prepare(&mut first, reader).await?;
    first.close().await?;
    let options = AnyPoolOptions::new()
        .max_connections(if reader { READERS } else { dialect.writers() })
        .acquire_timeout(PATIENCE)
        // A connection is one file handle; making it anew costs more than keeping it.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(dialect == Dialect::Postgres)
        .after_connect(move |connection, _| Box::pin(dialect.prepare(connection, reader)));
    options.connect(url).await.map_err(unopened)
}

fn unopened(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Configuration(why) => Error::Place(why.to_string()),
        error => Error::from(error),
    }
}
