use std::collections::HashMap;
use std::sync::Arc;

use super::compact::read_point;
use super::inputs::{DatasetInput, ModelLink, read_datasets, read_models};
use super::keys::one_of;
use super::point::Point;
use super::runs::{NAME_TAG, RunRow, expect_run};
use super::{Keys, Scope, last_of_each, text};
use crate::db::{Row, Tx};
use crate::{Result, Store, StoreError};
use tiegel_types::RunId;

/// Runs whose data one statement reads.
const RUNS_READ_MAX: usize = 256;

/// A run with everything but its histories. In each list, keys that are older in the database come first.
#[derive(Clone, Debug, PartialEq)]
pub struct RunData {
    pub run: RunRow,
    pub metrics: Vec<LatestMetric>,
    pub params: Vec<(Arc<str>, String)>,
    pub tags: Vec<(Arc<str>, String)>,
    pub datasets: Vec<DatasetInput>,
    pub model_inputs: Vec<ModelLink>,
    pub model_outputs: Vec<ModelLink>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LatestMetric {
    pub key: Arc<str>,
    pub point: Point,
}

impl RunData {
    /// What a run has when it was just made: tags.
    pub fn of_new(run: RunRow, tags: Vec<(String, String)>) -> Self {
        let mut data = Self::empty(run);
        let name = (NAME_TAG.to_owned(), data.run.name.clone());
        let tags = [tags, vec![name]].concat();
        data.tags = last_of_each(&tags).into_iter().map(|(key, value)| (Arc::from(key), value.to_owned())).collect();
        data
    }

    fn empty(run: RunRow) -> Self {
        Self {
            run,
            metrics: Vec::new(),
            params: Vec::new(),
            tags: Vec::new(),
            datasets: Vec::new(),
            model_inputs: Vec::new(),
            model_outputs: Vec::new(),
        }
    }
}

impl Store {
    #[tracing::instrument(name = "db.runs.data", skip_all)]
    pub async fn run_data(&self, scope: &Scope, run: &str) -> Result<RunData> {
        let (scope, keys, run) = (scope.clone(), self.keys(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let row = expect_run(tx, &scope, &run)?;
            let mut data = read_run_data(tx, &keys, vec![row])?;
            Ok(data.remove(0))
        };
        self.query(operation).await
    }

    /// By key.
    #[tracing::instrument(name = "db.runs.params", skip_all)]
    pub async fn params(&self, run: &RunId) -> Result<Vec<(String, String)>> {
        let params = self.run_data(&Scope::All, run.as_str()).await?.params;
        let mut params: Vec<_> = params.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        params.sort();
        Ok(params)
    }

    /// By key; the value may be NaN.
    #[tracing::instrument(name = "db.runs.latest_metrics", skip_all)]
    pub async fn latest_metrics(&self, run: &RunId) -> Result<Vec<(String, Point)>> {
        let metrics = self.run_data(&Scope::All, run.as_str()).await?.metrics;
        let mut metrics: Vec<_> = metrics.into_iter().map(|metric| (metric.key.to_string(), metric.point)).collect();
        metrics.sort();
        Ok(metrics)
    }
}

/// What belongs to the runs, in their order; a few statements for many runs.
pub(crate) fn read_run_data(tx: &mut Tx<'_>, keys: &Keys, rows: Vec<RunRow>) -> Result<Vec<RunData>> {
    let mut runs: Vec<RunData> = rows.into_iter().map(RunData::empty).collect();
    for chunk in runs.chunks_mut(RUNS_READ_MAX) {
        let ids: Vec<i64> = chunk.iter().map(|data| data.run.id).collect();
        let mut runs = Runs { places: ids.iter().enumerate().map(|(at, id)| (*id, at)).collect(), chunk };
        let stored = read_stored(tx, &ids)?;
        for (values, list) in [(stored.params, PARAMS), (stored.tags, TAGS)] {
            let names = keys.names(tx, values.iter().map(|(_, key, _)| *key))?;
            for ((run, _, value), key) in values.into_iter().zip(names) {
                runs.of(run, |data| list(data).push((key, value)));
            }
        }
        let names = keys.names(tx, stored.metrics.iter().map(|(_, key, _)| *key))?;
        for ((run, _, point), key) in stored.metrics.into_iter().zip(names) {
            runs.of(run, |data| data.metrics.push(LatestMetric { key, point }));
        }
        if stored.has_datasets {
            for (run, input) in read_datasets(tx, &ids)? {
                runs.of(run, |data| data.datasets.push(input));
            }
        }
        if stored.has_models {
            for (run, is_input, link) in read_models(tx, &ids)? {
                runs.of(run, |data| if is_input { &mut data.model_inputs } else { &mut data.model_outputs }.push(link));
            }
        }
    }
    Ok(runs)
}

type Pairs = Vec<(Arc<str>, String)>;

const PARAMS: fn(&mut RunData) -> &mut Pairs = |data| &mut data.params;
const TAGS: fn(&mut RunData) -> &mut Pairs = |data| &mut data.tags;

struct Runs<'c> {
    places: HashMap<i64, usize>,
    chunk: &'c mut [RunData],
}

impl Runs<'_> {
    fn of(&mut self, run: i64, change: impl FnOnce(&mut RunData)) {
        if let Some(data) = self.places.get(&run).and_then(|at| self.chunk.get_mut(*at)) {
            change(data);
        }
    }
}

/// What runs logged, by run and key.
#[derive(Default)]
struct Stored {
    params: Vec<(i64, i64, String)>,
    tags: Vec<(i64, i64, String)>,
    metrics: Vec<(i64, i64, Point)>,
    has_datasets: bool,
    has_models: bool,
}

/// In one statement, as each is a way to the server on Postgres. The database need not sort what differs in kind.
fn read_stored(tx: &mut Tx<'_>, runs: &[i64]) -> Result<Stored> {
    let (places, values) = one_of(runs, 1);
    let sql = format!(
        "SELECT CAST(0 AS BIGINT), run, key, head, rest, CAST(0 AS BIGINT), CAST(0 AS BIGINT), \
                CAST(0 AS DOUBLE PRECISION), CAST(0 AS BIGINT) FROM run_params WHERE run IN {places} \
         UNION ALL SELECT 1, run, key, head, rest, 0, 0, 0, 0 FROM run_tags WHERE run IN {places} \
         UNION ALL SELECT 2, run, key, '', NULL, timestamp_ms, step, value, is_nan FROM latest_metrics \
                          WHERE run IN {places} \
         UNION ALL SELECT 3, run, 0, '', NULL, 0, 0, 0, 0 FROM run_datasets WHERE run IN {places} \
         UNION ALL SELECT 4, run, 0, '', NULL, 0, 0, 0, 0 FROM run_models WHERE run IN {places}"
    );
    let mut stored = Stored::default();
    tx.for_each(&sql, &values, |row| {
        let (run, key) = (row.int(1)?, row.int(2)?);
        let value = |row: &Row<'_>| Ok::<_, StoreError>((run, key, text::join(row.str(3)?, row.text_opt(4)?)));
        match row.int(0)? {
            0 => stored.params.push(value(&row)?),
            1 => stored.tags.push(value(&row)?),
            2 => stored.metrics.push((run, key, read_point(&row, 5)?)),
            3 => stored.has_datasets = true,
            _ => stored.has_models = true,
        }
        Ok(())
    })?;
    stored.params.sort_by_key(|(run, key, _)| (*run, *key));
    stored.tags.sort_by_key(|(run, key, _)| (*run, *key));
    stored.metrics.sort_by_key(|(run, key, _)| (*run, *key));
    Ok(stored)
}
