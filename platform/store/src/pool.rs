//! Connections. SQLite has one writer, so its writes go through a pool of one connection and its reads through another.

use std::fmt::Write as _;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Any, AnyConnection, AnyPool, Executor as _, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::db::{Db, Postgres, Shared, Sqlite};
use crate::tracking::{Folds, Keys};
use crate::{Result, StoreError, migrate};

/// Connections that read SQLite at once.
const SQLITE_READERS_MAX: u32 = 4;
/// Connections to Postgres.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;
/// How long a request waits for a connection.
const ACQUIRE_MS_MAX: u64 = 15_000;

// The store's own thread folds the log.
const SQLITE_WRITER: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; \
                             PRAGMA foreign_keys = ON;";
const SQLITE_READER: &str = "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON;";

/// What an acknowledged write survives. Postgres decides for itself, by its `synchronous_commit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, however it comes. A power cut may take the last moments, never leaves half a write.
    #[default]
    Process,
    /// A power cut too: each commit waits for the disk.
    Power,
}

impl Durability {
    pub(crate) fn pragma(self) -> &'static str {
        match self {
            Durability::Process => "PRAGMA synchronous = NORMAL;",
            Durability::Power => "PRAGMA synchronous = FULL;",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// The metadata database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<Pools>);

#[derive(Debug)]
struct Pools {
    backend: Backend,
    read: AnyPool,
    write: AnyPool,
    db: Db,
    keys: Arc<Keys>,
    folds: Folds,
    /// Held by who writes to SQLite: waiting in a line is fair, retrying a locked file is not.
    turn: Arc<Mutex<()>>,
}

/// A connection that writes, and the turn to do so.
pub(crate) struct WriteConnection {
    connection: PoolConnection<Any>,
    _turn: Option<OwnedMutexGuard<()>>,
}

/// A transaction that writes, and the turn to do so.
pub(crate) struct WriteTransaction {
    transaction: Transaction<'static, Any>,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Store {
    /// Opens `sqlite:///folder/tiegel.db` (made where it is missing) or `postgres://…`, and brings its tables up to date.
    /// A database that a newer binary made is refused.
    pub async fn open(url: &str) -> Result<Store> {
        Self::open_with(url, Durability::default()).await
    }

    /// As [`Store::open`]; what a write survives matters to SQLite alone.
    pub async fn open_with(url: &str, durability: Durability) -> Result<Store> {
        Self::open_at(url, durability, usize::MAX).await
    }

    /// A database as it was after its first migrations.
    #[cfg(test)]
    pub(crate) async fn open_with_migrations(url: &str, migrations_max: usize) -> Result<Store> {
        Self::open_at(url, Durability::default(), migrations_max).await
    }

    async fn open_at(url: &str, durability: Durability, migrations_max: usize) -> Result<Store> {
        sqlx::any::install_default_drivers();
        let pools = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Pools::sqlite(url, durability).await?,
            Some("postgres" | "postgresql") => Pools::postgres(url).await?,
            _ => {
                return Err(StoreError::Invalid(
                    "the database URL must start with sqlite:// or postgres://, such as sqlite:///var/lib/tiegel/tiegel.db"
                        .to_owned(),
                ));
            }
        };
        let store = Store(Arc::new(pools));
        let mut tx = store.begin().await?;
        let migrations = migrate::known(store.backend());
        migrate::up(&mut tx, store.backend(), &migrations[..migrations.len().min(migrations_max)]).await?;
        tx.commit().await?;
        Ok(store)
    }

    /// Answers once the database does; for readiness.
    #[tracing::instrument(name = "db.store.ping", level = "debug", skip_all)]
    pub async fn ping(&self) -> Result<()> {
        self.read().execute("SELECT 1").await?;
        Ok(())
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        match &self.0.db {
            Db::Sqlite(db) => db.close().await,
            Db::Postgres(db) => db.close().await,
        }
        self.0.read.close().await;
        self.0.write.close().await;
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn backend(&self) -> Backend {
        self.0.backend
    }

    pub(crate) fn folds(&self) -> &Folds {
        &self.0.folds
    }

    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.0.keys.clone()
    }

    pub(crate) fn read(&self) -> &AnyPool {
        &self.0.read
    }

    /// For one statement that is a transaction by itself.
    pub(crate) async fn write(&self) -> Result<WriteConnection> {
        let turn = self.0.turn().await;
        Ok(WriteConnection { connection: self.0.write.acquire().await?, _turn: turn })
    }

    /// A transaction that writes. Inside it, use no other connection: SQLite has only this one to give.
    pub(crate) async fn begin(&self) -> Result<WriteTransaction> {
        self.0.begin().await
    }
}

impl Deref for WriteConnection {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for WriteConnection {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

impl WriteTransaction {
    pub async fn commit(self) -> sqlx::Result<()> {
        self.transaction.commit().await
    }
}

impl Deref for WriteTransaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.transaction
    }
}

impl DerefMut for WriteTransaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }
}

impl Pools {
    async fn turn(&self) -> Option<OwnedMutexGuard<()>> {
        match &self.db {
            Db::Sqlite(db) => {
                let turn = self.turn.clone().lock_owned().await;
                db.written();
                Some(turn)
            }
            Db::Postgres(_) => None,
        }
    }

    async fn begin(&self) -> Result<WriteTransaction> {
        let turn = self.turn().await;
        let transaction = match self.backend {
            // Takes the write lock at once, so that no later statement fails for having read too early.
            Backend::Sqlite => self.write.begin_with("BEGIN IMMEDIATE").await?,
            Backend::Postgres => self.write.begin().await?,
        };
        Ok(WriteTransaction { transaction, _turn: turn })
    }

    async fn sqlite(url: &str, durability: Durability) -> Result<Pools> {
        let url = match (url.contains("mode="), url.contains('?')) {
            (true, _) => url.to_owned(),
            (false, true) => format!("{url}&mode=rwc"),
            (false, false) => format!("{url}?mode=rwc"),
        };
        let options: AnyConnectOptions = url.parse()?;
        let pool = |pragmas: &'static str, more: &'static str| {
            pool(true).after_connect(move |connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(pragmas).execute(&mut *connection).await?;
                    sqlx::raw_sql(more).execute(connection).await.map(|_| ())
                })
            })
        };
        // The writer first: it makes the file and switches it to write-ahead logging.
        let write = pool(SQLITE_WRITER, durability.pragma()).max_connections(1).connect_with(options.clone()).await?;
        let read = pool(SQLITE_READER, "").max_connections(SQLITE_READERS_MAX).connect_with(options).await?;
        let turn = Arc::new(Mutex::new(()));
        let path = url.parse::<SqliteConnectOptions>()?.get_filename().to_owned();
        let keys = Arc::new(Keys::default());
        let shared = Shared { turn: turn.clone(), keys: keys.clone(), durability };
        let db = Db::Sqlite(Sqlite::open(&path, shared)?);
        Ok(Pools { backend: Backend::Sqlite, read, write, db, keys, folds: Folds::default(), turn })
    }

    async fn postgres(url: &str) -> Result<Pools> {
        let pool = pool(false).max_connections(POSTGRES_CONNECTIONS_MAX).connect(url).await?;
        let db = Db::Postgres(Postgres::open(url).await?);
        let (keys, turn) = Default::default();
        Ok(Pools {
            backend: Backend::Postgres,
            read: pool.clone(),
            write: pool,
            db,
            keys,
            folds: Folds::default(),
            turn,
        })
    }
}

/// A file's connections never break, so only a server's are tested before use.
fn pool(is_file: bool) -> AnyPoolOptions {
    let pool = AnyPoolOptions::new().acquire_timeout(Duration::from_millis(ACQUIRE_MS_MAX));
    if is_file { pool.test_before_acquire(false).idle_timeout(None).max_lifetime(None) } else { pool }
}

/// The URL of a SQLite file, with the characters that mean something in a URL escaped.
pub fn sqlite_url(path: &Path) -> String {
    let mut url = String::from("sqlite://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            // Writing to a string cannot fail.
            other => _ = write!(url, "%{other:02X}"),
        }
    }
    url
}
