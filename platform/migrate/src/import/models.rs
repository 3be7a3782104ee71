use tiegel_types::Digest;
use tiegel_types::transfer::{Counts, LoggedModel, Record, RegisteredModel, Version};

use super::batch::Ended;
use super::{Entry, Importer, model_unit};

impl Importer {
    pub(super) fn take_logged_model(&mut self, mut model: LoggedModel, mark: Digest) -> anyhow::Result<()> {
        let unit = model_unit(&model.model_id);
        self.moved.logged_models.push(model.model_id.clone());
        model.experiment_id = self.number(model.experiment_id)?;
        let uri = model.artifact_location.clone();
        if self.copies_artifacts {
            let place = format!("{}/models/{}/artifacts", model.experiment_id, model.model_id);
            model.artifact_location = self.places.of_tree(&uri, &place);
        }
        if let Some(entry) = self.journal.find(&unit, &mark) {
            self.count(&entry);
            return Ok(());
        }
        let record = Record::LoggedModel(Box::new(model));
        self.batch.end(Ended { unit, mark, counts: Counts::of(&record), uri, run: None });
        self.batch.push(record);
        Ok(())
    }

    /// Registered models are few and change without a trace, so they are written each time.
    pub(super) async fn take_registered_model(&mut self, mut model: RegisteredModel) -> anyhow::Result<()> {
        // Its versions' files may lie in trees that wait.
        self.flush().await?;
        self.moved.registered_models.push(model.name.clone());
        for version in &mut model.versions {
            self.place_version(&model.name, version).await?;
        }
        let record = Record::RegisteredModel(Box::new(model));
        self.counts += Counts::of(&record);
        self.batch.push(record);
        Ok(())
    }

    /// A version's files are mostly those of a run or of a logged model; others are copied to a place of their own.
    async fn place_version(&mut self, model: &str, version: &mut Version) -> anyhow::Result<()> {
        let uri = version.storage_location.clone();
        let has_files = self.copies_artifacts && uri.contains('/') && !self.places.holds(&uri);
        if has_files && matches!(self.trees.find(&uri, None), Ok(Some(_))) {
            let unit = format!("version/{model}/{}", version.version);
            let mark = Digest::of_json(&serde_json::json!([uri, version.created_ms]));
            let place = format!("registered-models/{model}/{}", version.version);
            self.places.of_tree(&uri, &place);
            let entry = match self.journal.find(&unit, &mark) {
                Some(entry) => entry,
                None => {
                    let mut counts = Counts::default();
                    let place = self.copy(&uri, None, &mut counts).await?;
                    let entry = Entry { unit, mark, counts, place, name: None };
                    self.journal.write(entry.clone())?;
                    entry
                }
            };
            self.count(&entry);
        }
        version.source = self.places.moved(&version.source);
        version.storage_location = self.places.moved(&uri);
        Ok(())
    }
}
