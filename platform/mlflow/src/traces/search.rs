use std::collections::HashSet;

use tiegel_search::{Entity, Filter, Order, SearchError};
use tiegel_store::Page;
use tiegel_store::traces::{TraceInfo, TraceSearch};

use crate::params::{Params, invalid_because};
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult};

/// Traces on one page.
const TRACES_MAX: i64 = 500;
const TRACES_DEFAULT: i64 = 100;

/// A search of a request.
#[derive(Debug)]
pub(crate) struct Search(TraceSearch);

impl Search {
    pub fn read(params: &Params, experiment_ids: Vec<i64>) -> MlflowResult<Self> {
        let traces_max = params.int("max_results")?.unwrap_or(TRACES_DEFAULT);
        if traces_max < 1 {
            return Err(MlflowError::invalid(format!(
                "Invalid value {traces_max} for parameter 'max_results' supplied. It must be a positive integer"
            )));
        }
        if traces_max > TRACES_MAX {
            let why = format!("It must be at most {TRACES_MAX}");
            return Err(invalid_because("max_results", &traces_max.into(), &why));
        }
        Ok(Self(TraceSearch {
            experiment_ids,
            filter: filter(params.text("filter")?.unwrap_or_default())?,
            order: Order::parse(Entity::Trace, &params.texts("order_by")?).map_err(refused)?,
            traces_max: usize::try_from(traces_max).unwrap_or(1),
            page_token: params.text("page_token")?.filter(|token| !token.is_empty()).map(str::to_owned),
        }))
    }
}

pub(crate) fn filter(text: &str) -> MlflowResult<Filter> {
    Filter::parse(Entity::Trace, text).map_err(refused)
}

fn refused(error: SearchError) -> MlflowError {
    MlflowError::invalid(error.to_string())
}

pub(crate) async fn search(state: &Mlflow, workspace: &Workspace, search: Search) -> MlflowResult<Page<TraceInfo>> {
    Ok(state.ctx.store.search_traces(&workspace.scope(), search.0).await?)
}

/// The traces that a filter matches, as the database knows them.
pub(super) async fn matching(
    state: &Mlflow,
    workspace: &Workspace,
    experiment_ids: &[i64],
    text: &str,
) -> MlflowResult<HashSet<i64>> {
    Ok(state.ctx.store.matching_traces(&workspace.scope(), experiment_ids.to_vec(), filter(text)?).await?)
}
