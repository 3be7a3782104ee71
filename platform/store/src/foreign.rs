//! Databases of other programs, which are only read: the one of an MLflow server.
//!
//! Invariant: a read is short, so that a server that writes to the same SQLite file meanwhile does not wait for it.

mod experiments;
mod logged_models;
mod points;
mod registry;
mod runs;
mod select;
#[cfg(test)]
mod tests;
mod traces;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::db::{Postgres, Tx};
use crate::{Result, StoreError};

pub use points::PointCursor;
pub use runs::RunHead;
pub use traces::{ForeignAssessment, ForeignTrace};

/// How long a read waits for a writer of the file.
const BUSY_MS_MAX: u64 = 30_000;

/// The database of an MLflow server, of any version since 1.0.
#[derive(Clone, Debug)]
pub struct MlflowDatabase {
    place: Place,
    /// The columns of each table: old versions lack some.
    columns: std::sync::Arc<BTreeMap<String, BTreeSet<String>>>,
    /// Whose rows are read, where the server has workspaces.
    workspace: String,
}

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Server(std::sync::Arc<Postgres>),
}

impl MlflowDatabase {
    /// Opens what MLflow calls a backend store: `sqlite:///mlflow.db`, `sqlite:////absolute/mlflow.db` or
    /// `postgresql://…`, with or without a driver's name.
    pub async fn open(uri: &str, workspace: &str) -> Result<Self> {
        let place = Place::of(uri).await?;
        let mut database = Self { place, columns: Default::default(), workspace: workspace.to_owned() };
        database.columns = std::sync::Arc::new(database.read(select::columns).await?);
        for table in ["experiments", "runs", "metrics", "params", "tags"] {
            if !database.columns.contains_key(table) {
                let message = format!("{uri} has no table '{table}', so it is not the database of an MLflow server");
                return Err(StoreError::Invalid(message));
            }
        }
        Ok(database)
    }

    async fn read<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        match &self.place {
            Place::Server(server) => server.query(operation).await,
            Place::File(path) => {
                let path = path.clone();
                let work = move || operation(&mut Tx::Sqlite(&connect(&path)?));
                let joined = tokio::task::spawn_blocking(work).await;
                joined.map_err(|_| StoreError::Engine("reading ended without an answer".to_owned()))?
            }
        }
    }
}

impl Place {
    async fn of(uri: &str) -> Result<Self> {
        let (scheme, rest) = uri.split_once("://").unwrap_or((uri, ""));
        match scheme.split('+').next() {
            Some("sqlite") => Ok(Self::File(file(rest)?)),
            Some("postgres" | "postgresql") => {
                Ok(Self::Server(std::sync::Arc::new(Postgres::open(&format!("postgres://{rest}")).await?)))
            }
            _ => Err(StoreError::Invalid(format!(
                "'{uri}' cannot be read: name sqlite:///PATH, postgresql://USER@HOST/DATABASE, or the URL of a server"
            ))),
        }
    }
}

/// `sqlite:///a/b` is relative to SQLAlchemy and `sqlite:////a/b` absolute; the first is absolute too where only that
/// finds a file.
fn file(rest: &str) -> Result<PathBuf> {
    let path = rest.split('?').next().unwrap_or_default();
    let relative = PathBuf::from(path.strip_prefix('/').unwrap_or(path));
    let found = [relative.clone(), PathBuf::from(path)].into_iter().find(|path| path.is_file());
    found.ok_or_else(|| StoreError::NotFound(format!("there is no file {}", relative.display())))
}

fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    Ok(connection)
}
