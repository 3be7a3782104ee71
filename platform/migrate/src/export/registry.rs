use std::collections::BTreeSet;

use anyhow::bail;
use reqwest::Method;
use serde_json::json;
use tiegel_types::transfer::{Counts, Record, RegisteredModel, Version};

use super::{Exporter, keyed};
use crate::fields::Fields;
use crate::http::Refused;
use crate::read::models::versions_of;

impl Exporter {
    pub(super) async fn write_registered_model(&mut self, model: &RegisteredModel) -> anyhow::Result<()> {
        self.registered.push(model.name.clone());
        self.counts += Counts::of(&Record::RegisteredModel(Box::new(model.clone())));
        let body = json!({ "name": model.name, "description": model.description, "tags": keyed(&model.tags) });
        match self.target.create("api/2.0/mlflow/registered-models/create", &body).await {
            Err(error) if Refused::is_taken(&error) => self.update_registered_model(model).await?,
            made => drop(made?),
        }
        let there: BTreeSet<u32> =
            versions_of(&self.target, &model.name, is_prompt(model)).await?.into_iter().collect();
        let first_free = there.last().copied().unwrap_or_default() + 1;
        let last = model.versions.iter().map(|version| version.version).max().unwrap_or_default();
        for number in first_free..=last {
            // Versions are few, and there is one at the last number.
            let next = model.versions.iter().filter(|version| version.version >= number).min_by_key(|v| v.version);
            let Some(version) = next else { break };
            self.create_version(&model.name, version, number).await?;
            if version.version != number {
                self.delete_version(&model.name, number).await?;
            }
        }
        for version in &model.versions {
            self.update_version(&model.name, version).await?;
        }
        for (alias, version) in &model.aliases {
            let body = json!({ "name": model.name, "alias": alias, "version": version.to_string() });
            self.target.post("api/2.0/mlflow/registered-models/alias", &body).await?;
        }
        Ok(())
    }

    async fn update_registered_model(&self, model: &RegisteredModel) -> anyhow::Result<()> {
        let body = json!({ "name": model.name, "description": model.description });
        self.target.call(Method::PATCH, "api/2.0/mlflow/registered-models/update", &body).await?;
        for (key, value) in &model.tags {
            let body = json!({ "name": model.name, "key": key, "value": value });
            self.target.post("api/2.0/mlflow/registered-models/set-tag", &body).await?;
        }
        Ok(())
    }

    async fn delete_version(&self, model: &str, number: u32) -> anyhow::Result<()> {
        let body = json!({ "name": model, "version": number.to_string() });
        self.target.call(Method::DELETE, "api/2.0/mlflow/model-versions/delete", &body).await?;
        Ok(())
    }

    /// A server always gives the next number. One that is not wanted goes to a copy of the next version, which is then
    /// deleted: a server refuses a source that is none.
    async fn create_version(&self, model: &str, version: &Version, number: u32) -> anyhow::Result<()> {
        let mut body = json!({
            "name": model,
            "source": self.moved_uri(&version.source),
            "run_link": version.run_link,
            "tags": keyed(&version.tags),
        });
        if let Some(run) = self.runs.get(&version.run_id) {
            body["run_id"] = json!(run);
        }
        if let Some(model_id) = version.logged_model_id.as_ref().and_then(|old| self.models.get(old)) {
            body["model_id"] = json!(model_id);
        }
        if let Some(description) = &version.description {
            body["description"] = json!(description);
        }
        let made = self.target.create("api/2.0/mlflow/model-versions/create", &body).await?;
        let given = made["model_version"].text("version");
        if given == number.to_string() {
            return Ok(());
        }
        if let Ok(given) = given.parse() {
            self.delete_version(model, given).await?;
        }
        bail!(
            "model '{model}' got version {given} in place of {number}: it had versions there that were deleted, whose \
             numbers are not given again; rename or delete that model there, and repeat the command"
        )
    }

    async fn update_version(&self, model: &str, version: &Version) -> anyhow::Result<()> {
        let number = version.version.to_string();
        for (key, value) in &version.tags {
            let body = json!({ "name": model, "version": number, "key": key, "value": value });
            self.target.post("api/2.0/mlflow/model-versions/set-tag", &body).await?;
        }
        if version.stage != "None" {
            let body = json!({
                "name": model,
                "version": number,
                "stage": version.stage,
                "archive_existing_versions": false,
            });
            self.target.post("api/2.0/mlflow/model-versions/transition-stage", &body).await?;
        }
        Ok(())
    }
}

fn is_prompt(model: &RegisteredModel) -> bool {
    model.tags.iter().any(|(key, value)| key == "mlflow.prompt.is_prompt" && value == "true")
}
