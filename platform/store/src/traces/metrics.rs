//! Figures about traces, spans and assessments: grouped as the rows pass by, so that both databases answer alike.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value as Json};

use super::SESSION_METADATA;
use super::info::seen_experiments;
use super::tags::TRACE_NAME_TAG;
use crate::db::{Row, Tx, Value, in_lists};
use crate::{Result, Scope, Store, StoreError};

/// Values that one question may keep for percentiles.
const VALUES_LEN_MAX: usize = 5_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricView {
    Traces,
    Spans,
    Assessments,
}

/// What is looked at in each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricValue {
    Count,
    /// How many sessions the traces belong to.
    Sessions,
    /// Milliseconds from start to end.
    Latency,
    /// One of the token keys of a trace.
    Tokens(&'static str),
    /// One of the cost keys of a span.
    Cost(&'static str),
    /// What an assessment says, as a number.
    Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricDimension {
    TraceName,
    TraceState,
    SpanName,
    SpanKind,
    SpanStatus,
    SpanModel,
    SpanProvider,
    AssessmentName,
    AssessmentValue,
}

/// One equality; all must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceMetricFilter {
    State(String),
    Tag(String, String),
    Metadata(String, String),
    SpanName(String),
    SpanKind(String),
    SpanStatus(String),
    AssessmentName(String),
    AssessmentKind(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct TraceMetricQuery {
    pub experiment_ids: Vec<i64>,
    pub view: MetricView,
    pub value: MetricValue,
    pub dimensions: Vec<MetricDimension>,
    pub filters: Vec<TraceMetricFilter>,
    pub bucket_ms: Option<i64>,
    pub from_ms: Option<i64>,
    pub until_ms: Option<i64>,
    /// Whether the values themselves are wanted, for percentiles.
    pub keeps_values: bool,
}

/// What one group of rows comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricRow {
    /// The start of its bucket.
    pub bucket_ms: Option<i64>,
    pub dimensions: Vec<String>,
    pub count: u64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    /// In order; empty unless asked for.
    pub values: Vec<f64>,
}

impl Store {
    /// By bucket, then dimension.
    #[tracing::instrument(name = "db.traces.metrics", skip_all)]
    pub async fn trace_metrics(&self, scope: &Scope, mut query: TraceMetricQuery) -> Result<Vec<MetricRow>> {
        let scope = scope.clone();
        self.query(move |tx| {
            query.experiment_ids = seen_experiments(tx, &scope, &query.experiment_ids)?;
            let mut groups = Groups { query: &query, rows: BTreeMap::new(), sessions: HashSet::new(), kept_len: 0 };
            groups.fill(tx)?;
            Ok(groups.rows.into_values().map(MetricRow::sorted).collect())
        })
        .await
    }
}

impl MetricRow {
    fn add(&mut self, value: f64, is_kept: bool) {
        (self.min, self.max) =
            if self.count == 0 { (value, value) } else { (self.min.min(value), self.max.max(value)) };
        self.count += 1;
        self.sum += value;
        if is_kept {
            self.values.push(value);
        }
    }

    fn sorted(mut self) -> Self {
        self.values.sort_by(f64::total_cmp);
        self
    }
}

type Key = (Option<i64>, Vec<String>);

struct Groups<'q> {
    query: &'q TraceMetricQuery,
    rows: BTreeMap<Key, MetricRow>,
    /// Sessions that were counted, each with its group.
    sessions: HashSet<(Key, String)>,
    kept_len: usize,
}

impl Groups<'_> {
    fn fill(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let query = self.query;
        let conditions = Conditions::of(query);
        for (places, experiments) in in_lists(&query.experiment_ids, conditions.values.len() + 1) {
            let sql = statement(query, &places, &conditions.sql);
            let all: Vec<Value<'_>> = conditions.values.iter().copied().chain(experiments).collect();
            tx.for_each(&sql, &all, |row| self.add(&row))?;
        }
        Ok(())
    }

    /// A row is its time, its value as a number and as text, and its dimensions.
    fn add(&mut self, row: &Row<'_>) -> Result<()> {
        let mut dimensions = Vec::with_capacity(self.query.dimensions.len());
        for at in 0..self.query.dimensions.len() {
            // A row that lacks a dimension belongs to no group.
            let Some(dimension) = row.text_opt(3 + at)? else { return Ok(()) };
            dimensions.push(dimension);
        }
        let time_ms = row.int(0)?;
        let bucket = self.query.bucket_ms.map(|size| time_ms.div_euclid(size) * size);
        let key = (bucket, dimensions);
        let value = match self.query.value {
            MetricValue::Count => Some(1.0),
            MetricValue::Sessions => {
                let is_new = |session| self.sessions.insert((key.clone(), session));
                row.text_opt(2)?.is_some_and(is_new).then_some(1.0)
            }
            MetricValue::Cost(field) => row.text_opt(2)?.as_deref().and_then(|object| amount(object, field)),
            _ => row.real_opt(1)?,
        };
        let Some(value) = value else { return Ok(()) };
        self.kept_len += usize::from(self.query.keeps_values);
        if self.kept_len > VALUES_LEN_MAX {
            return Err(StoreError::Invalid(format!(
                "a percentile over more than {VALUES_LEN_MAX} values is not computed: ask for a shorter time"
            )));
        }
        let group = self.rows.entry(key).or_insert_with_key(|(bucket, dimensions)| MetricRow {
            bucket_ms: *bucket,
            dimensions: dimensions.clone(),
            ..MetricRow::default()
        });
        group.add(value, self.query.keeps_values);
        Ok(())
    }
}

fn amount(object: &str, field: &str) -> Option<f64> {
    let fields: Map<String, Json> = serde_json::from_str(object).ok()?;
    fields.get(field)?.as_f64()
}

fn statement(query: &TraceMetricQuery, experiments: &str, conditions: &str) -> String {
    let (number, text) = match (query.value, query.view) {
        (MetricValue::Latency, MetricView::Spans) => ("(s.end_ns - s.start_ns) / 1000000", "NULL"),
        (MetricValue::Latency, _) => ("t.end_ms - t.timestamp_ms", "NULL"),
        (MetricValue::Tokens(_), _) => ("u.value", "NULL"),
        (MetricValue::Number, _) => ("a.number", "NULL"),
        (MetricValue::Sessions, _) => ("NULL", "t.session_id"),
        (MetricValue::Cost(_), _) => ("NULL", "s.cost"),
        (MetricValue::Count, _) => ("NULL", "NULL"),
    };
    let (time, join) = match query.view {
        MetricView::Traces => ("t.timestamp_ms", ""),
        MetricView::Spans => ("s.start_ns / 1000000", "JOIN spans s ON s.trace = t.id"),
        MetricView::Assessments => ("t.timestamp_ms", "JOIN assessments a ON a.trace = t.id AND a.is_valid = 1"),
    };
    let tokens = match query.value {
        MetricValue::Tokens(key) => format!("JOIN trace_usage u ON u.trace = t.id AND u.key = '{key}'"),
        _ => String::new(),
    };
    let dimensions: String = query.dimensions.iter().map(|dimension| format!(", {}", dimension.column())).collect();
    format!(
        "SELECT {time}, CAST({number} AS DOUBLE PRECISION), CAST({text} AS TEXT){dimensions} \
         FROM traces t {join} {tokens} WHERE t.experiment_id IN ({experiments}){conditions}"
    )
}

/// What must hold, each with ` AND ` in front, and the values from `$1` on.
#[derive(Default)]
struct Conditions<'q> {
    sql: String,
    values: Vec<Value<'q>>,
}

impl<'q> Conditions<'q> {
    /// `#0` and `#1` stand for the values of this condition.
    fn and(&mut self, condition: &str, values: &[Value<'q>]) {
        let mut condition = condition.to_owned();
        for (at, value) in values.iter().enumerate() {
            self.values.push(*value);
            condition = condition.replace(&format!("#{at}"), &format!("${}", self.values.len()));
        }
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition);
    }

    fn of(query: &'q TraceMetricQuery) -> Self {
        let mut all = Self::default();
        let by_span = query.view == MetricView::Spans && matches!(query.value, MetricValue::Cost(_));
        let time = if by_span { "s.start_ns / 1000000" } else { "t.timestamp_ms" };
        if let Some(from) = query.from_ms {
            all.and(&format!("{time} >= #0"), &[from.into()]);
        }
        if let Some(until) = query.until_ms {
            all.and(&format!("{time} <= #0"), &[until.into()]);
        }
        if query.value == MetricValue::Latency && query.view == MetricView::Spans {
            all.and("s.end_ns > 0", &[]);
        }
        for filter in &query.filters {
            let (condition, values) = filter.condition();
            all.and(condition, &values);
        }
        all
    }
}

impl TraceMetricFilter {
    fn condition(&self) -> (&'static str, Vec<Value<'_>>) {
        match self {
            Self::State(state) => ("t.state = #0", vec![state.into()]),
            Self::Tag(key, value) if key == TRACE_NAME_TAG => ("t.name = #0", vec![value.into()]),
            Self::Tag(key, value) => (
                "EXISTS (SELECT 1 FROM trace_tags x WHERE x.trace = t.id AND x.key = #0 AND x.value = #1)",
                vec![key.into(), value.into()],
            ),
            Self::Metadata(key, value) if key == SESSION_METADATA => ("t.session_id = #0", vec![value.into()]),
            Self::Metadata(key, value) if key == super::SOURCE_RUN_METADATA => {
                ("t.id IN (SELECT x.trace FROM trace_runs x WHERE x.run_id = #0)", vec![value.into()])
            }
            Self::Metadata(key, value) => (
                "EXISTS (SELECT 1 FROM trace_metadata x WHERE x.trace = t.id AND x.key = #0 AND x.value = #1)",
                vec![key.into(), value.into()],
            ),
            Self::SpanName(name) => ("s.name = #0", vec![name.into()]),
            Self::SpanKind(kind) => ("s.kind = #0", vec![kind.into()]),
            Self::SpanStatus(status) => ("s.status = #0", vec![status.into()]),
            Self::AssessmentName(name) => ("a.name = #0", vec![name.into()]),
            Self::AssessmentKind(kind) => ("a.kind = #0", vec![kind.into()]),
        }
    }
}

impl MetricDimension {
    fn column(self) -> &'static str {
        match self {
            Self::TraceName => "t.name",
            Self::TraceState => "t.state",
            Self::SpanName => "s.name",
            Self::SpanKind => "s.kind",
            Self::SpanStatus => "s.status",
            Self::SpanModel => "s.model",
            Self::SpanProvider => "s.provider",
            Self::AssessmentName => "a.name",
            Self::AssessmentValue => "a.value",
        }
    }
}
