use std::collections::HashMap;
use std::hash::Hash;

use tiegel_search::{Entity, Family, Filter, Order};

use super::entity::{Attribute, Latest, Lookup, Searched, Side, Values};
use super::runs::visible;
use super::{Bound, Page, Search, projects};
use crate::db::{Tx, Value};
use crate::registry::loading::{in_first, list, list_of_texts, models, text_in_first, versions};
use crate::registry::logged;
use crate::{LoggedModelRow, ModelRow, ModelVersionRow, Result, Scope, Store};

/// Registered models, or their versions, of what a scope sees.
#[derive(Clone, Debug)]
pub struct SearchRegistry {
    pub scope: Scope,
    pub filter: Filter,
    pub order: Order,
    pub limit: usize,
    /// What the page before answered.
    pub token: Option<String>,
}

/// Logged models of some experiments. Deleted ones are never found.
#[derive(Clone, Debug)]
pub struct SearchLoggedModels {
    /// Experiments that it does not see have no models.
    pub scope: Scope,
    pub experiments: Vec<i64>,
    pub filter: Filter,
    pub order: Order,
    pub limit: usize,
    /// What the page before answered.
    pub token: Option<String>,
}

impl Store {
    #[tracing::instrument(name = "db.models.search", skip_all)]
    pub async fn search_models(&self, search: SearchRegistry) -> Result<Page<ModelRow>> {
        self.query(move |tx| registered(tx, search, &MODELS, (models, |row| row.id))).await
    }

    #[tracing::instrument(name = "db.model_versions.search", skip_all)]
    pub async fn search_model_versions(&self, search: SearchRegistry) -> Result<Page<ModelVersionRow>> {
        self.query(move |tx| registered(tx, search, &VERSIONS, (versions, |row| row.id))).await
    }

    #[tracing::instrument(name = "db.logged_models.search", skip_all)]
    pub async fn search_logged_models(&self, search: SearchLoggedModels) -> Result<Page<LoggedModelRow>> {
        let operation = move |tx: &mut Tx<'_>| {
            let scopes = visible(tx, &search.scope, &search.experiments)?;
            let SearchLoggedModels { filter, order, limit, token, .. } = search;
            let found = Search { token, ..Search::new(scopes, filter, order, limit) }.page(tx, &LOGGED_MODELS)?;
            let ids: Vec<String> = found.rows.iter().filter_map(Bound::text).map(str::to_owned).collect();
            let rest = format!("WHERE model_id {}", text_in_first(tx));
            let rows = logged::select(tx, &rest, &[(&list_of_texts(ids.iter().map(String::as_str))).into()])?;
            Ok(Page { rows: in_order(&ids, rows, |row| row.model_id.clone()), next: found.next })
        };
        self.query(operation).await
    }
}

fn registered<R>(
    tx: &mut Tx<'_>,
    search: SearchRegistry,
    searched: &'static Searched,
    (select, id_of): (impl FnOnce(&mut Tx<'_>, &str, &[Value<'_>]) -> Result<Vec<R>>, impl Fn(&R) -> i64),
) -> Result<Page<R>> {
    let scopes = projects(tx, &search.scope)?;
    let SearchRegistry { filter, order, limit, token, .. } = search;
    let found = Search { token, ..Search::new(scopes, filter, order, limit) }.page(tx, searched)?;
    let ids: Vec<i64> = found.rows.iter().filter_map(Bound::int).collect();
    let rest = format!("WHERE id {}", in_first(tx));
    let rows = select(tx, &rest, &[(&list(ids.iter().copied())).into()])?;
    Ok(Page { rows: in_order(&ids, rows, id_of), next: found.next })
}

fn in_order<I: Hash + Eq, R>(ids: &[I], rows: Vec<R>, id_of: impl Fn(&R) -> I) -> Vec<R> {
    let mut rows: HashMap<I, R> = rows.into_iter().map(|row| (id_of(&row), row)).collect();
    ids.iter().filter_map(|id| rows.remove(id)).collect()
}

pub(super) static MODELS: Searched = Searched {
    entity: Entity::RegisteredModel,
    table: "registered_models",
    id: "id",
    id_is_text: false,
    scope: "project",
    stage: None,
    condition: None,
    attributes: &[
        Attribute::new("name", "t.name").found(Lookup::Unique),
        Attribute::new("last_updated_timestamp", "t.updated_ms"),
    ],
    columns: &[],
    sides: &[(Family::Tag, pairs("registered_model_tags", "model"))],
    links: &[],
};

pub(super) static VERSIONS: Searched = Searched {
    entity: Entity::ModelVersion,
    table: "model_versions",
    id: "id",
    id_is_text: false,
    scope: "project",
    stage: None,
    condition: None,
    attributes: &[
        Attribute::new("name", "t.name"),
        Attribute::new("version_number", "t.version"),
        Attribute::new("run_id", "t.run_id").blank_is_none().found(Lookup::Unique),
        Attribute::new("source_path", "t.source"),
        Attribute::new("creation_timestamp", "t.created_ms"),
        Attribute::new("last_updated_timestamp", "t.updated_ms").sorted(),
    ],
    columns: &[],
    sides: &[(Family::Tag, pairs("model_version_tags", "version"))],
    links: &[],
};

pub(super) static LOGGED_MODELS: Searched = Searched {
    entity: Entity::LoggedModel,
    table: "logged_models",
    id: "model_id",
    id_is_text: true,
    scope: "experiment_id",
    stage: Some("lifecycle"),
    condition: None,
    attributes: &[
        Attribute::new("model_id", "t.model_id").found(Lookup::Unique),
        Attribute::new("name", "t.name"),
        Attribute::new("model_type", "NULLIF(t.model_type, '')").nullable(),
        Attribute::new("status", "t.status"),
        Attribute::new("source_run_id", "NULLIF(t.source_run_id, '')").nullable(),
        Attribute::new("creation_timestamp", "t.created_ms").sorted(),
        Attribute::new("last_updated_timestamp", "t.updated_ms"),
    ],
    columns: &[],
    sides: &[
        (Family::Param, pairs("logged_model_params", "model_id")),
        (Family::Tag, pairs("logged_model_tags", "model_id")),
        (Family::Metric, METRICS),
    ],
    links: &[],
};

/// They repeat the experiment of the run that measured them, which need not be the model's.
const METRICS: Side = Side {
    table: "model_metrics",
    owner: "model_id",
    key: "key",
    is_interned: true,
    values: Values::Number,
    scope: None,
    latest: Some(Latest {
        columns: &["timestamp_ms", "step", "run"],
        order: "s.timestamp_ms DESC, s.step DESC, s.run",
    }),
};

const fn pairs(table: &'static str, owner: &'static str) -> Side {
    let values = Values::Whole("value");
    Side { table, owner, key: "key", is_interned: false, values, scope: None, latest: None }
}
