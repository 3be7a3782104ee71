use tiegel_store::traces::{TraceInfo, TraceList};

use crate::params::{Params, invalid_because};
use crate::{Mlflow, MlflowError, MlflowResult};

/// Traces on one page.
const TRACES_MAX: i64 = 500;
const TRACES_DEFAULT: i64 = 100;

/// A search for traces.
#[derive(Debug)]
pub(crate) struct Search {
    pub experiment_ids: Vec<i64>,
    pub filter: String,
    pub order_by: Vec<String>,
    pub traces_max: usize,
    pub page_token: Option<String>,
}

/// A page of traces, and what to ask the next with.
pub(crate) struct Page {
    pub rows: Vec<TraceInfo>,
    pub next: Option<String>,
}

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
        Ok(Self {
            experiment_ids,
            filter: params.text("filter")?.unwrap_or_default().to_owned(),
            order_by: params.texts("order_by")?.into_iter().map(str::to_owned).collect(),
            traces_max: usize::try_from(traces_max).unwrap_or(1),
            page_token: params.text("page_token")?.filter(|token| !token.is_empty()).map(str::to_owned),
        })
    }
}

pub(crate) async fn search(mlflow: &Mlflow, search: Search) -> MlflowResult<Page> {
    let after = search.page_token.as_deref().map(read_token).transpose()?;
    let list = TraceList { experiment_ids: search.experiment_ids, after, traces_max: search.traces_max };
    let rows = mlflow.ctx.store.traces(list).await?;
    let last = rows.last().filter(|_| rows.len() == search.traces_max);
    let next = last.map(|info| format!("{}:{}", info.row.timestamp_ms, info.row.trace_id));
    Ok(Page { rows, next })
}

fn read_token(token: &str) -> MlflowResult<(i64, String)> {
    let parsed = token.split_once(':').and_then(|(ms, id)| Some((ms.parse().ok()?, id.to_owned())));
    parsed.ok_or_else(|| MlflowError::invalid("Invalid page token: use the one that the page before answered with"))
}
