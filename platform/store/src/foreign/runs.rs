use std::collections::BTreeMap;

use tiegel_types::transfer::{Dataset, Direction, ModelLink, Run};
use tiegel_types::{Digest, RunStatus};

use super::MlflowDatabase;
use super::select::{As, int, pairs, places, text, texts};
use crate::Result;
use crate::db::{Row, Tx};

/// The tag that newer versions keep a run's name in.
const NAME_TAG: &str = "mlflow.runName";

/// A run, and what tells whether it changed since it was read before.
#[derive(Clone, Debug, PartialEq)]
pub struct RunHead {
    pub run: Run,
    /// Of all that is known of it, the newest point of each metric included.
    pub mark: Digest,
    /// Points of all its metrics.
    pub points: u64,
}

type Datasets = BTreeMap<String, Vec<Dataset>>;
type Links = BTreeMap<String, Vec<ModelLink>>;

/// The statements of one page.
#[derive(Clone)]
struct Statements {
    params: String,
    tags: String,
    latest: Option<String>,
    counts: String,
    datasets: Option<String>,
    dataset_tags: Option<String>,
    links: Option<String>,
}

impl MlflowDatabase {
    /// The next runs of an experiment by id after `after`, deleted ones too. Fewer than `limit` are the last.
    pub async fn runs(&self, experiment: i64, after: &str, limit: usize) -> Result<Vec<RunHead>> {
        let columns = [
            ("run_uuid", As::Text),
            ("experiment_id", As::Int),
            ("name", As::Text),
            ("user_id", As::Text),
            ("status", As::Text),
            ("start_time", As::Int),
            ("end_time", As::Int),
            ("lifecycle_stage", As::Text),
            ("deleted_time", As::Int),
            ("artifact_uri", As::Text),
        ];
        let sql = format!(
            "{} WHERE experiment_id = $1 AND run_uuid > $2 ORDER BY run_uuid LIMIT $3",
            self.select("runs", &columns)
        );
        let (database, after) = (self.clone(), after.to_owned());
        self.read(move |tx| {
            let values = [experiment.into(), (&after).into(), (limit as i64).into()];
            let runs = tx.rows(&sql, &values, |row| read(&row))?;
            let ids: Vec<_> = runs.iter().map(|run| run.run_id.clone()).collect();
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            complete(tx, &database.statements(ids.len()), runs, &ids)
        })
        .await
    }

    fn statements(&self, runs: usize) -> Statements {
        let of_runs = format!("WHERE run_uuid IN {}", places(runs, 1));
        let owned = |table: &str| {
            let columns = [("run_uuid", As::Text), ("key", As::Text), ("value", As::Text)];
            format!("{} {of_runs} ORDER BY run_uuid, key", self.select(table, &columns))
        };
        let latest =
            [("run_uuid", As::Text), ("key", As::Text), ("step", As::Int), ("timestamp", As::Int), ("value", As::Text)];
        let has_inputs = self.has("inputs") && self.has("datasets");
        let of_inputs =
            format!("source_type = 'DATASET' AND destination_type = 'RUN' AND destination_id IN {}", places(runs, 1));
        Statements {
            params: owned("params"),
            tags: owned("tags"),
            latest: self
                .has("latest_metrics")
                .then(|| format!("{} {of_runs} ORDER BY run_uuid, key", self.select("latest_metrics", &latest))),
            counts: format!("SELECT CAST(run_uuid AS TEXT), COUNT(*) FROM metrics {of_runs} GROUP BY run_uuid"),
            datasets: has_inputs.then(|| {
                format!(
                    "SELECT CAST(i.destination_id AS TEXT), CAST(i.input_uuid AS TEXT), CAST(d.name AS TEXT), \
                     CAST(d.digest AS TEXT), CAST(d.dataset_source_type AS TEXT), CAST(d.dataset_source AS TEXT), \
                     CAST(d.dataset_schema AS TEXT), CAST(d.dataset_profile AS TEXT) FROM inputs i \
                     JOIN datasets d ON d.dataset_uuid = i.source_id WHERE {of_inputs} ORDER BY d.name, d.digest"
                )
            }),
            dataset_tags: has_inputs.then(|| {
                format!(
                    "SELECT CAST(t.input_uuid AS TEXT), CAST(t.name AS TEXT), CAST(t.value AS TEXT) FROM input_tags t \
                     JOIN inputs i ON i.input_uuid = t.input_uuid WHERE {of_inputs} ORDER BY t.input_uuid, t.name"
                )
            }),
            links: self.has_column("inputs", "step").then(|| {
                format!(
                    "SELECT CAST(source_id AS TEXT), CAST(source_type AS TEXT), CAST(destination_id AS TEXT), \
                     CAST(step AS BIGINT) FROM inputs WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') \
                     AND source_id IN {} ORDER BY source_id, source_type, destination_id, step",
                    places(runs, 1)
                )
            }),
        }
    }
}

fn read(row: &Row<'_>) -> Result<Run> {
    Ok(Run {
        run_id: row.text(0)?,
        experiment_id: row.int(1)?,
        name: text(row, 2)?,
        user_id: text(row, 3)?,
        status: text(row, 4)?.parse().unwrap_or(RunStatus::Running),
        start_ms: int(row, 5)?,
        end_ms: row.int_opt(6)?,
        deleted: row.text_opt(7)?.as_deref() == Some("deleted"),
        deleted_ms: row.int_opt(8)?,
        artifact_uri: text(row, 9)?,
        params: Vec::new(),
        tags: Vec::new(),
        datasets: Vec::new(),
        models: Vec::new(),
    })
}

fn complete(tx: &mut Tx<'_>, sql: &Statements, runs: Vec<Run>, ids: &[String]) -> Result<Vec<RunHead>> {
    let values = texts(ids);
    let mut params = pairs(tx, &sql.params, &values)?;
    let mut tags = pairs(tx, &sql.tags, &values)?;
    let mut latest = BTreeMap::<String, Vec<(String, i64, i64, String)>>::new();
    if let Some(sql) = &sql.latest {
        tx.for_each(sql, &values, |row| {
            let newest = (row.text(1)?, int(&row, 2)?, int(&row, 3)?, text(&row, 4)?);
            latest.entry(row.text(0)?).or_default().push(newest);
            Ok(())
        })?;
    }
    let counts = tx.rows(&sql.counts, &values, |row| Ok((row.text(0)?, row.int(1)? as u64)))?;
    let counts: BTreeMap<_, _> = counts.into_iter().collect();
    let mut datasets = datasets(tx, sql, ids)?;
    let mut links = links(tx, sql, ids)?;
    let complete = |mut run: Run| {
        let id = &run.run_id;
        let points = counts.get(id).copied().unwrap_or_default();
        let newest = latest.remove(id).unwrap_or_default();
        run.params = params.remove(id).unwrap_or_default();
        run.tags = tags.remove(id).unwrap_or_default();
        run.datasets = datasets.remove(id).unwrap_or_default();
        run.models = links.remove(id).unwrap_or_default();
        if run.name.is_empty() {
            // Before names had a column.
            let tag = run.tags.iter().find(|(key, _)| key == NAME_TAG);
            run.name = tag.map(|(_, value)| value.clone()).unwrap_or_default();
        }
        let mark = Digest::of_json(&serde_json::json!([run, newest, points]));
        RunHead { run, mark, points }
    };
    Ok(runs.into_iter().map(complete).collect())
}

fn datasets(tx: &mut Tx<'_>, sql: &Statements, ids: &[String]) -> Result<Datasets> {
    let mut datasets = Datasets::new();
    let (Some(inputs), Some(tags)) = (&sql.datasets, &sql.dataset_tags) else { return Ok(datasets) };
    let values = texts(ids);
    let mut tags = pairs(tx, tags, &values)?;
    tx.for_each(inputs, &values, |row| {
        let dataset = Dataset {
            name: row.text(2)?,
            digest: row.text(3)?,
            source_type: text(&row, 4)?,
            source: text(&row, 5)?,
            schema: row.text_opt(6)?,
            profile: row.text_opt(7)?,
            tags: tags.remove(row.str(1)?).unwrap_or_default(),
        };
        let of_run = datasets.entry(row.text(0)?).or_default();
        match of_run.last_mut().filter(|last| (&last.name, &last.digest) == (&dataset.name, &dataset.digest)) {
            // Two processes that logged it at once left it twice.
            Some(last) if last.tags.is_empty() => last.tags = dataset.tags,
            Some(_) => {}
            None => of_run.push(dataset),
        }
        Ok(())
    })?;
    Ok(datasets)
}

fn links(tx: &mut Tx<'_>, sql: &Statements, ids: &[String]) -> Result<Links> {
    let mut links = Links::new();
    let Some(sql) = &sql.links else { return Ok(links) };
    tx.for_each(sql, &texts(ids), |row| {
        let direction = if row.str(1)? == "RUN_INPUT" { Direction::Input } else { Direction::Output };
        let link = ModelLink { model_id: row.text(2)?, direction, step: int(&row, 3)? };
        let of_run = links.entry(row.text(0)?).or_default();
        match of_run.last_mut().filter(|last| last.model_id == link.model_id && last.direction == direction) {
            // In order of steps, so the last is the newest.
            Some(last) => *last = link,
            None => of_run.push(link),
        }
        Ok(())
    })?;
    Ok(links)
}
