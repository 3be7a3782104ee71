//! Postgres: an operation takes a connection to a thread that may wait for it.

mod connections;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{Dispatch, dispatcher};

use super::{Column, Insert, Row, Tx, Value, lost};
use crate::{Result, StoreError};
use connections::{Connections, Lent};

/// Prepared statements that a connection keeps: searches have many.
const STATEMENTS_MAX: usize = 512;

#[derive(Debug)]
pub(crate) struct Postgres(Arc<Connections>);

/// A connection, and the runtime that drives it while its thread waits.
pub(crate) struct Session {
    connection: Lent,
    runtime: Handle,
}

/// What is around the statements of an operation; each command is a way to the server and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Write,
    Read,
    /// Nothing: the operation is one statement, which is a transaction by itself.
    Single,
}

impl Frame {
    fn begin(self) -> Option<&'static str> {
        match self {
            Self::Write => Some("BEGIN"),
            Self::Read => Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            Self::Single => None,
        }
    }
}

impl Postgres {
    pub async fn open(url: &str) -> Result<Self> {
        // A span times each operation. A slow statement is no fault, and sqlx would warn with its whole text.
        let options = url.parse::<PgConnectOptions>()?.disable_statement_logging();
        Ok(Self(Connections::open(options.statement_cache_capacity(STATEMENTS_MAX)).await?))
    }

    pub async fn close(&self) {
        self.0.close().await;
    }

    pub async fn transact<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.run(Frame::Write, operation).await
    }

    pub async fn query<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.run(Frame::Read, operation).await
    }

    /// For an operation that is one statement.
    pub async fn single<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.run(Frame::Single, operation).await
    }

    async fn run<T, F>(&self, frame: Frame, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let session = Session { connection: self.0.lend().await?, runtime: Handle::current() };
        let (sender, answer) = oneshot::channel();
        let span = tracing::Span::current();
        // A caller that went away does not want the answer.
        let work = move || span.in_scope(|| session.run(frame, operation, |result| _ = sender.send(result)));
        tokio::task::spawn_blocking(work);
        answer.await.map_err(|_| lost())?
    }
}

impl Session {
    /// The connection is lent again only where it is known to be in no transaction.
    fn run<T>(
        mut self,
        frame: Frame,
        operation: impl FnOnce(&mut Tx<'_>) -> Result<T>,
        answer: impl FnOnce(Result<T>),
    ) {
        if let Err(error) = frame.begin().map_or(Ok(()), |begin| self.command(begin)) {
            return answer(Err(error));
        }
        let mut tx = Tx::Postgres(self);
        let done = catch_unwind(AssertUnwindSafe(|| operation(&mut tx)));
        let Tx::Postgres(mut session) = tx else { return };
        let end = if matches!(done, Ok(Ok(_))) { "COMMIT" } else { "ROLLBACK" };
        match (frame, done) {
            (_, Err(_)) => answer(Err(lost())),
            (Frame::Write, Ok(result)) => {
                let ended = session.command(end);
                if ended.is_ok() {
                    session.connection.give_back();
                }
                answer(ended.and(result));
            }
            // What was read is read: nobody need wait for the end.
            (Frame::Read, Ok(result)) => {
                answer(result);
                if session.command(end).is_ok() {
                    session.connection.give_back();
                }
            }
            (Frame::Single, Ok(result)) => {
                if !matches!(result, Err(StoreError::Database(_))) {
                    session.connection.give_back();
                }
                answer(result);
            }
        }
    }

    fn command(&mut self, sql: &'static str) -> Result<()> {
        self.wait(async |connection| connection.execute(sql).await)?;
        Ok(())
    }

    /// Without the caller's span: sqlx enters and leaves it twice for each row that it reads, and on a page of runs that
    /// took longer than the rows.
    fn wait<T>(&mut self, work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> sqlx::Result<T> {
        let Self { connection, runtime } = self;
        dispatcher::with_default(&Dispatch::none(), || runtime.block_on(work(connection)))
    }

    pub fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let query = bound(sql, values)?;
        Ok(self.wait(async |connection| query.execute(connection).await)?.rows_affected())
    }

    pub fn for_each(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let query = bound(sql, values)?;
        let rows = self.wait(async |connection| query.fetch_all(connection).await)?;
        rows.iter().try_for_each(|row| each(Row::Postgres(row)))
    }

    pub fn insert(&mut self, insert: &Insert<'_>, columns: &[Column<'_>]) -> Result<u64> {
        let rows = columns.first().map_or(0, Column::len);
        let arrays: Vec<_> =
            columns.iter().enumerate().map(|(at, column)| format!("${}::{}[]", at + 1, type_of(column))).collect();
        let sql = format!(
            "INSERT INTO {} ({}) SELECT * FROM UNNEST({}) {}",
            insert.table,
            insert.columns.join(", "),
            arrays.join(", "),
            insert.on_conflict
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for column in columns {
            query = bind_column(query, column, rows)?;
        }
        Ok(self.wait(async |connection| query.execute(connection).await)?.rows_affected())
    }
}

type PgQuery = Query<'static, sqlx::Postgres, PgArguments>;

fn bound(sql: &str, values: &[Value<'_>]) -> Result<PgQuery> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for value in values {
        query = match value {
            Value::Int(value) => query.bind(*value),
            Value::Real(value) => query.bind(*value),
            Value::Text(value) => query.bind(value.map(text).transpose()?),
            Value::Bytes(value) => query.bind(value.map(<[u8]>::to_vec)),
        };
    }
    Ok(query)
}

fn bind_column(query: PgQuery, column: &Column<'_>, rows: usize) -> Result<PgQuery> {
    Ok(match column {
        Column::Int(values) => query.bind(values.clone()),
        Column::IntOpt(values) => query.bind(values.clone()),
        Column::Real(values) => query.bind(values.clone()),
        Column::RealOpt(values) => query.bind(values.clone()),
        Column::Text(values) => query.bind(values.iter().map(|value| text(value)).collect::<Result<Vec<_>>>()?),
        Column::TextOpt(values) => {
            query.bind(values.iter().map(|value| value.map(text).transpose()).collect::<Result<Vec<_>>>()?)
        }
        Column::Bytes(values) => query.bind(values.iter().map(|value| value.to_vec()).collect::<Vec<_>>()),
        Column::Same(Value::Int(value), _) => query.bind(vec![*value; rows]),
        Column::Same(Value::Real(value), _) => query.bind(vec![*value; rows]),
        Column::Same(Value::Text(value), _) => query.bind(vec![value.map(text).transpose()?; rows]),
        Column::Same(Value::Bytes(value), _) => query.bind(vec![value.map(<[u8]>::to_vec); rows]),
    })
}

fn type_of(column: &Column<'_>) -> &'static str {
    match column {
        Column::Int(_) | Column::IntOpt(_) | Column::Same(Value::Int(_), _) => "BIGINT",
        Column::Real(_) | Column::RealOpt(_) | Column::Same(Value::Real(_), _) => "DOUBLE PRECISION",
        Column::Text(_) | Column::TextOpt(_) | Column::Same(Value::Text(_), _) => "TEXT",
        Column::Bytes(_) | Column::Same(Value::Bytes(_), _) => "BYTEA",
    }
}

fn text(text: &str) -> Result<String> {
    if text.contains('\0') {
        return Err(StoreError::nul(text));
    }
    Ok(text.to_owned())
}
