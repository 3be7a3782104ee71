use std::collections::HashMap;

use super::datasets;
use crate::db::{Column, Insert, Row, Tx, Value, in_lists};
use crate::{Result, Scope, Store, StoreError};

/// One example of a dataset. What is in it is JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordRow {
    pub record_id: String,
    /// Of the inputs: a dataset has each inputs once.
    pub input_hash: String,
    pub inputs: String,
    pub outputs: Option<String>,
    pub expectations: Option<String>,
    pub tags: Option<String>,
    pub source: Option<String>,
    pub source_id: Option<String>,
    pub source_type: Option<String>,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub created_by: Option<String>,
    pub updated_by: Option<String>,
}

/// One record of a request.
pub struct NewRecord {
    pub input_hash: String,
    /// Makes the row from the one with the same inputs, if there is one.
    pub merge: RecordChange,
}

pub type RecordChange = Box<dyn FnOnce(Option<RecordRow>) -> RecordRow + Send>;

/// What follows for the dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordsAfter {
    pub schema: Option<String>,
    pub digest: String,
    pub updated_by: Option<String>,
    pub updated_ms: i64,
}

/// Where a page begins and how long it is.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordPage {
    pub dataset_id: String,
    /// The last record of the page before: its time and id.
    pub after: Option<(i64, String)>,
    pub records_max: usize,
}

impl Store {
    /// Answers how many were added and how many changed. `after` is given the dataset's name and schema.
    #[tracing::instrument(name = "db.evaluation.put_records", skip_all)]
    pub async fn put_evaluation_records(
        &self,
        scope: &Scope,
        dataset_id: &str,
        records: Vec<NewRecord>,
        after: impl FnOnce(&str, Option<&str>) -> RecordsAfter + Send + 'static,
    ) -> Result<(u64, u64)> {
        let (scope, dataset_id) = (scope.clone(), dataset_id.to_owned());
        self.transact(move |tx| {
            let dataset = datasets::one(tx, &scope, &dataset_id)?
                .ok_or_else(|| StoreError::NotFound(format!("Evaluation dataset with id '{dataset_id}' not found")))?;
            let hashes: Vec<String> = records.iter().map(|record| record.input_hash.clone()).collect();
            let mut rows = stored(tx, &dataset_id, &hashes)?;
            let (mut added, mut changed) = (0, 0);
            for record in records {
                let old = rows.remove(&record.input_hash);
                *(if old.is_some() { &mut changed } else { &mut added }) += 1;
                rows.insert(record.input_hash, (record.merge)(old));
            }
            put(tx, &dataset_id, &rows.into_values().collect::<Vec<_>>())?;
            let after = after(&dataset.name, dataset.schema.as_deref());
            let profile = profile(count(tx, &dataset_id)?);
            tx.execute(
                "UPDATE evaluation_datasets SET schema = COALESCE($1, schema), digest = $2, updated_by = $3, \
                 updated_ms = $4, profile = $5 WHERE dataset_id = $6",
                &[
                    (&after.schema).into(),
                    (&after.digest).into(),
                    (&after.updated_by).into(),
                    after.updated_ms.into(),
                    (&profile).into(),
                    (&dataset_id).into(),
                ],
            )?;
            Ok((added, changed))
        })
        .await
    }

    /// The oldest first; one more than a page, where there is more.
    #[tracing::instrument(name = "db.evaluation.records", skip_all)]
    pub async fn evaluation_records(&self, scope: &Scope, page: RecordPage) -> Result<Vec<RecordRow>> {
        let scope = scope.clone();
        self.query(move |tx| {
            if datasets::one(tx, &scope, &page.dataset_id)?.is_none() {
                return Ok(Vec::new());
            }
            let (after_ms, after_id) = page.after.unwrap_or((i64::MIN, String::new()));
            let sql = format!(
                "SELECT {COLUMNS} FROM evaluation_dataset_records WHERE dataset_id = $1 AND created_ms >= $2 \
                 AND (created_ms > $2 OR record_id > $3) ORDER BY created_ms, record_id LIMIT $4"
            );
            let limit = i64::try_from(page.records_max).unwrap_or(i64::MAX).saturating_add(1);
            let values = [(&page.dataset_id).into(), after_ms.into(), (&after_id).into(), limit.into()];
            tx.rows(&sql, &values, |row| read(&row))
        })
        .await
    }

    /// Answers how many are gone.
    #[tracing::instrument(name = "db.evaluation.delete_records", skip_all)]
    pub async fn delete_evaluation_records(
        &self,
        scope: &Scope,
        dataset_id: &str,
        record_ids: Vec<String>,
    ) -> Result<u64> {
        let (scope, dataset_id) = (scope.clone(), dataset_id.to_owned());
        self.transact(move |tx| {
            if datasets::one(tx, &scope, &dataset_id)?.is_none() {
                return Ok(0);
            }
            let ids: Vec<&str> = record_ids.iter().map(String::as_str).collect();
            let mut gone = 0;
            for (places, mut values) in in_lists(&ids, 2) {
                let sql =
                    format!("DELETE FROM evaluation_dataset_records WHERE dataset_id = $1 AND record_id IN ({places})");
                values.insert(0, (&dataset_id).into());
                gone += tx.execute(&sql, &values)?;
            }
            if gone > 0 {
                let profile = profile(count(tx, &dataset_id)?);
                let sql = "UPDATE evaluation_datasets SET profile = $1 WHERE dataset_id = $2";
                tx.execute(sql, &[(&profile).into(), (&dataset_id).into()])?;
            }
            Ok(gone)
        })
        .await
    }
}

fn profile(records: i64) -> Option<String> {
    (records > 0).then(|| format!("{{\"num_records\": {records}}}"))
}

fn count(tx: &mut Tx<'_>, dataset_id: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM evaluation_dataset_records WHERE dataset_id = $1";
    Ok(tx.row(sql, &[dataset_id.into()], |row| row.int(0))?.unwrap_or_default())
}

fn stored(tx: &mut Tx<'_>, dataset_id: &str, hashes: &[String]) -> Result<HashMap<String, RecordRow>> {
    let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
    let mut rows = HashMap::new();
    for (places, mut values) in in_lists(&hashes, 2) {
        let sql = format!(
            "SELECT {COLUMNS} FROM evaluation_dataset_records WHERE dataset_id = $1 AND input_hash IN ({places})"
        );
        values.insert(0, dataset_id.into());
        tx.for_each(&sql, &values, |row| {
            let row = read(&row)?;
            rows.insert(row.input_hash.clone(), row);
            Ok(())
        })?;
    }
    Ok(rows)
}

const COLUMNS: &str = "record_id, input_hash, inputs, outputs, expectations, tags, source, source_id, source_type, \
     created_ms, updated_ms, created_by, updated_by";

fn read(row: &Row<'_>) -> Result<RecordRow> {
    Ok(RecordRow {
        record_id: row.text(0)?,
        input_hash: row.text(1)?,
        inputs: row.text(2)?,
        outputs: row.text_opt(3)?,
        expectations: row.text_opt(4)?,
        tags: row.text_opt(5)?,
        source: row.text_opt(6)?,
        source_id: row.text_opt(7)?,
        source_type: row.text_opt(8)?,
        created_ms: row.int(9)?,
        updated_ms: row.int(10)?,
        created_by: row.text_opt(11)?,
        updated_by: row.text_opt(12)?,
    })
}

fn put(tx: &mut Tx<'_>, dataset_id: &str, rows: &[RecordRow]) -> Result<()> {
    let texts = |text: fn(&RecordRow) -> &str| Column::Text(rows.iter().map(text).collect());
    let options = |text: fn(&RecordRow) -> Option<&str>| Column::TextOpt(rows.iter().map(text).collect());
    let columns = [
        ("dataset_id", Column::Same(Value::Text(Some(dataset_id)), rows.len())),
        ("record_id", texts(|row| &row.record_id)),
        ("input_hash", texts(|row| &row.input_hash)),
        ("inputs", texts(|row| &row.inputs)),
        ("outputs", options(|row| row.outputs.as_deref())),
        ("expectations", options(|row| row.expectations.as_deref())),
        ("tags", options(|row| row.tags.as_deref())),
        ("source", options(|row| row.source.as_deref())),
        ("source_id", options(|row| row.source_id.as_deref())),
        ("source_type", options(|row| row.source_type.as_deref())),
        ("created_ms", Column::Int(rows.iter().map(|row| row.created_ms).collect())),
        ("updated_ms", Column::Int(rows.iter().map(|row| row.updated_ms).collect())),
        ("created_by", options(|row| row.created_by.as_deref())),
        ("updated_by", options(|row| row.updated_by.as_deref())),
    ];
    let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let on_conflict = "ON CONFLICT (dataset_id, input_hash) DO UPDATE SET outputs = excluded.outputs, \
         expectations = excluded.expectations, tags = excluded.tags, updated_ms = excluded.updated_ms, \
         updated_by = excluded.updated_by";
    tx.insert(&Insert { table: "evaluation_dataset_records", columns: &names, on_conflict }, &columns)?;
    Ok(())
}
