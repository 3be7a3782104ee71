use std::collections::HashMap;

use tiegel_search::{Entity, Family, Filter, Order, Relation};

use super::entity::{Attribute, Link, Lookup, Searched, Side, Values};
use super::{Bound, Page, Search, View};
use crate::db::Tx;
use crate::tracking::{Keys, RunData, Scope, one_of, read_run_data, runs_of_ids};
use crate::{Result, Store};

/// Runs that one statement reads.
const IDS_MAX: usize = 512;

/// Runs of some experiments.
#[derive(Clone, Debug)]
pub struct SearchRuns {
    /// Experiments that it does not see have no runs.
    pub scope: Scope,
    pub experiments: Vec<i64>,
    pub view: View,
    pub filter: Filter,
    pub order: Order,
    pub limit: usize,
    /// What the page before answered.
    pub token: Option<String>,
}

impl Store {
    /// A page of runs, each with all but its histories.
    #[tracing::instrument(name = "db.runs.search", skip_all)]
    pub async fn search_runs(&self, search: SearchRuns) -> Result<Page<RunData>> {
        let keys = self.keys();
        let operation = move |tx: &mut Tx<'_>| {
            let scopes = visible(tx, &search.scope, &search.experiments)?;
            let SearchRuns { view, filter, order, limit, token, .. } = search;
            let found = Search { view, token, ..Search::new(scopes, filter, order, limit) }.page(tx, &RUNS)?;
            Ok(Page { rows: read(tx, &keys, &found.rows)?, next: found.next })
        };
        self.query(operation).await
    }
}

/// Those of the experiments that a scope sees.
pub(super) fn visible(tx: &mut Tx<'_>, scope: &Scope, experiments: &[i64]) -> Result<Vec<Bound>> {
    let Scope::Project(project) = scope else { return Ok(experiments.iter().copied().map(Bound::Int).collect()) };
    let mut seen = Vec::new();
    for ids in experiments.chunks(IDS_MAX) {
        let (places, mut values) = one_of(ids, 2);
        values.insert(0, project.as_str().into());
        let sql = format!("SELECT id FROM experiments WHERE project = $1 AND id IN {places}");
        seen.extend(tx.rows(&sql, &values, |row| Ok(Bound::Int(row.int(0)?)))?);
    }
    Ok(seen)
}

fn read(tx: &mut Tx<'_>, keys: &Keys, ids: &[Bound]) -> Result<Vec<RunData>> {
    let ids: Vec<i64> = ids.iter().filter_map(Bound::int).collect();
    let mut rows = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(IDS_MAX) {
        rows.extend(runs_of_ids(tx, ids)?.into_iter().map(|row| (row.id, row)));
    }
    let rows = ids.iter().filter_map(|id| rows.remove(id)).collect();
    read_run_data(tx, keys, rows)
}

/// The tag that repeats a run's name.
const RUN_NAME: &str = "mlflow.runName";

pub(super) static RUNS: Searched = Searched {
    entity: Entity::Run,
    table: "runs",
    id: "id",
    id_is_text: false,
    scope: "experiment_id",
    stage: Some("lifecycle"),
    condition: None,
    attributes: &[
        Attribute::new("run_id", "t.run_id").found(Lookup::Unique),
        Attribute::new("run_name", "t.name")
            .sorted_by(["substr(t.name, 1, 250)", "substr(t.name, 251)"])
            .found(Lookup::Side(Family::Tag, RUN_NAME)),
        Attribute::new("user_id", "t.user_id").found(Lookup::Indexed),
        Attribute::new("status", "t.status").found(Lookup::Indexed),
        Attribute::new("artifact_uri", "t.artifact_uri"),
        Attribute::new("start_time", "t.start_ms").sorted().found(Lookup::Indexed),
        Attribute::new("end_time", "t.end_ms").nullable().sorted().found(Lookup::Indexed),
    ],
    columns: &[],
    sides: &[
        (Family::Metric, side("latest_metrics", Values::Number)),
        (Family::Param, side("run_params", Values::Split)),
        (Family::Tag, side("run_tags", Values::Split)),
    ],
    links: &[
        dataset("name", "d.name", Some("d.experiment_id")),
        dataset("digest", "d.digest", Some("d.experiment_id")),
        dataset("context", "l.context", Some("l.experiment_id")),
    ],
};

const fn side(table: &'static str, values: Values) -> Side {
    let scope = Some("experiment_id");
    Side { table, owner: "run", key: "key", is_interned: true, values, scope, latest: None }
}

const fn dataset(property: &'static str, value: &'static str, scope: Option<&'static str>) -> Link {
    let from = "run_datasets AS l JOIN datasets AS d ON d.id = l.dataset";
    Link { relation: Relation::Dataset, property, from, owner: "l.run", value, scope }
}
