//! Synchronous operations of many statements, on a thread that may wait: [`Store::transact`] and [`Store::query`].
//!
//! On SQLite one thread writes, and all operations that wait when it is free share one commit; each still succeeds or
//! fails alone, behind a savepoint. Readers run beside it. On Postgres each operation has a connection of its own.
//! One SQL text with `$1` serves both.

mod lists;
mod postgres;
mod row;
mod sqlite;
mod value;

use tokio::sync::oneshot;

pub(crate) use lists::in_lists;
pub(crate) use postgres::Postgres;
pub(crate) use row::Row;
pub(crate) use sqlite::{Shared, Sqlite};
pub(crate) use value::{Column, Insert, Value};

use crate::{Result, Store, StoreError};
use postgres::Session;

#[derive(Debug)]
pub(crate) enum Db {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// A connection inside a transaction, or one that only reads.
pub(crate) enum Tx<'c> {
    Sqlite(&'c rusqlite::Connection),
    Postgres(Session),
}

impl Store {
    /// Runs one atomic write. Answers after its commit; an error leaves nothing behind.
    pub(crate) async fn transact<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        match self.db() {
            Db::Sqlite(db) => db.transact(operation).await,
            Db::Postgres(db) => db.transact(operation).await,
        }
    }

    /// As [`Store::transact`], for an operation that is one statement: on Postgres it goes without a transaction's commands.
    pub(crate) async fn single<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        match self.db() {
            Db::Sqlite(db) => db.transact(operation).await,
            Db::Postgres(db) => db.single(operation).await,
        }
    }

    /// Runs an operation that only reads, and sees one state of the database.
    pub(crate) async fn query<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        match self.db() {
            Db::Sqlite(db) => db.query(operation).await,
            Db::Postgres(db) => db.query(operation).await,
        }
    }
}

impl Tx<'_> {
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Tx::Sqlite(_))
    }

    /// Answers how many rows changed.
    pub fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        match self {
            Tx::Sqlite(connection) => sqlite::execute(connection, sql, values),
            Tx::Postgres(session) => session.execute(sql, values),
        }
    }

    /// Hands each row to `each`, in order.
    pub fn for_each(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        mut each: impl FnMut(Row<'_>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Tx::Sqlite(connection) => sqlite::for_each(connection, sql, values, &mut each),
            Tx::Postgres(session) => session.for_each(sql, values, &mut each),
        }
    }

    pub fn rows<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        self.for_each(sql, values, |row| {
            rows.push(read(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row, if there is one.
    pub fn row<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut first = None;
        self.for_each(sql, values, |row| {
            if first.is_none() {
                first = Some(read(row)?);
            }
            Ok(())
        })?;
        Ok(first)
    }

    /// Inserts many rows, given as columns of equal length. Answers how many rows were added or changed.
    ///
    /// With `ON CONFLICT … DO UPDATE` no two of the rows may conflict with each other: Postgres refuses that.
    pub fn insert(&mut self, insert: &Insert<'_>, columns: &[Column<'_>]) -> Result<u64> {
        let rows = columns.first().map_or(0, Column::len);
        debug_assert!(columns.iter().all(|column| column.len() == rows), "columns differ in length");
        if rows == 0 {
            return Ok(0);
        }
        match self {
            Tx::Sqlite(connection) => sqlite::insert(connection, insert, columns),
            Tx::Postgres(session) => session.insert(insert, columns),
        }
    }
}

/// An answer that waits for the commit: called with why the commit failed, if it did.
type Reply = Box<dyn FnOnce(Option<String>) + Send>;

/// One queued operation; it says whether it succeeded, and how to answer after the commit.
type Work = Box<dyn FnOnce(&mut Tx<'_>) -> (bool, Reply) + Send>;

/// Makes an operation one that can wait in a queue.
fn queued<T, F>(operation: F) -> (Work, oneshot::Receiver<Result<T>>)
where
    T: Send + 'static,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let span = tracing::Span::current();
    let work: Work = Box::new(move |tx| {
        let result = span.in_scope(|| operation(tx));
        let ok = result.is_ok();
        let reply: Reply = Box::new(move |failed| {
            let result = match failed {
                Some(why) if ok => Err(StoreError::Engine(why)),
                _ => result,
            };
            // A caller that went away does not want the answer.
            _ = sender.send(result);
        });
        (ok, reply)
    });
    (work, receiver)
}

fn lost() -> StoreError {
    StoreError::Engine("the operation ended without an answer".to_owned())
}

#[cfg(test)]
mod tests;
