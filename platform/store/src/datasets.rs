use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::any::AnyRow;
use tiegel_types::{Digest, Name, Profile, Table, TestReport};

use crate::columns::{Columns, json_text};
use crate::projects::lock_project;
use crate::{Result, Store};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetVersionRow {
    pub project: Name,
    pub name: Name,
    /// From 1.
    pub version: u32,
    pub digest: Digest,
    pub table: Table,
    pub profile: Option<Profile>,
    pub tests: Vec<TestReport>,
    pub created_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewDatasetVersion {
    pub project: Name,
    pub name: Name,
    pub digest: Digest,
    pub table: Table,
    pub profile: Option<Profile>,
    pub tests: Vec<TestReport>,
    pub created_ms: i64,
}

macro_rules! select_version {
    ($rest:literal) => {
        concat!(
            "SELECT v.project, v.name, v.version, v.digest, v.\"table\", v.profile, v.tests, v.created_ms ",
            "FROM dataset_versions v ",
            $rest
        )
    };
}

impl Store {
    /// Records a version and makes it the dataset's current one. Content that was recorded before keeps its row.
    #[tracing::instrument(name = "db.datasets.add_version", skip_all)]
    pub async fn add_dataset_version(&self, new: NewDatasetVersion) -> Result<DatasetVersionRow> {
        let what = format!("dataset '{}'", new.name);
        let profile = new.profile.as_ref().map(|profile| json_text(&what, profile)).transpose()?;
        let mut tx = self.begin().await?;
        lock_project(&mut tx, &new.project).await?;
        sqlx::query(
            "INSERT INTO dataset_versions \
             (project, name, version, digest, \"table\", profile, tests, created_ms) \
             SELECT $1, $2, COALESCE(MAX(version), 0) + 1, $3, $4, $5, $6, $7 FROM dataset_versions \
             WHERE project = $1 AND name = $2 ON CONFLICT (project, name, digest) DO NOTHING",
        )
        .bind(new.project.as_str())
        .bind(new.name.as_str())
        .bind(new.digest.to_string())
        .bind(json_text(&what, &new.table)?)
        .bind(profile)
        .bind(json_text(&what, &new.tests)?)
        .bind(new.created_ms)
        .execute(&mut *tx)
        .await?;
        let row: DatasetVersionRow =
            sqlx::query_as(select_version!("WHERE v.project = $1 AND v.name = $2 AND v.digest = $3"))
                .bind(new.project.as_str())
                .bind(new.name.as_str())
                .bind(new.digest.to_string())
                .fetch_one(&mut *tx)
                .await?;
        sqlx::query(
            "INSERT INTO dataset_current (project, name, version) VALUES ($1, $2, $3) \
             ON CONFLICT (project, name) DO UPDATE SET version = excluded.version",
        )
        .bind(new.project.as_str())
        .bind(new.name.as_str())
        .bind(i64::from(row.version))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Without a version: the one that was added last.
    #[tracing::instrument(name = "db.datasets.version", skip_all)]
    pub async fn dataset_version(
        &self,
        project: &Name,
        name: &Name,
        version: Option<u32>,
    ) -> Result<Option<DatasetVersionRow>> {
        let sql = select_version!(
            "WHERE v.project = $1 AND v.name = $2 AND v.version = COALESCE($3, \
             (SELECT c.version FROM dataset_current c WHERE c.project = $1 AND c.name = $2))"
        );
        let query = sqlx::query_as(sql).bind(project.as_str()).bind(name.as_str()).bind(version.map(i64::from));
        Ok(query.fetch_optional(self.read()).await?)
    }

    /// Newest number first.
    #[tracing::instrument(name = "db.datasets.versions", skip_all)]
    pub async fn dataset_versions(&self, project: &Name, name: &Name, limit: u32) -> Result<Vec<DatasetVersionRow>> {
        let sql = select_version!("WHERE v.project = $1 AND v.name = $2 ORDER BY v.version DESC LIMIT $3");
        let query = sqlx::query_as(sql).bind(project.as_str()).bind(name.as_str()).bind(i64::from(limit));
        Ok(query.fetch_all(self.read()).await?)
    }

    /// The current version of each dataset, by name.
    #[tracing::instrument(name = "db.datasets.list", skip_all)]
    pub async fn datasets(&self, project: &Name) -> Result<Vec<DatasetVersionRow>> {
        let sql = select_version!(
            "JOIN dataset_current c ON c.project = v.project AND c.name = v.name AND c.version = v.version \
             WHERE v.project = $1 ORDER BY v.name"
        );
        Ok(sqlx::query_as(sql).bind(project.as_str()).fetch_all(self.read()).await?)
    }
}

impl FromRow<'_, AnyRow> for DatasetVersionRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            project: row.parsed("project")?,
            name: row.parsed("name")?,
            version: row.count("version")?,
            digest: row.parsed("digest")?,
            table: row.json("table")?,
            profile: row.json_opt("profile")?,
            tests: row.json("tests")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use tiegel_types::{ColumnProfile, DType, Field, FileRef, Schema};
    use tokio::task::JoinSet;

    use super::*;
    use crate::StoreError;
    use crate::testing::store_tests;

    fn version(name: &str, rows: u64) -> NewDatasetVersion {
        let field = Field::new("x", DType::Float64);
        let file = FileRef { digest: Digest::of(&rows.to_le_bytes()), bytes: 9, rows };
        let table = Table { schema: Schema::new(vec![field]), files: vec![file], rows };
        NewDatasetVersion {
            project: "flights".parse().unwrap(),
            name: name.parse().unwrap(),
            digest: table.digest(),
            table,
            profile: None,
            tests: vec![TestReport { test: "rows".to_owned(), passed: true, failing_rows: 0, samples: vec![] }],
            created_ms: 7,
        }
    }

    store_tests! {
        async fn content_recorded_again_keeps_its_number_and_becomes_current(store) {
            let project: Name = "flights".parse().unwrap();
            let name: Name = "weather".parse().unwrap();
            store.ensure_project(&project, 1).await.unwrap();
            let first = store.add_dataset_version(version("weather", 1)).await.unwrap();
            let second = store.add_dataset_version(version("weather", 2)).await.unwrap();
            assert_eq!((first.version, second.version), (1, 2));
            assert_eq!(store.dataset_version(&project, &name, None).await.unwrap(), Some(second.clone()));
            let again = store.add_dataset_version(version("weather", 1)).await.unwrap();
            assert_eq!(again, first);
            assert_eq!(store.dataset_version(&project, &name, None).await.unwrap(), Some(first.clone()));
            assert_eq!(store.dataset_version(&project, &name, Some(2)).await.unwrap(), Some(second.clone()));
            assert_eq!(store.dataset_versions(&project, &name, 9).await.unwrap(), [second, first.clone()]);
            let other = store.add_dataset_version(version("airlines", 3)).await.unwrap();
            assert_eq!(store.datasets(&project).await.unwrap(), [other, first]);
            assert_eq!(store.dataset_version(&project, &name, Some(3)).await.unwrap(), None);
        }

        async fn versions_added_at_once_get_distinct_numbers(store) {
            let project: Name = "flights".parse().unwrap();
            store.ensure_project(&project, 1).await.unwrap();
            let adding: JoinSet<_> = (0..8)
                .map(|rows| {
                    let store = store.clone();
                    async move { store.add_dataset_version(version("weather", rows)).await.unwrap().version }
                })
                .collect();
            let mut versions = adding.join_all().await;
            versions.sort();
            assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7, 8]);
        }

        async fn a_profile_that_json_cannot_hold_is_refused(store) {
            store.ensure_project(&"flights".parse().unwrap(), 1).await.unwrap();
            let mut new = version("weather", 1);
            let column = ColumnProfile {
                field: Field::new("x", DType::Float64),
                nulls: 0,
                distinct_approx: 1,
                min: None,
                max: None,
                mean: None,
                quantiles: vec![f64::NAN],
                histogram: vec![],
                top: vec![],
            };
            new.profile = Some(Profile { rows: 1, columns: vec![column] });
            let refused = store.add_dataset_version(new).await.unwrap_err();
            assert!(matches!(&refused, StoreError::Invalid(why) if why.contains("dataset 'weather'")), "{refused}");
        }

        async fn a_dataset_of_no_project_is_refused(store) {
            let refused = store.add_dataset_version(version("weather", 1)).await.unwrap_err();
            assert_eq!(refused.to_string(), "project 'flights' does not exist");
        }
    }
}
