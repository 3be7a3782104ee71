use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::any::AnyRow;
use tiegel_types::{Digest, EndpointState, Name};

use crate::columns::{Columns, message, value_text};
use crate::error::Referring;
use crate::{Result, Store, StoreError};

/// What an endpoint serves, as its reconciler last saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointStatusRow {
    /// Unique in the server.
    pub name: Name,
    pub project: Name,
    pub state: EndpointState,
    pub live_version: Option<u32>,
    pub live_bundle: Option<Digest>,
    /// Why it is not as its document asks.
    pub message: Option<String>,
    /// The report of the last skew replay.
    pub replay: Option<serde_json::Value>,
    pub updated_ms: i64,
}

macro_rules! select_status {
    ($rest:literal) => {
        concat!(
            "SELECT name, project, state, live_version, live_bundle, message, replay, updated_ms FROM endpoints_status ",
            $rest
        )
    };
}

impl Store {
    #[tracing::instrument(name = "db.endpoints.put_status", skip_all, fields(name = %row.name, state = %row.state))]
    pub async fn put_endpoint_status(&self, row: EndpointStatusRow) -> Result<()> {
        let done = sqlx::query(
            "INSERT INTO endpoints_status \
             (name, project, state, live_version, live_bundle, message, replay, updated_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO UPDATE SET state = excluded.state, \
             live_version = excluded.live_version, live_bundle = excluded.live_bundle, message = excluded.message, \
             replay = excluded.replay, updated_ms = excluded.updated_ms \
             WHERE endpoints_status.project = excluded.project",
        )
        .bind(row.name.as_str())
        .bind(row.project.as_str())
        .bind(row.state.as_str())
        .bind(row.live_version.map(i64::from))
        .bind(row.live_bundle.map(|digest| digest.to_string()))
        .bind(row.message.as_deref().map(message))
        .bind(row.replay.as_ref().map(value_text))
        .bind(row.updated_ms)
        .execute(&mut *self.write().await?)
        .await
        .referring_to(|| format!("project '{}'", row.project))?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict(format!(
                "endpoint '{}' belongs to another project; endpoint names are unique in a server",
                row.name
            )));
        }
        Ok(())
    }

    #[tracing::instrument(name = "db.endpoints.status", skip_all)]
    pub async fn endpoint_status(&self, name: &Name) -> Result<Option<EndpointStatusRow>> {
        let sql = select_status!("WHERE name = $1");
        Ok(sqlx::query_as(sql).bind(name.as_str()).fetch_optional(self.read()).await?)
    }

    /// By name.
    #[tracing::instrument(name = "db.endpoints.statuses", skip_all)]
    pub async fn endpoint_statuses(&self) -> Result<Vec<EndpointStatusRow>> {
        Ok(sqlx::query_as(select_status!("ORDER BY name")).fetch_all(self.read()).await?)
    }

    #[tracing::instrument(name = "db.endpoints.delete_status", skip_all)]
    pub async fn delete_endpoint_status(&self, name: &Name) -> Result<()> {
        let sql = "DELETE FROM endpoints_status WHERE name = $1";
        sqlx::query(sql).bind(name.as_str()).execute(&mut *self.write().await?).await?;
        Ok(())
    }
}

impl FromRow<'_, AnyRow> for EndpointStatusRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            name: row.parsed("name")?,
            project: row.parsed("project")?,
            state: row.parsed("state")?,
            live_version: row.count_opt("live_version")?,
            live_bundle: row.parsed_opt("live_bundle")?,
            message: row.text_opt("message")?,
            replay: row.json_opt("replay")?,
            updated_ms: row.int("updated_ms")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store_tests;

    store_tests! {
        async fn a_status_is_replaced_within_its_project_only(store) {
            for project in ["a", "b"] {
                store.ensure_project(&project.parse().unwrap(), 1).await.unwrap();
            }
            let mut row = EndpointStatusRow {
                name: "delay".parse().unwrap(),
                project: "a".parse().unwrap(),
                state: EndpointState::Pending,
                live_version: None,
                live_bundle: None,
                message: Some("no alias 'champion'".to_owned()),
                replay: None,
                updated_ms: 1,
            };
            store.put_endpoint_status(row.clone()).await.unwrap();
            assert_eq!(store.endpoint_status(&row.name).await.unwrap(), Some(row.clone()));
            row.state = EndpointState::Ready;
            (row.live_version, row.live_bundle) = (Some(3), Some(Digest::of(b"bundle")));
            (row.message, row.replay, row.updated_ms) = (None, Some(serde_json::json!({ "rows": 9 })), 2);
            store.put_endpoint_status(row.clone()).await.unwrap();
            assert_eq!(store.endpoint_statuses().await.unwrap(), [row.clone()]);
            let stolen = EndpointStatusRow { project: "b".parse().unwrap(), ..row.clone() };
            let refused = store.put_endpoint_status(stolen).await.unwrap_err();
            assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("another project")), "{refused}");
            store.delete_endpoint_status(&row.name).await.unwrap();
            assert_eq!(store.endpoint_status(&row.name).await.unwrap(), None);
        }
    }
}
