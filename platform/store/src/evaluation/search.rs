use tiegel_search::{Filter, Order};
use tiegel_types::Name;

use super::EvaluationDatasetRow;
use super::datasets::rows_of;
use crate::db::{Tx, in_lists};
use crate::search::{Bound, EVALUATION_DATASETS, Page, Search};
use crate::{Result, Store};

/// What is searched for.
#[derive(Clone, Debug)]
pub struct EvaluationDatasetSearch {
    pub project: Name,
    /// Empty: those of any experiment, and of none.
    pub experiment_ids: Vec<String>,
    pub filter: Filter,
    pub order: Order,
    pub datasets_max: usize,
    pub page_token: Option<String>,
}

impl Store {
    #[tracing::instrument(name = "db.evaluation.search", skip_all)]
    pub async fn search_evaluation_datasets(
        &self,
        asked: EvaluationDatasetSearch,
    ) -> Result<Page<EvaluationDatasetRow>> {
        self.query(move |tx| {
            let scopes = vec![Bound::from(asked.project.as_str())];
            let only = if asked.experiment_ids.is_empty() { None } else { Some(linked(tx, &asked.experiment_ids)?) };
            let token = asked.page_token;
            let search = Search { token, only, ..Search::new(scopes, asked.filter, asked.order, asked.datasets_max) };
            let Page { rows, next } = search.page(tx, &EVALUATION_DATASETS)?;
            let ids: Vec<String> = rows.into_iter().filter_map(text).collect();
            Ok(Page { rows: rows_of(tx, &ids)?, next })
        })
        .await
    }
}

/// The datasets of these experiments.
fn linked(tx: &mut Tx<'_>, experiment_ids: &[String]) -> Result<Vec<Bound>> {
    let ids: Vec<&str> = experiment_ids.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for (places, values) in in_lists(&ids, 1) {
        let sql =
            format!("SELECT DISTINCT dataset_id FROM evaluation_dataset_experiments WHERE experiment_id IN ({places})");
        found.extend(tx.rows(&sql, &values, |row| Ok(Bound::from(row.str(0)?)))?);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn text(id: Bound) -> Option<String> {
    match id {
        Bound::Text(id) => Some(id),
        Bound::Int(_) | Bound::Real(_) => None,
    }
}
