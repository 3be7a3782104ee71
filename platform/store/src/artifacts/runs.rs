use serde::{Deserialize, Serialize};
use tiegel_types::{Digest, RunId, limits};

use super::{ArtifactRow, below, put};
use crate::db::Tx;
use crate::tracking::{OWN_ARTIFACTS, no_run};
use crate::{Result, Store};

/// A file of a run, by its place in the run's tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunArtifactRow {
    pub run_id: RunId,
    pub path: String,
    pub digest: Digest,
    pub bytes: u64,
}

impl Store {
    /// Adds a file to the tree of a native run, which is where its client-made siblings have theirs. The same path
    /// again replaces it.
    #[tracing::instrument(name = "db.artifacts.put_of_run", skip_all)]
    pub async fn put_run_artifact(&self, run: &RunId, path: &str, digest: &Digest, bytes: u64) -> Result<()> {
        let (run, path, digest) = (run.clone(), path.to_owned(), *digest);
        self.transact(move |tx| {
            let (root, start_ms) = tree(tx, &run)?.ok_or_else(|| no_run(run.as_str()))?;
            // What a training makes is part of its run; when it was written is not kept apart.
            put(tx, &ArtifactRow { path: format!("{root}/{path}"), digest, bytes, modified_ms: start_ms })
        })
        .await
    }

    /// The files in a run's tree, by path, up to a page.
    #[tracing::instrument(name = "db.artifacts.of_run", skip_all)]
    pub async fn run_artifacts(&self, run: &RunId) -> Result<Vec<RunArtifactRow>> {
        let run_id = run.clone();
        self.query(move |tx| {
            let Some((root, _)) = tree(tx, &run_id)? else { return Ok(Vec::new()) };
            let (first, end) = below(&root);
            let sql = "SELECT path, digest, bytes FROM artifacts WHERE path > $1 AND path < $2 ORDER BY path LIMIT $3";
            tx.rows(sql, &[(&first).into(), (&end).into(), (limits::PAGE_ROWS_MAX as i64).into()], |row| {
                Ok(RunArtifactRow {
                    run_id: run_id.clone(),
                    path: row.str(0)?[first.len()..].to_owned(),
                    digest: row.parsed(1)?,
                    bytes: row.int(2)? as u64,
                })
            })
        })
        .await
    }
}

/// The root of a run's tree, and when the run started.
fn tree(tx: &mut Tx<'_>, run: &RunId) -> Result<Option<(String, i64)>> {
    let sql = "SELECT experiment_id, start_ms, artifact_uri FROM runs WHERE run_id = $1";
    tx.row(sql, &[run.as_str().into()], |row| {
        let root = match row.str(2)?.strip_prefix(OWN_ARTIFACTS) {
            Some(path) => path.to_owned(),
            // Somebody put the experiment's files elsewhere, where only clients write.
            None => format!("{}/{run}/artifacts", row.int(0)?),
        };
        Ok((root, row.int(1)?))
    })
}
