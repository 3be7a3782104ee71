//! Where the artifacts of things are, as they say it themselves: an artifact URI.

use tiegel_types::Name;

use crate::db::Value;
use crate::{Result, Store};

impl Store {
    /// Of a run of a project, deleted or not.
    #[tracing::instrument(name = "db.artifacts.root_of_run", level = "debug", skip_all)]
    pub async fn run_artifact_uri(&self, project: &Name, run: &str) -> Result<Option<String>> {
        self.artifact_uri("SELECT artifact_uri FROM runs WHERE project = $1 AND run_id = $2", (project, run), None)
            .await
    }

    /// Of a logged model that is not deleted.
    #[tracing::instrument(name = "db.artifacts.root_of_model", level = "debug", skip_all)]
    pub async fn logged_model_artifact_uri(&self, project: &Name, model_id: &str) -> Result<Option<String>> {
        let sql = "SELECT m.artifact_location FROM logged_models m JOIN experiments e ON e.id = m.experiment_id \
                   WHERE e.project = $1 AND m.model_id = $2 AND m.lifecycle = 'active'";
        self.artifact_uri(sql, (project, model_id), None).await
    }

    /// Of a version of a registered model.
    #[tracing::instrument(name = "db.artifacts.root_of_version", level = "debug", skip_all)]
    pub async fn model_version_artifact_uri(&self, project: &Name, name: &str, version: i64) -> Result<Option<String>> {
        let sql = "SELECT storage_location FROM model_versions WHERE project = $1 AND name = $2 AND version = $3";
        self.artifact_uri(sql, (project, name), Some(version)).await
    }

    async fn artifact_uri(
        &self,
        sql: &'static str,
        (project, name): (&Name, &str),
        version: Option<i64>,
    ) -> Result<Option<String>> {
        // What could not have been stored does not exist.
        if name.contains('\0') {
            return Ok(None);
        }
        let (project, name) = (project.clone(), name.to_owned());
        self.query(move |tx| {
            let mut values: Vec<Value<'_>> = vec![project.as_str().into(), (&name).into()];
            values.extend(version.map(Value::from));
            tx.row(sql, &values, |row| row.text(0))
        })
        .await
    }
}
