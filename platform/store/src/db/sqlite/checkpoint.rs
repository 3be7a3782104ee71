//! The write-ahead log is folded into the file by a thread of its own, so that no commit waits for it.
//!
//! Folding beside the writers is what bounds the file's lag; only a log that writers keep at its limit is folded in a turn
//! of its own, after which the next commit starts it anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Mutex as Turn;

use crate::{Result, StoreError};

/// Between two looks at the log while it is written.
const INTERVAL_MS: u64 = 100;
/// Pages (of 4 KiB) of the log that are folded while writers go on.
const LAG_PAGES: i64 = 4_096;
/// Pages of the log from which on writers wait for its folding.
const LOG_PAGES_MAX: i64 = 65_536;

#[derive(Debug)]
pub(crate) struct Checkpoints {
    thread: Mutex<Option<JoinHandle<()>>>,
    wake: Wake,
}

/// Tells the thread that there is a log.
#[derive(Clone, Debug)]
pub(crate) struct Wake {
    state: Arc<State>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct State {
    written: AtomicBool,
    stopped: AtomicBool,
}

impl Wake {
    pub fn wake(&self) {
        if !self.state.written.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

impl Checkpoints {
    pub fn start(connection: Connection, turn: Arc<Turn<()>>) -> Result<Self> {
        let state = Arc::new(State::default());
        let own = state.clone();
        let thread = std::thread::Builder::new()
            .name("sqlite-log".to_owned())
            .spawn(move || fold_all(&connection, &turn, &own))
            .map_err(|error| StoreError::Engine(format!("cannot start the folding of the log: {error}")))?;
        let wake = Wake { state, thread: thread.thread().clone() };
        Ok(Self { thread: Mutex::new(Some(thread)), wake })
    }

    pub fn wake(&self) -> Wake {
        self.wake.clone()
    }

    pub async fn stop(&self) {
        self.wake.state.stopped.store(true, Ordering::Release);
        self.wake.thread.unpark();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has nothing to say.
            _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn fold_all(connection: &Connection, turn: &Turn<()>, state: &State) {
    while !state.stopped.load(Ordering::Acquire) {
        if !state.written.load(Ordering::Acquire) {
            std::thread::park();
            continue;
        }
        // While the flag is set nobody unparks, but to stop.
        std::thread::park_timeout(Duration::from_millis(INTERVAL_MS));
        state.written.store(false, Ordering::Release);
        if let Err(error) = fold(connection, turn, state) {
            tracing::warn!(%error, "cannot fold the write-ahead log; it grows until that works");
        }
    }
}

fn fold(connection: &Connection, turn: &Turn<()>, state: &State) -> Result<()> {
    let log = pages(connection, "PRAGMA wal_checkpoint(NOOP)")?;
    let is_idle = !state.written.load(Ordering::Acquire);
    if !is_idle && log.in_log - log.folded < LAG_PAGES {
        return Ok(());
    }
    let log = pages(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    if log.in_log >= LOG_PAGES_MAX && log.folded < log.in_log {
        let _turn = turn.blocking_lock();
        pages(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    }
    Ok(())
}

struct Pages {
    in_log: i64,
    folded: i64,
}

fn pages(connection: &Connection, pragma: &str) -> Result<Pages> {
    let mut statement = connection.prepare_cached(pragma)?;
    Ok(statement.query_row([], |row| Ok(Pages { in_log: row.get(1)?, folded: row.get(2)? }))?)
}
