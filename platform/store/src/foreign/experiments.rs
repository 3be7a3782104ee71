use tiegel_types::transfer::Experiment;

use super::MlflowDatabase;
use super::select::{As, int, pairs, text};
use crate::Result;

impl MlflowDatabase {
    /// By id, deleted ones too.
    pub async fn experiments(&self) -> Result<Vec<Experiment>> {
        let columns = [
            ("experiment_id", As::Int),
            ("name", As::Text),
            ("artifact_location", As::Text),
            ("lifecycle_stage", As::Text),
            ("creation_time", As::Int),
            ("last_update_time", As::Int),
        ];
        let sql = format!(
            "{} WHERE {} ORDER BY experiment_id",
            self.select("experiments", &columns),
            self.in_workspace("experiments", 1)
        );
        let tags = self.has("experiment_tags").then(|| {
            let columns = [("experiment_id", As::Text), ("key", As::Text), ("value", As::Text)];
            format!("{} ORDER BY experiment_id, key", self.select("experiment_tags", &columns))
        });
        let workspace = self.workspace.clone();
        self.read(move |tx| {
            let mut tags = tags.map(|sql| pairs(tx, &sql, &[])).transpose()?.unwrap_or_default();
            tx.rows(&sql, &[(&workspace).into()], |row| {
                let created_ms = int(&row, 4)?;
                Ok(Experiment {
                    id: row.int(0)?,
                    name: row.text(1)?,
                    artifact_location: text(&row, 2)?,
                    deleted: row.text_opt(3)?.as_deref() == Some("deleted"),
                    created_ms,
                    updated_ms: row.int_opt(5)?.unwrap_or(created_ms),
                    tags: tags.remove(&row.int(0)?.to_string()).unwrap_or_default(),
                })
            })
        })
        .await
    }
}
