use std::collections::HashMap;
use std::sync::Arc;

use super::inputs::{DatasetInput, ModelLink, read_datasets, read_models};
use super::keys::one_of;
use super::point::Point;
use super::runs::{NAME_TAG, RunRow, expect_run};
use super::{Keys, Scope, last_of_each, text};
use crate::Result;
use crate::Store;
use crate::db::{Row, Tx};
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
        for (table, list) in [("run_params", PARAMS), ("run_tags", TAGS)] {
            let values = read_values(tx, table, &ids)?;
            let names = keys.names(tx, values.iter().map(|(_, key, _)| *key))?;
            for ((run, _, value), key) in values.into_iter().zip(names) {
                runs.of(run, |data| list(data).push((key, value)));
            }
        }
        let metrics = read_metrics(tx, &ids)?;
        let names = keys.names(tx, metrics.iter().map(|(_, key, _)| *key))?;
        for ((run, _, point), key) in metrics.into_iter().zip(names) {
            runs.of(run, |data| data.metrics.push(LatestMetric { key, point }));
        }
        for (run, input) in read_datasets(tx, &ids)? {
            runs.of(run, |data| data.datasets.push(input));
        }
        for (run, is_input, link) in read_models(tx, &ids)? {
            runs.of(run, |data| if is_input { &mut data.model_inputs } else { &mut data.model_outputs }.push(link));
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

fn read_values(tx: &mut Tx<'_>, table: &str, runs: &[i64]) -> Result<Vec<(i64, i64, String)>> {
    let (places, values) = one_of(runs, 1);
    let sql = format!("SELECT run, key, head, rest FROM {table} WHERE run IN {places} ORDER BY run, key");
    let read = |row: Row<'_>| Ok((row.int(0)?, row.int(1)?, text::join(row.str(2)?, row.text_opt(3)?)));
    tx.rows(&sql, &values, read)
}

fn read_metrics(tx: &mut Tx<'_>, runs: &[i64]) -> Result<Vec<(i64, i64, Point)>> {
    let (places, values) = one_of(runs, 1);
    let sql = format!(
        "SELECT run, key, timestamp_ms, step, value, is_nan FROM latest_metrics WHERE run IN {places} ORDER BY run, key"
    );
    tx.rows(&sql, &values, |row| Ok((row.int(0)?, row.int(1)?, super::compact::read_point(&row, 2)?)))
}
