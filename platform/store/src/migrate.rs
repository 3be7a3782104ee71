//! Forward-only migrations, kept in the binary and applied in one transaction.

use sqlx::{AnyConnection, Executor as _, Row as _};
use tiegel_types::Digest;

use crate::pool::Backend;
use crate::{Result, StoreError};

/// The key of the lock under which one of several starting servers migrates Postgres: "tiegel" in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(x'74696567656c'::bigint)";

pub(crate) struct Migration {
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

/// All migrations of this binary, oldest first. A released one is never edited: its checksum is in the databases.
pub(crate) fn known(backend: Backend) -> &'static [Migration] {
    macro_rules! from {
        ($folder:literal: $($version:literal $name:literal $file:literal,)+) => {
            &[$(Migration { version: $version, name: $name, sql: include_str!(concat!("../migrations/", $folder, $file)) }),+]
        };
    }
    macro_rules! all {
        ($folder:literal) => {
            from! { $folder:
                1 "init" "0001_init.sql",
                2 "tracking" "0002_tracking.sql",
                3 "registry" "0003_registry.sql",
                4 "traces" "0004_traces.sql",
                5 "artifacts" "0005_artifacts.sql",
                6 "search" "0006_search.sql",
                7 "gc" "0007_gc.sql",
                8 "workspaces" "0008_workspaces.sql",
                9 "sealed_secrets" "0009_sealed_secrets.sql",
                10 "plugin_distribution" "0010_plugin_distribution.sql",
            }
        };
    }
    match backend {
        Backend::Sqlite => all!("sqlite/"),
        Backend::Postgres => all!("postgres/"),
    }
}

/// Applies those of `migrations` that the database lacks, in the caller's transaction.
pub(crate) async fn up(tx: &mut AnyConnection, backend: Backend, migrations: &[Migration]) -> Result<()> {
    if backend == Backend::Postgres {
        tx.execute(LOCK).await?;
    }
    tx.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations \
         (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)",
    )
    .await?;
    let applied = sqlx::query("SELECT version, name, checksum FROM schema_migrations ORDER BY version")
        .fetch_all(&mut *tx)
        .await?;
    for row in &applied {
        check(row.try_get("version")?, row.try_get("name")?, row.try_get("checksum")?, migrations)?;
    }
    for migration in &migrations[applied.len()..] {
        sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)")
            .bind(migration.version)
            .bind(migration.name)
            .bind(checksum(migration))
            .execute(&mut *tx)
            .await?;
        tracing::info!(version = migration.version, name = migration.name, "applied a database migration");
    }
    Ok(())
}

/// Versions count from 1 without gaps, so what is applied is always the front of the list.
fn check(version: i64, name: &str, sum: &str, migrations: &[Migration]) -> Result<()> {
    match migrations.iter().find(|migration| migration.version == version) {
        None => Err(StoreError::Migration(format!(
            "the database has migration {version} ({name}), which this binary does not know: a newer tiegel made it; \
             start that version or a later one"
        ))),
        Some(known) if checksum(known) != sum => Err(StoreError::Migration(format!(
            "migration {version} ({name}) of the database differs from this binary's: one of them is not a released \
             tiegel; restore the database from a backup or start the binary that made it"
        ))),
        Some(_) => Ok(()),
    }
}

fn checksum(migration: &Migration) -> String {
    Digest::of(migration.sql.as_bytes()).to_string()
}

#[cfg(test)]
mod tests;
