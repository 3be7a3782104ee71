use std::collections::HashSet;

use tiegel_search::{Filter, Order};

use super::TraceInfo;
use super::info::{TRACE_COLUMNS, read_row, seen_experiments, with_details};
use crate::db::{Tx, in_lists};
use crate::search::{Bound, Page, Search, TRACES};
use crate::{Result, Scope, Store};

/// Traces that one question may count.
const COUNTED_MAX: usize = 5_000_000;

/// What is searched for.
#[derive(Clone, Debug)]
pub struct TraceSearch {
    pub experiment_ids: Vec<i64>,
    pub filter: Filter,
    pub order: Order,
    pub traces_max: usize,
    pub page_token: Option<String>,
}

impl Store {
    /// Experiments that do not exist have no traces.
    #[tracing::instrument(name = "db.traces.search", skip_all)]
    pub async fn search_traces(&self, scope: &Scope, asked: TraceSearch) -> Result<Page<TraceInfo>> {
        let scope = scope.clone();
        self.query(move |tx| {
            let scopes = scopes(tx, &scope, &asked.experiment_ids)?;
            let search =
                Search { token: asked.page_token, ..Search::new(scopes, asked.filter, asked.order, asked.traces_max) };
            let Page { rows, next } = search.page(tx, &TRACES)?;
            let ids: Vec<i64> = rows.iter().filter_map(int).collect();
            Ok(Page { rows: infos(tx, &ids)?, next })
        })
        .await
    }

    /// The rows of all traces that a filter matches.
    #[tracing::instrument(name = "db.traces.matching", skip_all)]
    pub async fn matching_traces(
        &self,
        scope: &Scope,
        experiment_ids: Vec<i64>,
        filter: Filter,
    ) -> Result<HashSet<i64>> {
        let scope = scope.clone();
        self.query(move |tx| {
            let order = Order::default_of(TRACES.entity);
            let search = Search::new(scopes(tx, &scope, &experiment_ids)?, filter, order, COUNTED_MAX);
            Ok(search.page(tx, &TRACES)?.rows.iter().filter_map(int).collect())
        })
        .await
    }
}

fn scopes(tx: &mut Tx<'_>, scope: &Scope, experiment_ids: &[i64]) -> Result<Vec<Bound>> {
    Ok(seen_experiments(tx, scope, experiment_ids)?.into_iter().map(Bound::Int).collect())
}

fn int(id: &Bound) -> Option<i64> {
    match id {
        Bound::Int(id) => Some(*id),
        Bound::Real(_) | Bound::Text(_) => None,
    }
}

/// In the order of the rows.
fn infos(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<TraceInfo>> {
    let mut rows = Vec::with_capacity(ids.len());
    for (places, values) in in_lists(ids, 1) {
        let sql = format!("SELECT {TRACE_COLUMNS} FROM {} WHERE t.id IN ({places})", super::info::TRACES);
        rows.extend(tx.rows(&sql, &values, |row| read_row(&row))?);
    }
    let place = |id: i64| ids.iter().position(|known| *known == id);
    rows.sort_by_cached_key(|row| place(row.id));
    with_details(tx, rows)
}
