use std::collections::HashMap;

use tiegel_search::{Entity, Family, Filter, Order};

use super::entity::{Attribute, Searched, Side, Values};
use super::{Bound, Page, Search, View, projects};
use crate::db::Tx;
use crate::tracking::{ExperimentRow, Scope, experiment_tags_of, experiments_of_ids};
use crate::{Result, Store};

/// Experiments that one statement reads.
const IDS_MAX: usize = 512;

/// Experiments of what a scope sees.
#[derive(Clone, Debug)]
pub struct SearchExperiments {
    pub scope: Scope,
    pub view: View,
    pub filter: Filter,
    pub order: Order,
    pub limit: usize,
    /// What the page before answered.
    pub token: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FoundExperiment {
    pub experiment: ExperimentRow,
    /// By name.
    pub tags: Vec<(String, String)>,
}

impl Store {
    #[tracing::instrument(name = "db.experiments.search", skip_all)]
    pub async fn search_experiments(&self, search: SearchExperiments) -> Result<Page<FoundExperiment>> {
        let operation = move |tx: &mut Tx<'_>| {
            let scopes = projects(tx, &search.scope)?;
            let SearchExperiments { view, filter, order, limit, token, .. } = search;
            let found = Search { view, token, ..Search::new(scopes, filter, order, limit) }.page(tx, &EXPERIMENTS)?;
            Ok(Page { rows: read(tx, &found.rows)?, next: found.next })
        };
        self.query(operation).await
    }
}

fn read(tx: &mut Tx<'_>, ids: &[Bound]) -> Result<Vec<FoundExperiment>> {
    let ids: Vec<i64> = ids.iter().filter_map(Bound::int).collect();
    let mut found = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(IDS_MAX) {
        let rows = experiments_of_ids(tx, ids)?;
        found.extend(rows.into_iter().map(|row| (row.id, FoundExperiment { experiment: row, tags: Vec::new() })));
        for (id, tag) in experiment_tags_of(tx, ids)? {
            found.entry(id).and_modify(|found| found.tags.push(tag));
        }
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

pub(super) static EXPERIMENTS: Searched = Searched {
    entity: Entity::Experiment,
    table: "experiments",
    id: "id",
    id_is_text: false,
    scope: "project",
    stage: Some("lifecycle"),
    condition: None,
    attributes: &[
        Attribute::new("name", "t.name"),
        Attribute::new("experiment_id", "t.id"),
        Attribute::new("creation_time", "t.created_ms").sorted(),
        Attribute::new("last_update_time", "t.updated_ms"),
    ],
    columns: &[],
    sides: &[(
        Family::Tag,
        Side {
            table: "experiment_tags",
            owner: "experiment_id",
            key: "name",
            is_interned: false,
            values: Values::Whole("value"),
            scope: None,
            latest: None,
        },
    )],
    links: &[],
};
