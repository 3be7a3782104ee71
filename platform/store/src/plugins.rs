use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::any::AnyRow;
use tiegel_types::{Digest, Name, PluginDescriptor};

use crate::audit::{self, NewAudit};
use crate::columns::{Columns, json_text, size};
use crate::error::Referring;
use crate::{Result, Store, StoreError, versions};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginRow {
    pub project: Name,
    pub name: Name,
    pub version: String,
    pub digest: Digest,
    pub descriptor: PluginDescriptor,
    /// Of the component.
    pub bytes: u64,
    pub created_ms: i64,
    /// Why no new step should use it, where somebody said so.
    pub deprecation: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewPlugin {
    pub project: Name,
    pub name: Name,
    pub version: String,
    pub digest: Digest,
    pub descriptor: PluginDescriptor,
    pub bytes: u64,
    pub created_ms: i64,
}

impl Store {
    /// Records a plugin. The same content again answers the row it has; `name@version` never changes its content.
    #[tracing::instrument(name = "db.plugins.add", skip_all)]
    pub async fn add_plugin(&self, new: NewPlugin) -> Result<PluginRow> {
        let descriptor = json_text(&format!("plugin '{}'", new.name), &new.descriptor)?;
        sqlx::query(
            "INSERT INTO plugins (project, name, version, digest, descriptor, bytes, created_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (project, name, version) DO NOTHING",
        )
        .bind(new.project.as_str())
        .bind(new.name.as_str())
        .bind(new.version.as_str())
        .bind(new.digest.to_string())
        .bind(descriptor)
        .bind(size(new.bytes))
        .bind(new.created_ms)
        .execute(&mut *self.write().await?)
        .await
        .referring_to(|| format!("project '{}'", new.project))?;
        let stored = self.plugin(&new.project, &new.name, Some(&new.version), None).await?;
        match stored {
            Some(row) if row.digest == new.digest => Ok(row),
            _ => Err(StoreError::Conflict(format!(
                "plugin {}@{} is immutable; raise the version to publish other content",
                new.name, new.version
            ))),
        }
    }

    /// The plugin with that version and that digest, each where given; among several the highest version.
    #[tracing::instrument(name = "db.plugins.get", skip_all)]
    pub async fn plugin(
        &self,
        project: &Name,
        name: &Name,
        version: Option<&str>,
        digest: Option<&Digest>,
    ) -> Result<Option<PluginRow>> {
        let rows: Vec<PluginRow> = sqlx::query_as(
            "SELECT project, name, version, digest, descriptor, bytes, created_ms, deprecation FROM plugins \
             WHERE project = $1 AND name = $2 AND version = COALESCE($3, version) AND digest = COALESCE($4, digest)",
        )
        .bind(project.as_str())
        .bind(name.as_str())
        .bind(version.map(str::to_owned))
        .bind(digest.map(Digest::to_string))
        .fetch_all(self.read())
        .await?;
        Ok(rows.into_iter().max_by(|a, b| versions::compare(&a.version, &b.version)))
    }

    #[tracing::instrument(name = "db.plugins.by_digest", skip_all)]
    pub async fn plugin_by_digest(&self, project: &Name, digest: &Digest) -> Result<Option<PluginRow>> {
        let sql = "SELECT project, name, version, digest, descriptor, bytes, created_ms, deprecation FROM plugins \
                   WHERE project = $1 AND digest = $2 ORDER BY name, version LIMIT 1";
        let query = sqlx::query_as(sql).bind(project.as_str()).bind(digest.to_string());
        Ok(query.fetch_optional(self.read()).await?)
    }

    /// All versions of a plugin.
    #[tracing::instrument(name = "db.plugins.versions", skip_all)]
    pub async fn plugin_versions(&self, project: &Name, name: &Name) -> Result<Vec<PluginRow>> {
        let query = sqlx::query_as(
            "SELECT project, name, version, digest, descriptor, bytes, created_ms, deprecation FROM plugins \
             WHERE project = $1 AND name = $2",
        );
        Ok(query.bind(project.as_str()).bind(name.as_str()).fetch_all(self.read()).await?)
    }

    /// By name, then from the lowest version to the highest.
    #[tracing::instrument(name = "db.plugins.list", skip_all)]
    pub async fn plugins(&self, project: &Name) -> Result<Vec<PluginRow>> {
        let mut rows: Vec<PluginRow> = sqlx::query_as(
            "SELECT project, name, version, digest, descriptor, bytes, created_ms, deprecation FROM plugins WHERE project = $1",
        )
        .bind(project.as_str())
        .fetch_all(self.read())
        .await?;
        rows.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| versions::compare(&a.version, &b.version)));
        Ok(rows)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Deprecation {
    pub project: Name,
    pub name: Name,
    pub version: String,
    /// None takes it back.
    pub reason: Option<String>,
    pub actor: String,
    pub at_ms: i64,
}

impl Store {
    /// Says that no new step should use a version, or that it may again. It stays resolvable.
    #[tracing::instrument(name = "db.plugins.deprecate", skip_all)]
    pub async fn deprecate_plugin(&self, change: Deprecation) -> Result<()> {
        self.transact(move |tx| {
            let sql = "UPDATE plugins SET deprecation = $4 WHERE project = $1 AND name = $2 AND version = $3";
            let key = [change.project.as_str().into(), change.name.as_str().into(), (&change.version).into()];
            let changed = tx.execute(sql, &[key[0], key[1], key[2], (&change.reason).into()])?;
            let subject = format!("{}@{}", change.name, change.version);
            if changed == 0 {
                return Err(StoreError::not_found(format!("plugin {subject} of project '{}'", change.project)));
            }
            let action = if change.reason.is_some() { "plugin.deprecate" } else { "plugin.restore" };
            let audit = NewAudit {
                at_ms: change.at_ms,
                actor: change.actor,
                action: action.to_owned(),
                project: Some(change.project),
                subject,
                detail: serde_json::json!({ "reason": change.reason }),
            };
            audit::append(tx, &audit)
        })
        .await
    }
}

impl FromRow<'_, AnyRow> for PluginRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            project: row.parsed("project")?,
            name: row.parsed("name")?,
            version: row.text("version")?,
            digest: row.parsed("digest")?,
            descriptor: row.json("descriptor")?,
            bytes: row.count("bytes")?,
            created_ms: row.int("created_ms")?,
            deprecation: row.text_opt("deprecation")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store_tests;

    fn plugin(version: &str, content: &str) -> NewPlugin {
        let descriptor = PluginDescriptor {
            name: "one-hot".to_owned(),
            version: version.to_owned(),
            summary: String::new(),
            config_schema: serde_json::json!({}),
            row_wise: true,
            preferred_rows: 0,
            state_version: 1,
            fits: true,
        };
        NewPlugin {
            project: "flights".parse().unwrap(),
            name: "one-hot".parse().unwrap(),
            version: version.to_owned(),
            digest: Digest::of(content.as_bytes()),
            descriptor,
            bytes: 42,
            created_ms: 3,
        }
    }

    store_tests! {
        async fn the_highest_version_is_the_default(store) {
            let project: Name = "flights".parse().unwrap();
            let name: Name = "one-hot".parse().unwrap();
            store.ensure_project(&project, 1).await.unwrap();
            for version in ["0.9.0", "0.10.0", "0.10.0-rc.1"] {
                store.add_plugin(plugin(version, version)).await.unwrap();
            }
            let version = |row: Option<PluginRow>| row.unwrap().version;
            assert_eq!(version(store.plugin(&project, &name, None, None).await.unwrap()), "0.10.0");
            assert_eq!(version(store.plugin(&project, &name, Some("0.9.0"), None).await.unwrap()), "0.9.0");
            let digest = Digest::of(b"0.10.0-rc.1");
            assert_eq!(version(store.plugin(&project, &name, None, Some(&digest)).await.unwrap()), "0.10.0-rc.1");
            assert_eq!(version(store.plugin_by_digest(&project, &digest).await.unwrap()), "0.10.0-rc.1");
            assert_eq!(store.plugin(&project, &name, Some("0.9.0"), Some(&digest)).await.unwrap(), None);
            let listed: Vec<_> = store.plugins(&project).await.unwrap().into_iter().map(|row| row.version).collect();
            assert_eq!(listed, ["0.9.0", "0.10.0-rc.1", "0.10.0"]);
        }

        async fn a_deprecated_version_says_why_and_stays_resolvable(store) {
            let (project, name): (Name, Name) = ("flights".parse().unwrap(), "one-hot".parse().unwrap());
            store.ensure_project(&project, 1).await.unwrap();
            store.add_plugin(plugin("1.0.0", "a")).await.unwrap();
            let change = |version: &str, reason: Option<&str>| Deprecation {
                project: project.clone(),
                name: name.clone(),
                version: version.to_owned(),
                reason: reason.map(str::to_owned),
                actor: "local".to_owned(),
                at_ms: 5,
            };
            store.deprecate_plugin(change("1.0.0", Some("use 2.0.0"))).await.unwrap();
            let row = store.plugin(&project, &name, None, None).await.unwrap().unwrap();
            assert_eq!(row.deprecation.as_deref(), Some("use 2.0.0"));
            store.deprecate_plugin(change("1.0.0", None)).await.unwrap();
            assert_eq!(store.plugins(&project).await.unwrap()[0].deprecation, None);
            let actions: Vec<_> = store.audit(9, None).await.unwrap().into_iter().map(|row| row.action).collect();
            assert_eq!(actions, ["plugin.restore", "plugin.deprecate"]);
            let missing = store.deprecate_plugin(change("2.0.0", None)).await.unwrap_err();
            assert!(missing.to_string().contains("plugin one-hot@2.0.0 of project 'flights' does not exist"), "{missing}");
        }

        async fn a_published_version_never_changes(store) {
            store.ensure_project(&"flights".parse().unwrap(), 1).await.unwrap();
            let first = store.add_plugin(plugin("1.0.0", "a")).await.unwrap();
            assert_eq!(store.add_plugin(plugin("1.0.0", "a")).await.unwrap(), first);
            let refused = store.add_plugin(plugin("1.0.0", "b")).await.unwrap_err();
            assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("immutable; raise the version")), "{refused}");
        }
    }
}
