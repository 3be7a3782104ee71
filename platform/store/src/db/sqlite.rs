//! SQLite: one thread that writes, a few connections that read, and a thread that folds the log into the file.

mod checkpoint;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{CachedStatement, Connection, OpenFlags};
use tokio::sync::{Mutex as Turn, Semaphore, mpsc};

use super::{Column, Insert, Reply, Row, Tx, Value, Work, lost, queued};
use crate::tracking::Keys;
use crate::{Durability, Result, StoreError};

pub(crate) use checkpoint::Checkpoints;

/// Connections that read at once.
const READERS_MAX: usize = 4;
/// Operations that wait for the writer; more wait to be queued.
const WAITING_MAX: usize = 4_096;
/// Operations in one commit.
const GROUP_LEN_MAX: usize = 256;
/// Prepared statements that a connection keeps.
const STATEMENTS_MAX: usize = 256;

// The log is folded by a thread of its own, never by a commit. What an operation changed is kept in memory for taking it
// back: a temporary file for it costs more than the operation.
const WRITER: &str = "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0; \
                      PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;";
const READER: &str = "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA cache_size = -4096;";

#[derive(Debug)]
pub(crate) struct Sqlite {
    writer: Mutex<Option<Writer>>,
    readers: Arc<Readers>,
    checkpoints: Checkpoints,
}

/// What the threads share with the rest.
pub(crate) struct Shared {
    /// Held while somebody writes, so that all writers of this process take turns in order of arrival.
    pub turn: Arc<Turn<()>>,
    pub keys: Arc<Keys>,
    pub durability: Durability,
}

#[derive(Debug)]
struct Writer {
    queue: mpsc::Sender<Work>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Readers {
    free: Mutex<VecDeque<Connection>>,
    permits: Semaphore,
}

impl Sqlite {
    pub fn open(path: &Path, shared: Shared) -> Result<Self> {
        let Shared { turn, keys, durability } = shared;
        let connection = connect(path, WRITER)?;
        connection.execute_batch(durability.pragma())?;
        let readers = (0..READERS_MAX).map(|_| connect(path, READER)).collect::<Result<_>>()?;
        let checkpoints = Checkpoints::start(connect(path, WRITER)?, turn.clone())?;
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let wake = checkpoints.wake();
        let writing = move || {
            write_all(&connection, waiting, &turn, |committed| match committed {
                true => wake.wake(),
                // What was read in the meantime may never have been.
                false => keys.clear(),
            })
        };
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(writing)
            .map_err(|error| StoreError::Engine(format!("cannot start the writer: {error}")))?;
        let readers = Readers { free: Mutex::new(readers), permits: Semaphore::new(READERS_MAX) };
        Ok(Self { writer: Mutex::new(Some(Writer { queue, thread })), readers: Arc::new(readers), checkpoints })
    }

    /// To be called where somebody else wrote.
    pub fn written(&self) {
        self.checkpoints.wake().wake();
    }

    pub async fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Writer { queue, thread }) = writer {
            drop(queue);
            // The thread ends once its queue is empty; a panic of it was reported to the caller then.
            _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        self.checkpoints.stop().await;
        self.readers.permits.close();
        self.readers.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub async fn transact<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (work, answer) = queued(operation);
        let queue = self.writer.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|w| w.queue.clone());
        let queue = queue.ok_or_else(closed)?;
        queue.send(work).await.map_err(|_| closed())?;
        answer.await.map_err(|_| lost())?
    }

    pub async fn query<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let readers = self.readers.clone();
        let permit = readers.permits.acquire().await.map_err(|_| closed())?;
        let connection = readers.free.lock().unwrap_or_else(PoisonError::into_inner).pop_front().ok_or_else(closed)?;
        let span = tracing::Span::current();
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| read(&connection, operation))));
            (connection, result.unwrap_or_else(|_| Err(lost())))
        };
        let (connection, result) = tokio::task::spawn_blocking(work).await.map_err(|_| lost())?;
        self.readers.free.lock().unwrap_or_else(PoisonError::into_inner).push_front(connection);
        drop(permit);
        result
    }
}

fn connect(path: &Path, pragmas: &str) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch(pragmas)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

fn read<T>(connection: &Connection, operation: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
    connection.execute_batch("BEGIN")?;
    let result = catch_unwind(AssertUnwindSafe(|| operation(&mut Tx::Sqlite(connection))));
    connection.execute_batch("ROLLBACK")?;
    result.unwrap_or_else(|_| Err(lost()))
}

fn write_all(connection: &Connection, mut waiting: mpsc::Receiver<Work>, turn: &Turn<()>, after: impl Fn(bool)) {
    while let Some(first) = waiting.blocking_recv() {
        let turn = turn.blocking_lock();
        let mut replies = Vec::new();
        let committed = write_group(connection, first, &mut waiting, &mut replies);
        drop(turn);
        after(committed.is_ok());
        let failed = committed.err().map(|error| {
            tracing::error!(%error, operations = replies.len(), "cannot commit");
            // Fails where there is no transaction left, which is what it is for.
            _ = connection.execute_batch("ROLLBACK");
            error.to_string()
        });
        for reply in replies {
            reply(failed.clone());
        }
    }
}

fn write_group(
    connection: &Connection,
    first: Work,
    waiting: &mut mpsc::Receiver<Work>,
    replies: &mut Vec<Reply>,
) -> Result<()> {
    step(connection, "BEGIN IMMEDIATE")?;
    let second = waiting.try_recv().ok();
    if second.is_none() {
        // Alone: the transaction is the savepoint.
        let done = catch_unwind(AssertUnwindSafe(|| first(&mut Tx::Sqlite(connection))));
        let end = if matches!(done, Ok((true, _))) { "COMMIT" } else { "ROLLBACK" };
        replies.extend(done.ok().map(|(_, reply)| reply));
        return step(connection, end);
    }
    let mut works = [Some(first), second].into_iter().flatten();
    while let Some(work) = works.next().or_else(|| waiting.try_recv().ok()) {
        step(connection, "SAVEPOINT operation")?;
        // A panic drops the answer's channel, which tells the caller.
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut Tx::Sqlite(connection))));
        if !matches!(done, Ok((true, _))) {
            step(connection, "ROLLBACK TO operation")?;
        }
        step(connection, "RELEASE operation")?;
        replies.extend(done.ok().map(|(_, reply)| reply));
        if replies.len() >= GROUP_LEN_MAX {
            break;
        }
    }
    step(connection, "COMMIT")
}

fn step(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

pub(super) fn execute(connection: &Connection, sql: &str, values: &[Value<'_>]) -> Result<u64> {
    let mut statement = prepare(connection, sql)?;
    bind(&mut statement, values.iter().copied())?;
    Ok(statement.raw_execute()? as u64)
}

pub(super) fn for_each(
    connection: &Connection,
    sql: &str,
    values: &[Value<'_>],
    each: &mut dyn FnMut(Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut statement = prepare(connection, sql)?;
    bind(&mut statement, values.iter().copied())?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        each(Row::Sqlite(row))?;
    }
    Ok(())
}

pub(super) fn insert(connection: &Connection, insert: &Insert<'_>, columns: &[Column<'_>]) -> Result<u64> {
    let places: Vec<_> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({}) {}",
        insert.table,
        insert.columns.join(", "),
        places.join(", "),
        insert.on_conflict
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut changed = 0;
    for row in 0..columns.first().map_or(0, Column::len) {
        bind(&mut statement, columns.iter().map(|column| column.value(row)))?;
        changed += statement.raw_execute()? as u64;
    }
    Ok(changed)
}

fn prepare<'c>(connection: &'c Connection, sql: &str) -> Result<CachedStatement<'c>> {
    // `$2` is a name to SQLite and takes the next free place; `?2` is the second place, as in Postgres.
    if sql.contains('$') {
        return Ok(connection.prepare_cached(&sql.replace('$', "?"))?);
    }
    Ok(connection.prepare_cached(sql)?)
}

fn bind<'a>(statement: &mut CachedStatement<'_>, values: impl Iterator<Item = Value<'a>>) -> Result<()> {
    for (at, value) in values.enumerate() {
        match value {
            Value::Int(value) => statement.raw_bind_parameter(at + 1, value)?,
            Value::Real(value) => statement.raw_bind_parameter(at + 1, value)?,
            Value::Text(Some(text)) if text.contains('\0') => return Err(StoreError::nul(text)),
            Value::Text(value) => statement.raw_bind_parameter(at + 1, value)?,
            Value::Bytes(value) => statement.raw_bind_parameter(at + 1, value)?,
        }
    }
    Ok(())
}

fn closed() -> StoreError {
    StoreError::Engine("the database is closed".to_owned())
}
