use std::collections::BTreeMap;

use tiegel_types::transfer::{RegisteredModel, Version};

use super::MlflowDatabase;
use super::select::{As, int, pairs, text};
use crate::Result;
use crate::db::{Row, Tx, Value};

/// The stage of versions that were deleted and keep their number.
const DELETED_STAGE: &str = "Deleted_Internal";

const MODEL: [(&str, As); 4] =
    [("name", As::Text), ("description", As::Text), ("creation_time", As::Int), ("last_updated_time", As::Int)];
const MODEL_TAG: [(&str, As); 3] = [("name", As::Text), ("key", As::Text), ("value", As::Text)];
const ALIAS: [(&str, As); 3] = [("name", As::Text), ("alias", As::Text), ("version", As::Int)];
const VERSION: [(&str, As); 11] = [
    ("name", As::Text),
    ("version", As::Int),
    ("description", As::Text),
    ("user_id", As::Text),
    ("current_stage", As::Text),
    ("source", As::Text),
    ("storage_location", As::Text),
    ("run_id", As::Text),
    ("run_link", As::Text),
    ("creation_time", As::Int),
    ("last_updated_time", As::Int),
];

impl MlflowDatabase {
    /// Every registered model and prompt, by name.
    pub async fn registered_models(&self) -> Result<Vec<RegisteredModel>> {
        if !self.has("registered_models") {
            return Ok(Vec::new());
        }
        let (database, workspace) = (self.clone(), self.workspace.clone());
        self.read(move |tx| database.read_models(tx, &[(&workspace).into()])).await
    }

    fn read_models(&self, tx: &mut Tx<'_>, workspace: &[Value<'_>]) -> Result<Vec<RegisteredModel>> {
        let select = |table: &str, columns: &[(&str, As)], order: &str| {
            format!("{} WHERE {} ORDER BY {order}", self.select(table, columns), self.in_workspace(table, 1))
        };
        let mut tags = match self.has("registered_model_tags") {
            true => pairs(tx, &select("registered_model_tags", &MODEL_TAG, "name, key"), workspace)?,
            false => BTreeMap::new(),
        };
        let mut aliases = BTreeMap::<String, Vec<(String, u32)>>::new();
        if self.has("registered_model_aliases") {
            tx.for_each(&select("registered_model_aliases", &ALIAS, "name, alias"), workspace, |row| {
                aliases.entry(row.text(0)?).or_default().push((row.text(1)?, number(&row, 2)?));
                Ok(())
            })?;
        }
        let mut versions = self.read_versions(tx, &select("model_versions", &VERSION, "name, version"), workspace)?;
        tx.rows(&select("registered_models", &MODEL, "name"), workspace, |row| {
            let name = row.text(0)?;
            let (versions, last_version) = versions.remove(&name).unwrap_or_default();
            let created_ms = int(&row, 2)?;
            Ok(RegisteredModel {
                description: text(&row, 1)?,
                created_ms,
                updated_ms: row.int_opt(3)?.unwrap_or(created_ms),
                tags: tags.remove(&name).unwrap_or_default(),
                aliases: aliases.remove(&name).unwrap_or_default(),
                versions,
                last_version,
                name,
            })
        })
    }

    /// By model: its versions and the highest number, that of a deleted version included.
    fn read_versions(
        &self,
        tx: &mut Tx<'_>,
        sql: &str,
        workspace: &[Value<'_>],
    ) -> Result<BTreeMap<String, (Vec<Version>, u32)>> {
        let mut tags = BTreeMap::<(String, u32), Vec<(String, String)>>::new();
        if self.has("model_version_tags") {
            let columns = [("name", As::Text), ("version", As::Int), ("key", As::Text), ("value", As::Text)];
            let table = "model_version_tags";
            let sql = format!(
                "{} WHERE {} ORDER BY name, version, key",
                self.select(table, &columns),
                self.in_workspace(table, 1)
            );
            tx.for_each(&sql, workspace, |row| {
                tags.entry((row.text(0)?, number(&row, 1)?)).or_default().push((row.text(2)?, text(&row, 3)?));
                Ok(())
            })?;
        }
        let mut models = BTreeMap::<String, (Vec<Version>, u32)>::new();
        tx.for_each(sql, workspace, |row| {
            let name = row.text(0)?;
            let version = number(&row, 1)?;
            let tags = tags.remove(&(name.clone(), version)).unwrap_or_default();
            let (versions, last) = models.entry(name).or_default();
            *last = version.max(*last);
            if row.text_opt(4)?.as_deref() != Some(DELETED_STAGE) {
                versions.push(Version { tags, ..read_version(&row)? });
            }
            Ok(())
        })?;
        Ok(models)
    }
}

fn read_version(row: &Row<'_>) -> Result<Version> {
    let source = text(row, 5)?;
    let created_ms = int(row, 9)?;
    Ok(Version {
        version: number(row, 1)?,
        description: row.text_opt(2)?,
        user_id: row.text_opt(3)?,
        stage: row.text_opt(4)?.filter(|stage| !stage.is_empty()).unwrap_or_else(|| "None".to_owned()),
        storage_location: row.text_opt(6)?.unwrap_or_else(|| source.clone()),
        run_id: text(row, 7)?,
        run_link: text(row, 8)?,
        logged_model_id: Version::logged_model_of(&source),
        source,
        created_ms,
        updated_ms: row.int_opt(10)?.unwrap_or(created_ms),
        tags: Vec::new(),
    })
}

fn number(row: &Row<'_>, column: usize) -> Result<u32> {
    Ok(u32::try_from(int(row, column)?).unwrap_or_default())
}
