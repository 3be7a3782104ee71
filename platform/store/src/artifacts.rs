//! The files of artifact trees: where each is, and which blob it is.
//!
//! A path is text that the caller has checked: segments that are not empty, parted by `/`.

mod listing;
mod roots;
mod runs;
mod uploads;

use serde::{Deserialize, Serialize};
use tiegel_types::Digest;

pub use listing::{ArtifactEntry, ArtifactPage};
pub use runs::RunArtifactRow;
pub use uploads::{NewUpload, PartRow, UploadRow};

use crate::db::{Row, Tx, Value};
use crate::{Result, Store, StoreError};

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRow {
    /// Below `mlflow-artifacts:/`.
    pub path: String,
    pub digest: Digest,
    pub bytes: u64,
    pub modified_ms: i64,
}

impl Store {
    /// The same path again replaces it. A file is no folder, and lies in none that is a file.
    #[tracing::instrument(name = "db.artifacts.put", skip_all)]
    pub async fn put_artifact(&self, row: ArtifactRow) -> Result<()> {
        self.transact(move |tx| put(tx, &row)).await
    }

    #[tracing::instrument(name = "db.artifacts.get", level = "debug", skip_all)]
    pub async fn artifact(&self, path: &str) -> Result<Option<ArtifactRow>> {
        let path = path.to_owned();
        let sql = "SELECT path, digest, bytes, modified_ms FROM artifacts WHERE path = $1";
        self.query(move |tx| tx.row(sql, &[(&path).into()], read)).await
    }

    /// Removes a file, or all that lies below a folder; answers how many files that were.
    #[tracing::instrument(name = "db.artifacts.delete", skip_all)]
    pub async fn delete_artifacts(&self, path: &str) -> Result<u64> {
        let path = path.to_owned();
        self.transact(move |tx| {
            let (first, end) = below(&path);
            let file = tx.execute("DELETE FROM artifacts WHERE path = $1", &[(&path).into()])?;
            let inside =
                tx.execute("DELETE FROM artifacts WHERE path > $1 AND path < $2", &[(&first).into(), (&end).into()])?;
            Ok(file + inside)
        })
        .await
    }

    /// The blobs that artifacts are, each once, by digest: those after `after`, at most `limit`.
    #[tracing::instrument(name = "db.artifacts.digests", skip_all)]
    pub async fn artifact_digests(&self, after: Option<Digest>, limit: u32) -> Result<Vec<Digest>> {
        // A digest's text begins with the letters of `sha256:`, so every digest is after the empty text.
        let after = after.map(|digest| digest.to_string()).unwrap_or_default();
        let sql = "SELECT DISTINCT digest FROM artifacts WHERE digest > $1 ORDER BY digest LIMIT $2";
        self.query(move |tx| tx.rows(sql, &[(&after).into(), i64::from(limit).into()], |row| row.parsed(0))).await
    }
}

/// Writes a file's row, in the caller's transaction.
fn put(tx: &mut Tx<'_>, row: &ArtifactRow) -> Result<()> {
    refuse_clash(tx, &row.path)?;
    tx.execute(
        "INSERT INTO artifacts (path, digest, bytes, modified_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (path) \
         DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes, modified_ms = excluded.modified_ms",
        &[(&row.path).into(), (&row.digest.to_string()).into(), (row.bytes as i64).into(), row.modified_ms.into()],
    )?;
    Ok(())
}

/// What no folder of files could hold is refused, so that a tree can be downloaded.
fn refuse_clash(tx: &mut Tx<'_>, path: &str) -> Result<()> {
    let folders: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..at]).collect();
    if !folders.is_empty() {
        let places: Vec<_> = (1..=folders.len()).map(|at| format!("${at}")).collect();
        let sql = format!("SELECT path FROM artifacts WHERE path IN ({})", places.join(", "));
        let values: Vec<Value<'_>> = folders.into_iter().map(Value::from).collect();
        if let Some(file) = tx.row(&sql, &values, |row| row.text(0))? {
            let message = format!("'{file}' is a file, so '{path}' cannot lie in it: choose another path");
            return Err(StoreError::Conflict(message));
        }
    }
    let (first, end) = below(path);
    let sql = "SELECT path FROM artifacts WHERE path > $1 AND path < $2 LIMIT 1";
    match tx.row(sql, &[(&first).into(), (&end).into()], |row| row.text(0))? {
        Some(inside) => Err(StoreError::Conflict(format!(
            "'{path}' is a folder, which holds '{inside}': choose another path for the file, or delete the folder"
        ))),
        None => Ok(()),
    }
}

/// The bounds of what lies below a folder, neither of which does: `0` is the character after `/`.
pub(crate) fn below(folder: &str) -> (String, String) {
    (format!("{folder}/"), format!("{folder}0"))
}

fn read(row: Row<'_>) -> Result<ArtifactRow> {
    Ok(ArtifactRow { path: row.text(0)?, digest: row.parsed(1)?, bytes: row.int(2)? as u64, modified_ms: row.int(3)? })
}

#[cfg(test)]
mod tests;
