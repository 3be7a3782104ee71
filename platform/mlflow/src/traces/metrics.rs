//! Figures about traces, spans and assessments, for charts.

use axum::extract::State;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use tiegel_store::traces::{MetricDimension, MetricRow, MetricValue, MetricView, TraceMetricFilter, TraceMetricQuery};

use super::{experiment_ids, listed};
use crate::params::{Params, invalid, missing};
use crate::wire::Answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult};

/// Data points of one answer.
const POINTS_DEFAULT: i64 = 1_000;
const POINTS_MAX: i64 = 50_000;

pub(super) async fn metrics(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let metric = Metric::read(&params)?;
    let aggregations = aggregations(&params, metric)?;
    let dimensions = dimensions(&params, metric)?;
    let points_max = params.int("max_results")?.unwrap_or(POINTS_DEFAULT).clamp(0, POINTS_MAX);
    let query = query(&params, metric, &aggregations, &dimensions)?;
    let rows = state.ctx.store.trace_metrics(&workspace.scope(), query).await?;
    let point = |row: &MetricRow| {
        let mut named = Map::new();
        named.extend(row.bucket_ms.map(|ms| ("time_bucket".to_owned(), json!(iso(ms)))));
        let texts = dimensions.iter().zip(&row.dimensions);
        named.extend(texts.map(|((name, _), text)| ((*name).to_owned(), json!(text))));
        let values: Map<String, Value> =
            aggregations.iter().map(|aggregation| (aggregation.name(), json!(aggregation.of(row)))).collect();
        json!({ "metric_name": metric.name, "dimensions": named, "values": values })
    };
    let shown = usize::try_from(points_max).unwrap_or(0);
    Ok(Answer(listed("data_points", rows.iter().take(shown).map(point).collect())))
}

fn query(
    params: &Params,
    metric: &Metric,
    aggregations: &[Aggregation],
    dimensions: &[Named<MetricDimension>],
) -> MlflowResult<TraceMetricQuery> {
    let ids = params.texts("experiment_ids")?;
    if ids.is_empty() {
        return Err(missing("experiment_ids"));
    }
    let (from_ms, until_ms) = (params.int("start_time_ms")?, params.int("end_time_ms")?);
    let seconds = params.int("time_interval_seconds")?.filter(|seconds| *seconds != 0);
    if seconds.is_some() && (from_ms.is_none() || until_ms.is_none()) {
        let message = "start_time_ms and end_time_ms are required if time_interval_seconds is set";
        return Err(MlflowError::invalid(message));
    }
    let bucket_ms = seconds.map(|seconds| seconds.checked_mul(1_000).filter(|ms| *ms > 0));
    let filters = params.texts("filters")?;
    Ok(TraceMetricQuery {
        experiment_ids: experiment_ids(&ids)?,
        view: metric.view,
        value: metric.value,
        dimensions: dimensions.iter().map(|(_, dimension)| *dimension).collect(),
        filters: filters.iter().map(|filter| read_filter(filter, metric.view)).collect::<MlflowResult<_>>()?,
        bucket_ms: bucket_ms
            .map(|ms| ms.ok_or_else(|| MlflowError::invalid("time_interval_seconds must be a positive number")))
            .transpose()?,
        from_ms,
        until_ms,
        keeps_values: aggregations.iter().any(|aggregation| matches!(aggregation, Aggregation::Percentile(_))),
    })
}

fn iso(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

type Named<T> = (&'static str, T);

/// A metric, what may be asked of it and by what it is grouped.
struct Metric {
    name: &'static str,
    view: MetricView,
    value: MetricValue,
    aggregations: &'static [&'static str],
    dimensions: &'static [Named<MetricDimension>],
}

const COUNTS: &[&str] = &["COUNT"];
const SUMS: &[&str] = &["AVG", "MAX", "MIN", "PERCENTILE", "SUM"];
const MEANS: &[&str] = &["AVG", "MAX", "MIN", "PERCENTILE"];
const TRACE_NAME: &[Named<MetricDimension>] = &[("trace_name", MetricDimension::TraceName)];
const MODELS: &[Named<MetricDimension>] =
    &[("span_model_name", MetricDimension::SpanModel), ("span_model_provider", MetricDimension::SpanProvider)];

const fn traces(name: &'static str, value: MetricValue, aggregations: &'static [&'static str]) -> Metric {
    Metric { name, view: MetricView::Traces, value, aggregations, dimensions: TRACE_NAME }
}

const fn cost(name: &'static str) -> Metric {
    Metric { name, view: MetricView::Spans, value: MetricValue::Cost(name), aggregations: SUMS, dimensions: MODELS }
}

const fn tokens(name: &'static str) -> Metric {
    traces(name, MetricValue::Tokens(name), SUMS)
}

static METRICS: [Metric; 15] = [
    Metric {
        dimensions: &[("trace_name", MetricDimension::TraceName), ("trace_status", MetricDimension::TraceState)],
        ..traces("trace_count", MetricValue::Count, COUNTS)
    },
    Metric { dimensions: &[], ..traces("session_count", MetricValue::Sessions, COUNTS) },
    traces("latency", MetricValue::Latency, MEANS),
    tokens("input_tokens"),
    tokens("output_tokens"),
    tokens("total_tokens"),
    tokens("cache_read_input_tokens"),
    tokens("cache_creation_input_tokens"),
    Metric {
        name: "span_count",
        view: MetricView::Spans,
        value: MetricValue::Count,
        aggregations: COUNTS,
        dimensions: &[
            ("span_name", MetricDimension::SpanName),
            ("span_type", MetricDimension::SpanKind),
            ("span_status", MetricDimension::SpanStatus),
            ("span_model_name", MetricDimension::SpanModel),
            ("span_model_provider", MetricDimension::SpanProvider),
        ],
    },
    Metric {
        name: "latency",
        view: MetricView::Spans,
        value: MetricValue::Latency,
        aggregations: MEANS,
        dimensions: &[("span_name", MetricDimension::SpanName), ("span_status", MetricDimension::SpanStatus)],
    },
    cost("input_cost"),
    cost("output_cost"),
    cost("total_cost"),
    Metric {
        name: "assessment_count",
        view: MetricView::Assessments,
        value: MetricValue::Count,
        aggregations: COUNTS,
        dimensions: &[
            ("assessment_name", MetricDimension::AssessmentName),
            ("assessment_value", MetricDimension::AssessmentValue),
        ],
    },
    Metric {
        name: "assessment_value",
        view: MetricView::Assessments,
        value: MetricValue::Number,
        aggregations: MEANS,
        dimensions: &[("assessment_name", MetricDimension::AssessmentName)],
    },
];

const VIEWS: [Named<MetricView>; 3] =
    [("TRACES", MetricView::Traces), ("SPANS", MetricView::Spans), ("ASSESSMENTS", MetricView::Assessments)];

impl Metric {
    fn read(params: &Params) -> MlflowResult<&'static Self> {
        let value = params.get("view_type")?.ok_or_else(|| missing("view_type"))?;
        let view = enumerated(value, &VIEWS).ok_or_else(|| invalid("view_type", value))?;
        let name = params.required_text("metric_name")?;
        let of_view = || METRICS.iter().filter(|metric| metric.view == view);
        of_view().find(|metric| metric.name == name).ok_or_else(|| {
            let known: Vec<_> = of_view().map(|metric| metric.name).collect();
            MlflowError::invalid(format!("metric_name must be one of {}, got '{name}'", quoted(&known)))
        })
    }
}

/// An enumeration's value, by its name or its number from 1.
fn enumerated<T: Copy>(value: &Value, names: &[Named<T>]) -> Option<T> {
    let known = match value {
        Value::Number(number) => names.get(usize::try_from(number.as_u64()?.checked_sub(1)?).ok()?),
        value => names.iter().find(|(name, _)| value == name),
    };
    known.map(|(_, known)| *known)
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", names.join(", "))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Aggregation {
    Plain(&'static str),
    Percentile(f64),
}

const AGGREGATIONS: [Named<&str>; 6] =
    [("COUNT", "COUNT"), ("SUM", "SUM"), ("AVG", "AVG"), ("PERCENTILE", "PERCENTILE"), ("MIN", "MIN"), ("MAX", "MAX")];

fn aggregations(params: &Params, metric: &Metric) -> MlflowResult<Vec<Aggregation>> {
    let asked = params.messages("aggregations")?;
    if asked.is_empty() {
        return Err(missing("aggregations"));
    }
    asked
        .iter()
        .map(|fields| {
            let value = fields.get("aggregation_type")?.ok_or_else(|| missing("aggregations[].aggregation_type"))?;
            let name = enumerated(value, &AGGREGATIONS).ok_or_else(|| invalid("aggregation_type", value))?;
            if !metric.aggregations.contains(&name) {
                return Err(MlflowError::invalid(format!(
                    "Found invalid aggregation_type(s): ['{name}']. Supported aggregation types: {}",
                    quoted(metric.aggregations)
                )));
            }
            match (name, fields.double("percentile_value")?) {
                ("PERCENTILE", Some(percent)) if (0.0..=100.0).contains(&percent) => {
                    Ok(Aggregation::Percentile(percent))
                }
                ("PERCENTILE", _) => {
                    Err(MlflowError::invalid("A PERCENTILE aggregation needs a percentile_value between 0 and 100"))
                }
                (_, Some(_)) => {
                    Err(MlflowError::invalid(format!("percentile_value is for PERCENTILE alone, not for {name}")))
                }
                _ => Ok(Aggregation::Plain(name)),
            }
        })
        .collect()
}

impl Aggregation {
    fn name(self) -> String {
        match self {
            Self::Plain(name) => name.to_owned(),
            Self::Percentile(percent) => format!("P{percent:?}"),
        }
    }

    fn of(self, row: &MetricRow) -> f64 {
        match self {
            Self::Plain("COUNT") => row.count as f64,
            Self::Plain("SUM") => row.sum,
            Self::Plain("AVG") => row.sum / row.count as f64,
            Self::Plain("MIN") => row.min,
            Self::Plain(_) => row.max,
            Self::Percentile(percent) => percentile(&row.values, percent),
        }
    }
}

/// Between two values it lies on the line.
fn percentile(values: &[f64], percent: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let place = percent / 100.0 * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last index")]
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    values[below] + (values[above] - values[below]) * (place - below as f64)
}

fn dimensions(params: &Params, metric: &Metric) -> MlflowResult<Vec<Named<MetricDimension>>> {
    let known: Vec<_> = metric.dimensions.iter().map(|(name, _)| *name).collect();
    params
        .texts("dimensions")?
        .into_iter()
        .map(|name| {
            metric.dimensions.iter().find(|(known, _)| *known == name).copied().ok_or_else(|| {
                MlflowError::invalid(format!(
                    "Found invalid dimension(s): ['{name}']. Supported dimensions: {}",
                    quoted(&known)
                ))
            })
        })
        .collect()
}

/// One equality, such as ``trace.tag.`my key` = 'x'``.
fn read_filter(filter: &str, view: MetricView) -> MlflowResult<TraceMetricFilter> {
    let refuse = |why: &str| MlflowError::invalid(format!("Invalid filter: '{filter}'. {why}"));
    let (left, right) = halves(filter).ok_or_else(|| refuse("Expected one filter clause, with the operator '='."))?;
    let value = unquoted(right, &['\'', '"']).ok_or_else(|| refuse("Expected a quoted string value."))?.to_owned();
    let mut parts = left.splitn(3, '.');
    let (of, entity) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let key = parts.next().map(|key| unquoted(key, &['`', '"', '\'']).unwrap_or(key).to_owned());
    let only = |wanted: MetricView, name: &str| {
        if view == wanted {
            return Ok(());
        }
        let shown = VIEWS.iter().find(|(_, known)| *known == view).map_or("", |(name, _)| name);
        Err(MlflowError::invalid(format!("Filtering by {of} is only supported for {name} view type, got {shown}")))
    };
    match (of, entity, key) {
        ("trace", "status", None) => Ok(TraceMetricFilter::State(value)),
        ("trace", "tag", Some(key)) => Ok(TraceMetricFilter::Tag(key, value)),
        ("trace", "metadata", Some(key)) => Ok(TraceMetricFilter::Metadata(key, value)),
        ("span", "name", None) => only(MetricView::Spans, "SPANS").map(|()| TraceMetricFilter::SpanName(value)),
        ("span", "status", None) => only(MetricView::Spans, "SPANS").map(|()| TraceMetricFilter::SpanStatus(value)),
        ("span", "type", None) => only(MetricView::Spans, "SPANS").map(|()| TraceMetricFilter::SpanKind(value)),
        ("assessment", "name", None) => {
            only(MetricView::Assessments, "ASSESSMENTS").map(|()| TraceMetricFilter::AssessmentName(value))
        }
        ("assessment", "type", None) => {
            only(MetricView::Assessments, "ASSESSMENTS").map(|()| TraceMetricFilter::AssessmentKind(value))
        }
        ("trace" | "span" | "assessment", ..) => Err(refuse(
            "Valid are trace.status, trace.tag.<key>, trace.metadata.<key>, span.name, span.status, span.type, \
             assessment.name and assessment.type.",
        )),
        _ => Err(refuse("Columns should be specified as 'trace.<key>', 'span.<key>', 'assessment.<key>'.")),
    }
}

/// What is left and right of the `=` that is not inside quotes. Another operator is none.
fn halves(filter: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, letter) in filter.char_indices() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if matches!(letter, '`' | '"' | '\'') => quote = Some(letter),
            None if letter == '=' => {
                let left = filter[..at].trim();
                return (!left.ends_with(['!', '<', '>'])).then_some((left, filter[at + 1..].trim()));
            }
            None => {}
        }
    }
    None
}

fn unquoted<'t>(text: &'t str, quotes: &[char]) -> Option<&'t str> {
    let quote = text.chars().next().filter(|first| quotes.contains(first))?;
    let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inside.contains(quote)).then_some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_lies_between_its_neighbours() {
        let values = [10.0, 20.0, 40.0];
        assert_eq!([0.0, 50.0, 75.0, 100.0].map(|percent| percentile(&values, percent)), [10.0, 20.0, 30.0, 40.0]);
        assert_eq!(percentile(&[7.0], 99.0), 7.0);
        assert_eq!(Aggregation::Percentile(50.0).name(), "P50.0");
    }

    #[test]
    fn filters_are_single_equalities() {
        let read = |filter| read_filter(filter, MetricView::Spans).map_err(|why| why.message);
        let tag = TraceMetricFilter::Tag("a=b".to_owned(), "x = y".to_owned());
        assert_eq!(read("trace.tag.`a=b` = 'x = y'"), Ok(tag));
        assert_eq!(read("span.type=\"LLM\""), Ok(TraceMetricFilter::SpanKind("LLM".to_owned())));
        for bad in [
            "span.name != 'x'",
            "span.name = x",
            "span.name",
            "span.nope = 'x'",
            "trace.tag = 'x'",
            "a = 'b'",
            "span.name = 'a' AND span.name = 'b'",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let elsewhere = read_filter("span.name = 'x'", MetricView::Traces).unwrap_err();
        assert_eq!(elsewhere.message, "Filtering by span is only supported for SPANS view type, got TRACES");
    }
}
