//! Postgres: an operation takes a connection of the pool to a thread that may wait for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};
use tokio::runtime::Handle;

use super::{Column, Insert, Row, Tx, Value, lost};
use crate::{Result, StoreError};

/// Connections for operations; plain statements have a pool of their own.
const CONNECTIONS_MAX: u32 = 16;

#[derive(Debug)]
pub(crate) struct Postgres(PgPool);

/// A connection, and the runtime that drives it while its thread waits.
pub(crate) struct Session {
    connection: PoolConnection<sqlx::Postgres>,
    runtime: Handle,
}

impl Postgres {
    pub async fn open(url: &str) -> Result<Self> {
        Ok(Self(PgPoolOptions::new().max_connections(CONNECTIONS_MAX).connect(url).await?))
    }

    pub async fn close(&self) {
        self.0.close().await;
    }

    pub async fn transact<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.run("BEGIN", operation).await
    }

    pub async fn query<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", operation).await
    }

    async fn run<T, F>(&self, begin: &'static str, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let mut session = Session { connection: self.0.acquire().await?, runtime: Handle::current() };
        let span = tracing::Span::current();
        let work = move || {
            span.in_scope(|| {
                session.command(begin)?;
                let mut tx = Tx::Postgres(session);
                let result = catch_unwind(AssertUnwindSafe(|| operation(&mut tx))).unwrap_or_else(|_| Err(lost()));
                let Tx::Postgres(mut session) = tx else { return result };
                let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
                // A connection in an unknown state does not go back to the pool.
                session.command(end).inspect_err(|_| session.connection.close_on_drop())?;
                result
            })
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| lost())?
    }
}

impl Session {
    fn command(&mut self, sql: &'static str) -> Result<()> {
        self.runtime.block_on(self.connection.execute(sql))?;
        Ok(())
    }

    pub fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let query = bound(sql, values)?;
        Ok(self.runtime.block_on(query.execute(&mut *self.connection))?.rows_affected())
    }

    pub fn for_each(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let query = bound(sql, values)?;
        let rows = self.runtime.block_on(query.fetch_all(&mut *self.connection))?;
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
        Ok(self.runtime.block_on(query.execute(&mut *self.connection))?.rows_affected())
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
