use std::collections::HashMap;

use tiegel_types::Name;

use crate::db::{Column, Insert, Row, Tx, in_lists};
use crate::traces::seen_experiments;
use crate::{Result, Scope, Store, StoreError};

#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationDatasetRow {
    pub dataset_id: String,
    pub project: Name,
    /// Not unique.
    pub name: String,
    /// JSON: the types of the fields that records have.
    pub schema: Option<String>,
    /// JSON: how many records there are.
    pub profile: Option<String>,
    pub digest: String,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub created_by: Option<String>,
    pub updated_by: Option<String>,
    /// By key.
    pub tags: Vec<(String, String)>,
}

impl Store {
    #[tracing::instrument(name = "db.evaluation.create_dataset", skip_all)]
    pub async fn create_evaluation_dataset(
        &self,
        new: EvaluationDatasetRow,
        experiment_ids: Vec<String>,
    ) -> Result<()> {
        self.transact(move |tx| {
            tx.execute(
                "INSERT INTO evaluation_datasets (dataset_id, project, name, schema, profile, digest, created_ms, \
                 updated_ms, created_by, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                &[
                    (&new.dataset_id).into(),
                    new.project.as_str().into(),
                    (&new.name).into(),
                    (&new.schema).into(),
                    (&new.profile).into(),
                    (&new.digest).into(),
                    new.created_ms.into(),
                    new.updated_ms.into(),
                    (&new.created_by).into(),
                    (&new.updated_by).into(),
                ],
            )?;
            put_tags(tx, &new.dataset_id, &new.tags)?;
            link(tx, &new.dataset_id, &experiment_ids)
        })
        .await
    }

    #[tracing::instrument(name = "db.evaluation.dataset", skip_all)]
    pub async fn evaluation_dataset(&self, scope: &Scope, dataset_id: &str) -> Result<EvaluationDatasetRow> {
        let (scope, id) = (scope.clone(), dataset_id.to_owned());
        let row = self.query(move |tx| one(tx, &scope, &id)).await?;
        row.ok_or_else(|| StoreError::NotFound(format!("Evaluation dataset with id '{dataset_id}' not found")))
    }

    /// With its records. Deleting what is not there is no error.
    #[tracing::instrument(name = "db.evaluation.delete_dataset", skip_all)]
    pub async fn delete_evaluation_dataset(&self, scope: &Scope, dataset_id: &str) -> Result<()> {
        let (scope, dataset_id) = (scope.clone(), dataset_id.to_owned());
        self.transact(move |tx| {
            if one(tx, &scope, &dataset_id)?.is_some() {
                tx.execute("DELETE FROM evaluation_datasets WHERE dataset_id = $1", &[(&dataset_id).into()])?;
            }
            Ok(())
        })
        .await
    }

    #[tracing::instrument(name = "db.evaluation.set_dataset_tags", skip_all)]
    pub async fn set_evaluation_dataset_tags(
        &self,
        scope: &Scope,
        dataset_id: &str,
        tags: Vec<(String, String)>,
    ) -> Result<()> {
        let (scope, dataset_id) = (scope.clone(), dataset_id.to_owned());
        self.transact(move |tx| {
            if one(tx, &scope, &dataset_id)?.is_none() {
                return Err(StoreError::NotFound(format!("Could not find evaluation dataset with ID {dataset_id}")));
            }
            put_tags(tx, &dataset_id, &tags)
        })
        .await
    }

    #[tracing::instrument(name = "db.evaluation.delete_dataset_tag", skip_all)]
    pub async fn delete_evaluation_dataset_tag(&self, scope: &Scope, dataset_id: &str, key: &str) -> Result<()> {
        let (scope, dataset_id, key) = (scope.clone(), dataset_id.to_owned(), key.to_owned());
        self.transact(move |tx| {
            if one(tx, &scope, &dataset_id)?.is_some() {
                let sql = "DELETE FROM evaluation_dataset_tags WHERE dataset_id = $1 AND key = $2";
                tx.execute(sql, &[(&dataset_id).into(), (&key).into()])?;
            }
            Ok(())
        })
        .await
    }

    #[tracing::instrument(name = "db.evaluation.dataset_experiments", skip_all)]
    pub async fn evaluation_dataset_experiments(&self, scope: &Scope, dataset_id: &str) -> Result<Vec<String>> {
        let (scope, dataset_id) = (scope.clone(), dataset_id.to_owned());
        self.query(move |tx| {
            if one(tx, &scope, &dataset_id)?.is_none() {
                return Ok(Vec::new());
            }
            let sql = "SELECT experiment_id FROM evaluation_dataset_experiments WHERE dataset_id = $1 \
                       ORDER BY LENGTH(experiment_id), experiment_id";
            tx.rows(sql, &[(&dataset_id).into()], |row| row.text(0))
        })
        .await
    }

    /// Answers the dataset as it is then.
    #[tracing::instrument(name = "db.evaluation.add_experiments", skip_all)]
    pub async fn add_evaluation_dataset_experiments(
        &self,
        scope: &Scope,
        dataset_id: &str,
        experiment_ids: Vec<String>,
        now_ms: i64,
    ) -> Result<EvaluationDatasetRow> {
        let (scope, dataset_id) = (scope.clone(), dataset_id.to_owned());
        self.transact(move |tx| {
            check(tx, &scope, &dataset_id)?;
            let ids: Vec<i64> = experiment_ids.iter().filter_map(|id| id.parse().ok()).collect();
            let seen = seen_experiments(tx, &scope, &ids)?;
            let is_missing = |id: &&String| !id.parse().is_ok_and(|id: i64| seen.contains(&id));
            if let Some(id) = experiment_ids.iter().find(is_missing) {
                return Err(StoreError::NotFound(format!("No Experiment with id={id}")));
            }
            link(tx, &dataset_id, &experiment_ids)?;
            touch(tx, &scope, &dataset_id, now_ms)
        })
        .await
    }

    /// Those that it is not in are left out. Answers the dataset as it is then.
    #[tracing::instrument(name = "db.evaluation.remove_experiments", skip_all)]
    pub async fn remove_evaluation_dataset_experiments(
        &self,
        scope: &Scope,
        dataset_id: &str,
        experiment_ids: Vec<String>,
        now_ms: i64,
    ) -> Result<EvaluationDatasetRow> {
        let (scope, dataset_id) = (scope.clone(), dataset_id.to_owned());
        self.transact(move |tx| {
            let row = check(tx, &scope, &dataset_id)?;
            let ids: Vec<&str> = experiment_ids.iter().map(String::as_str).collect();
            let mut gone = 0;
            for (places, mut values) in in_lists(&ids, 2) {
                let sql = format!(
                    "DELETE FROM evaluation_dataset_experiments WHERE dataset_id = $1 AND experiment_id IN ({places})"
                );
                values.insert(0, (&dataset_id).into());
                gone += tx.execute(&sql, &values)?;
            }
            if gone > 0 { touch(tx, &scope, &dataset_id, now_ms) } else { Ok(row) }
        })
        .await
    }
}

const COLUMNS: &str = "d.dataset_id, d.project, d.name, d.schema, d.profile, d.digest, d.created_ms, d.updated_ms, \
     d.created_by, d.updated_by";

fn read(row: &Row<'_>) -> Result<EvaluationDatasetRow> {
    Ok(EvaluationDatasetRow {
        dataset_id: row.text(0)?,
        project: row.parsed(1)?,
        name: row.text(2)?,
        schema: row.text_opt(3)?,
        profile: row.text_opt(4)?,
        digest: row.text(5)?,
        created_ms: row.int(6)?,
        updated_ms: row.int(7)?,
        created_by: row.text_opt(8)?,
        updated_by: row.text_opt(9)?,
        tags: Vec::new(),
    })
}

fn with_tags(tx: &mut Tx<'_>, mut rows: Vec<EvaluationDatasetRow>) -> Result<Vec<EvaluationDatasetRow>> {
    let names: Vec<String> = rows.iter().map(|row| row.dataset_id.clone()).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    let at: HashMap<&str, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    for (places, values) in in_lists(&ids, 1) {
        let sql = format!(
            "SELECT dataset_id, key, value FROM evaluation_dataset_tags WHERE dataset_id IN ({places}) \
             ORDER BY dataset_id, key"
        );
        tx.for_each(&sql, &values, |row| {
            if let Some(at) = at.get(row.str(0)?) {
                rows[*at].tags.push((row.text(1)?, row.text(2)?));
            }
            Ok(())
        })?;
    }
    Ok(rows)
}

/// In the order of the ids.
pub(super) fn rows_of(tx: &mut Tx<'_>, dataset_ids: &[String]) -> Result<Vec<EvaluationDatasetRow>> {
    let ids: Vec<&str> = dataset_ids.iter().map(String::as_str).collect();
    let mut rows = Vec::with_capacity(ids.len());
    for (places, values) in in_lists(&ids, 1) {
        let sql = format!("SELECT {COLUMNS} FROM evaluation_datasets d WHERE d.dataset_id IN ({places})");
        rows.extend(tx.rows(&sql, &values, |row| read(&row))?);
    }
    rows.sort_by_cached_key(|row| ids.iter().position(|id| *id == row.dataset_id));
    with_tags(tx, rows)
}

pub(super) fn one(tx: &mut Tx<'_>, scope: &Scope, dataset_id: &str) -> Result<Option<EvaluationDatasetRow>> {
    let sql = format!("SELECT {COLUMNS} FROM evaluation_datasets d WHERE d.dataset_id = $1");
    let mut rows = tx.rows(&sql, &[dataset_id.into()], |row| read(&row))?;
    rows.retain(|row| scope.sees(row.project.as_str()));
    Ok(with_tags(tx, rows)?.pop())
}

fn check(tx: &mut Tx<'_>, scope: &Scope, dataset_id: &str) -> Result<EvaluationDatasetRow> {
    one(tx, scope, dataset_id)?.ok_or_else(|| StoreError::NotFound(format!("Dataset '{dataset_id}' not found")))
}

fn touch(tx: &mut Tx<'_>, scope: &Scope, dataset_id: &str, now_ms: i64) -> Result<EvaluationDatasetRow> {
    let sql = "UPDATE evaluation_datasets SET updated_ms = $1 WHERE dataset_id = $2";
    tx.execute(sql, &[now_ms.into(), dataset_id.into()])?;
    check(tx, scope, dataset_id)
}

fn put_tags(tx: &mut Tx<'_>, dataset_id: &str, tags: &[(String, String)]) -> Result<()> {
    let insert = Insert {
        table: "evaluation_dataset_tags",
        columns: &["dataset_id", "key", "value"],
        on_conflict: "ON CONFLICT (dataset_id, key) DO UPDATE SET value = excluded.value",
    };
    let keys = Column::Text(tags.iter().map(|(key, _)| key.as_str()).collect());
    let values = Column::Text(tags.iter().map(|(_, value)| value.as_str()).collect());
    tx.insert(&insert, &[Column::Same(dataset_id.into(), tags.len()), keys, values])?;
    Ok(())
}

fn link(tx: &mut Tx<'_>, dataset_id: &str, experiment_ids: &[String]) -> Result<()> {
    let insert = Insert {
        table: "evaluation_dataset_experiments",
        columns: &["dataset_id", "experiment_id"],
        on_conflict: "ON CONFLICT (dataset_id, experiment_id) DO NOTHING",
    };
    let ids = Column::Text(experiment_ids.iter().map(String::as_str).collect());
    tx.insert(&insert, &[Column::Same(dataset_id.into(), experiment_ids.len()), ids])?;
    Ok(())
}
