//! Reading a tracking store, whichever way it can be reached, as one stream of items.

mod database;
pub mod models;
pub mod runs;
mod server;
pub mod traces;

use std::path::PathBuf;
use std::sync::Arc;

use tiegel_store::foreign::MlflowDatabase;
use tiegel_types::Digest;
use tiegel_types::transfer::{LoggedModel, Record, Run};
use tokio::sync::mpsc;

use crate::artifacts::Trees;
use crate::http::{Access, MlflowApi};
use crate::trace::Trace;

/// Items that wait to be written.
const WAITING_MAX: usize = 64;
/// Things that one request asks for.
const PAGE: usize = 200;
/// Points in one series, and points that are read at once.
const SERIES_POINTS_MAX: usize = 20_000;
/// MLflow's name for the workspace that is always there.
const DEFAULT_WORKSPACE: &str = "default";

/// Where tracking data comes from.
#[derive(Clone, Debug)]
pub enum Source {
    Server(MlflowApi),
    Database(MlflowDatabase),
}

/// What a source says, in this order: experiments, then runs with their points, logged models, registered models, traces.
#[derive(Debug)]
pub enum Item {
    /// A run comes before its series.
    Record(Record),
    /// All of a run has been said; the mark tells whether it changed since it was read before.
    RunEnd {
        run_id: String,
        mark: Digest,
    },
    /// The run is as it was when it was moved.
    RunUnchanged {
        run: Box<Run>,
    },
    LoggedModel {
        model: Box<LoggedModel>,
        mark: Digest,
    },
    Trace {
        trace: Box<Trace>,
        mark: Digest,
    },
}

/// Tells whether a thing was moved as it is.
pub type IsDone = Arc<dyn Fn(&str, &Digest) -> bool + Send + Sync>;

/// Where items go.
pub type Items = mpsc::Sender<Item>;

impl Source {
    /// `http://…`, `sqlite:///…` or `postgresql://…`.
    pub async fn open(access: Access) -> anyhow::Result<Self> {
        if access.url.starts_with("http://") || access.url.starts_with("https://") {
            return Ok(Self::Server(MlflowApi::new(access)?));
        }
        let workspace = access.workspace.as_deref().unwrap_or(DEFAULT_WORKSPACE);
        Ok(Self::Database(MlflowDatabase::open(&access.url, workspace).await?))
    }

    /// How its artifacts are reached: through the server, or in the folder that its server keeps them in.
    pub(crate) fn trees(&self, root: Option<PathBuf>) -> Trees {
        match self {
            Source::Server(api) => Trees::new(Some(api.clone()), root),
            Source::Database(_) => Trees::new(None, root),
        }
    }

    /// Sends everything; to be run beside what takes it.
    pub(crate) async fn read(&self, is_done: IsDone, items: Items) -> anyhow::Result<()> {
        match self {
            Source::Server(api) => server::read(api, &is_done, &items).await,
            Source::Database(database) => database::read(database, &is_done, &items).await,
        }
    }
}

/// A channel for items.
pub fn channel() -> (Items, mpsc::Receiver<Item>) {
    mpsc::channel(WAITING_MAX)
}

async fn send(items: &Items, item: Item) -> anyhow::Result<()> {
    items.send(item).await.map_err(|_| anyhow::anyhow!("nobody takes what is read"))
}

/// What a run, a logged model and a trace are called in the journal.
pub fn run_unit(id: &str) -> String {
    format!("run/{id}")
}

pub fn model_unit(id: &str) -> String {
    format!("model/{id}")
}

pub fn trace_unit(id: &str) -> String {
    format!("trace/{id}")
}
