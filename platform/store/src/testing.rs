//! Databases for tests: a SQLite file, and a database of its own on a throw-away Postgres server.

mod server;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use server::PostgresServer;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;

use crate::{Store, sqlite_url};

/// An empty database, with what keeps it alive.
pub struct TestDatabase {
    pub store: Store,
    pub url: String,
    _folder: Option<TempDir>,
}

impl TestDatabase {
    /// A file in a folder that is removed with this value.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let url = sqlite_url(&folder.path().join("tiegel.db"));
        Self { store: open(&url).await, url, _folder: Some(folder) }
    }

    /// A database on the server that all tests of this process share.
    pub async fn postgres() -> Self {
        let url = fresh_postgres_url().await;
        Self { store: open(&url).await, url, _folder: None }
    }
}

/// One of each kind: SQLite, Postgres.
pub async fn databases() -> [TestDatabase; 2] {
    [TestDatabase::sqlite().await, TestDatabase::postgres().await]
}

/// Makes an empty database and answers its URL. The server starts with the first call and stops with the process.
pub async fn fresh_postgres_url() -> String {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);

    let server = tokio::task::spawn_blocking(|| {
        SERVER.get_or_init(|| PostgresServer::start().unwrap_or_else(|why| panic!("cannot start Postgres: {why}")))
    })
    .await
    .expect("starting Postgres does not panic twice");
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    sqlx::any::install_default_drivers();
    let options: sqlx::any::AnyConnectOptions = server.url("postgres").parse().expect("the server's URL is one");
    let mut admin = options.connect().await.expect("the server takes connections");
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"));
    admin.execute(sqlx::raw_sql(create)).await.expect("a database can be made");
    admin.close().await.expect("the connection closes");
    server.url(&name)
}

async fn open(url: &str) -> Store {
    Store::open(url).await.unwrap_or_else(|why| panic!("cannot open {url}: {why}"))
}

/// Makes of each test two, named `sqlite` and `postgres`, so that a failure says which database it is.
#[cfg(test)]
macro_rules! store_tests {
    ($(async fn $name:ident($store:ident) $body:block)+) => {
        $(mod $name {
            use super::*;

            async fn check($store: crate::Store) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let database = crate::testing::TestDatabase::sqlite().await;
                check(database.store.clone()).await;
                database.store.close().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let database = crate::testing::TestDatabase::postgres().await;
                check(database.store.clone()).await;
                database.store.close().await;
            }
        })+
    };
}

#[cfg(test)]
pub(crate) use store_tests;
