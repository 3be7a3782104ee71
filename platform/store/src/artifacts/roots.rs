//! Where the artifacts of things are, as they say it themselves: an artifact URI.

use crate::{Result, Store};

impl Store {
    /// Of a run, deleted or not.
    #[tracing::instrument(name = "db.artifacts.root_of_run", level = "debug", skip_all)]
    pub async fn run_artifact_uri(&self, run: &str) -> Result<Option<String>> {
        self.artifact_uri("SELECT artifact_uri FROM runs WHERE run_id = $1", run, None).await
    }

    /// Of a logged model that is not deleted.
    #[tracing::instrument(name = "db.artifacts.root_of_model", level = "debug", skip_all)]
    pub async fn logged_model_artifact_uri(&self, model_id: &str) -> Result<Option<String>> {
        let sql = "SELECT artifact_location FROM logged_models WHERE model_id = $1 AND lifecycle = 'active'";
        self.artifact_uri(sql, model_id, None).await
    }

    /// Of a version of a registered model.
    #[tracing::instrument(name = "db.artifacts.root_of_version", level = "debug", skip_all)]
    pub async fn model_version_artifact_uri(&self, name: &str, version: i64) -> Result<Option<String>> {
        let sql = "SELECT storage_location FROM model_versions WHERE name = $1 AND version = $2";
        self.artifact_uri(sql, name, Some(version)).await
    }

    async fn artifact_uri(&self, sql: &'static str, name: &str, version: Option<i64>) -> Result<Option<String>> {
        // What could not have been stored does not exist.
        if name.contains('\0') {
            return Ok(None);
        }
        let name = name.to_owned();
        self.query(move |tx| match version {
            Some(version) => tx.row(sql, &[(&name).into(), version.into()], |row| row.text(0)),
            None => tx.row(sql, &[(&name).into()], |row| row.text(0)),
        })
        .await
    }
}
