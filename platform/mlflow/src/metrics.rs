//! Histories of metrics: whole, in pages, of many runs, sampled.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream;
use serde::{Deserialize, Serialize};
use tiegel_store::{HistoryPage, HistoryQuery, Point, SampleQuery, Scope};

use crate::params::{Params, missing};
use crate::render::{SeriesJson, points};
use crate::runs::run_id;
use crate::wire::json;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult};

/// Points that are in memory at once, of a history that is streamed.
const PAGE_POINTS_MAX: usize = 50_000;
/// Runs in one request.
const RUNS_MAX: usize = 100;
/// Points of all runs in an answer of whole histories.
const BULK_POINTS_MAX: usize = 25_000;
/// Points of one run in a sample.
const SAMPLE_POINTS_MAX: i64 = 2_500;

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/metrics/get-history", get(history))
        .route("/2.0/mlflow/metrics/get-history-bulk", get(bulk))
        .route("/2.0/mlflow/metrics/get-history-bulk-interval", get(sample))
}

async fn history(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let (run, key) = (run_id(&params)?, params.required_text("metric_key")?);
    let points_max = match params.int("max_results")? {
        None => None,
        Some(wanted) => Some(usize::try_from(wanted).ok().filter(|wanted| *wanted > 0).ok_or_else(|| {
            MlflowError::invalid(format!(
                "Invalid value {wanted} for parameter 'max_results' supplied. It must be a positive integer."
            ))
        })?),
    };
    let after = params.text("page_token")?.filter(|token| !token.is_empty()).map(point_of).transpose()?;
    let stream = History {
        state,
        scope: workspace.scope(),
        query: HistoryQuery { run: run.to_owned(), key: key.to_owned(), after, points_max: 0 },
        wanted: points_max,
        series: SeriesJson::new(key, None),
        written: false,
    };
    stream.answer().await
}

/// A history on its way to a client.
struct History {
    state: Mlflow,
    scope: Scope,
    query: HistoryQuery,
    /// Points that are still to come; none for all.
    wanted: Option<usize>,
    series: SeriesJson,
    written: bool,
}

impl History {
    /// One body where it is short; else the first part is read before the answer begins, so that an error is one.
    async fn answer(mut self) -> MlflowResult<Response> {
        let (first, goes_on) = self.part().await?;
        if !goes_on {
            return Ok(json(first.into()));
        }
        let first = stream::once(async { Ok::<_, MlflowError>(first) });
        let rest = stream::unfold(Some(self), async |history| {
            let mut history = history?;
            match history.part().await {
                Ok((part, goes_on)) => Some((Ok(part), goes_on.then_some(history))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(json(Body::from_stream(stream::StreamExt::chain(first, rest))))
    }

    /// The next part of the body, and whether there is more.
    async fn part(&mut self) -> MlflowResult<(Bytes, bool)> {
        self.query.points_max = self.wanted.map_or(PAGE_POINTS_MAX, |wanted| wanted.min(PAGE_POINTS_MAX));
        let page = self.state.ctx.store.history(&self.scope, self.query.clone()).await?;
        self.wanted = self.wanted.map(|wanted| wanted - page.points.len());
        self.query.after = page.points.last().copied().or(self.query.after);
        let goes_on = page.more && self.wanted != Some(0);
        let written = std::mem::replace(&mut self.written, true);
        let token = (page.more && !goes_on).then(|| page.points.last().map(token_of)).flatten();
        let series = std::mem::take(&mut self.series);
        let (part, series) = self
            .state
            .ctx
            .blocking(move || {
                let part = part_of(&page, &series, Ends { begins: !written, ends: !goes_on, token });
                (part, series)
            })
            .await?;
        self.series = series;
        Ok((part.into(), goes_on))
    }
}

struct Ends {
    begins: bool,
    ends: bool,
    token: Option<String>,
}

fn part_of(page: &HistoryPage, series: &SeriesJson, ends: Ends) -> Vec<u8> {
    // Empty lists are left out.
    if ends.begins && page.points.is_empty() {
        return b"{}".to_vec();
    }
    let mut body = if ends.begins { b"{\"metrics\":[".to_vec() } else { Vec::new() };
    points(&mut body, series, &page.points, !ends.begins);
    if ends.ends {
        body.push(b']');
        if let Some(token) = ends.token {
            body.extend_from_slice(format!(",\"next_page_token\":\"{token}\"").as_bytes());
        }
        body.push(b'}');
    }
    body
}

async fn bulk(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let mut runs = params.texts("run_id")?;
    if runs.is_empty() {
        return Err(MlflowError::invalid("GetMetricHistoryBulk request must specify at least one run_id."));
    }
    if runs.len() > RUNS_MAX {
        return Err(MlflowError::invalid(format!(
            "GetMetricHistoryBulk request cannot specify more than {RUNS_MAX} run_ids. Received {} run_ids.",
            runs.len()
        )));
    }
    let key = params.text("metric_key")?;
    let key = key.ok_or_else(|| MlflowError::invalid("GetMetricHistoryBulk request must specify a metric_key."))?;
    let wanted = params.int("max_results")?.unwrap_or(BULK_POINTS_MAX as i64);
    let mut wanted = usize::try_from(wanted).unwrap_or(0).min(BULK_POINTS_MAX);
    runs.sort_unstable();
    runs.dedup();
    let mut body = b"{\"metrics\":[".to_vec();
    let mut written = false;
    for run in runs {
        let query = HistoryQuery { run: run.to_owned(), key: key.to_owned(), after: None, points_max: wanted };
        let page = state.ctx.store.history(&workspace.scope(), query).await?;
        points(&mut body, &SeriesJson::new(key, Some(run)), &page.points, written);
        written |= !page.points.is_empty();
        wanted -= page.points.len();
        if wanted == 0 {
            break;
        }
    }
    body.extend_from_slice(b"]}");
    Ok(json(body.into()))
}

async fn sample(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let runs: Vec<String> = params.texts("run_ids")?.into_iter().map(str::to_owned).collect();
    if runs.is_empty() {
        return Err(missing("run_ids"));
    }
    if runs.len() > RUNS_MAX {
        return Err(MlflowError::invalid(format!(
            "GetMetricHistoryBulkInterval request must specify at most {RUNS_MAX} run_ids. Received {} run_ids. See the API \
             docs for more information about request parameters.",
            runs.len()
        )));
    }
    let key = params.required_text("metric_key")?;
    let steps = steps(&params)?;
    let wanted = params.int("max_results")?.unwrap_or(SAMPLE_POINTS_MAX);
    if !(1..=SAMPLE_POINTS_MAX).contains(&wanted) {
        return Err(MlflowError::invalid(format!(
            "max_results must be between 1 and {SAMPLE_POINTS_MAX}. See the API docs for more information about request \
             parameters."
        )));
    }
    let query = SampleQuery { runs: runs.clone(), key: key.to_owned(), steps, points_max: wanted as usize };
    let sampled = state.ctx.store.sample(&workspace.scope(), query).await?;
    if sampled.iter().all(Vec::is_empty) {
        return Ok(json(Bytes::from_static(b"{}").into()));
    }
    let mut body = b"{\"metrics\":[".to_vec();
    let mut written = false;
    for (run, sample) in runs.iter().zip(&sampled) {
        points(&mut body, &SeriesJson::new(key, Some(run)), sample, written);
        written |= !sample.is_empty();
    }
    body.extend_from_slice(b"]}");
    Ok(json(body.into()))
}

fn steps(params: &Params) -> MlflowResult<Option<(i64, i64)>> {
    match (params.int("start_step")?, params.int("end_step")?) {
        (Some(start), Some(end)) if start > end => Err(MlflowError::invalid(format!(
            "end_step must be greater than start_step. Found start_step={start} and end_step={end}."
        ))),
        (Some(start), Some(end)) => Ok(Some((start, end))),
        (None, None) => Ok(None),
        _ => Err(MlflowError::invalid("If either start step or end step are specified, both must be specified.")),
    }
}

/// The last point of a page, which is where the next one begins.
#[derive(Serialize, Deserialize)]
struct Place {
    timestamp: i64,
    step: i64,
    /// None for NaN.
    value: Option<f64>,
}

fn token_of(point: &Point) -> String {
    let value = (!point.is_nan()).then_some(point.value);
    let place = Place { timestamp: point.timestamp_ms, step: point.step, value };
    STANDARD.encode(serde_json::to_vec(&place).expect("numbers are written to memory"))
}

fn point_of(token: &str) -> MlflowResult<Point> {
    let place = STANDARD.decode(token).ok().and_then(|bytes| serde_json::from_slice::<Place>(&bytes).ok());
    let Place { timestamp, step, value } = place
        .ok_or_else(|| MlflowError::invalid("Invalid page token: use the next_page_token of an answer, unchanged."))?;
    Ok(Point::new(timestamp, step, value.unwrap_or(f64::NAN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_point_exactly() {
        for value in [0.1, -f64::MAX, 5e-324, f64::NAN, 0.0] {
            let point = Point::new(1_700_000_000_123, i64::MIN, value);
            assert_eq!(point_of(&token_of(&point)).unwrap(), point);
        }
        assert!(point_of("nonsense").is_err() && point_of("").is_err());
    }
}
