use std::collections::BTreeMap;

use serde_json::{Map, Number, Value as Json, json};

use super::MlflowDatabase;
use super::select::{As, int, pairs, places, text, texts};
use crate::Result;
use crate::db::{Row, Tx};

const SESSION_METADATA: &str = "mlflow.trace.session";
const NAME_TAG: &str = "mlflow.traceName";
/// Columns of newer databases that clients see as JSON in the metadata, by metadata key.
const NUMBERS: [(&str, &[&str]); 2] = [
    (
        "mlflow.trace.tokenUsage",
        &[
            "input_tokens",
            "output_tokens",
            "total_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "cache_creation_input_tokens_above_1hr",
        ],
    ),
    ("mlflow.trace.cost", &["input_cost", "output_cost", "total_cost"]),
];
/// Where the first of them is in a selected row.
const NUMBERS_AT: usize = 10;

const TRACE: [(&str, As); NUMBERS_AT] = [
    ("request_id", As::Text),
    ("experiment_id", As::Int),
    ("timestamp_ms", As::Int),
    ("execution_time_ms", As::Int),
    ("status", As::Text),
    ("client_request_id", As::Text),
    ("request_preview", As::Text),
    ("response_preview", As::Text),
    ("trace_name", As::Text),
    ("session_id", As::Text),
];
const ASSESSMENT: [(&str, As); 14] = [
    ("trace_id", As::Text),
    ("assessment_id", As::Text),
    ("name", As::Text),
    ("assessment_type", As::Text),
    ("value", As::Text),
    ("error", As::Text),
    ("created_timestamp", As::Int),
    ("last_updated_timestamp", As::Int),
    ("source_type", As::Text),
    ("source_id", As::Text),
    ("span_id", As::Text),
    ("rationale", As::Text),
    ("overrides", As::Text),
    ("assessment_metadata", As::Text),
];

#[derive(Clone, Debug, PartialEq)]
pub struct ForeignTrace {
    pub trace_id: String,
    pub experiment_id: i64,
    pub timestamp_ms: i64,
    pub duration_ms: Option<i64>,
    pub state: String,
    pub client_request_id: Option<String>,
    pub request_preview: Option<String>,
    pub response_preview: Option<String>,
    pub tags: Vec<(String, String)>,
    pub metadata: Vec<(String, String)>,
    pub assessments: Vec<ForeignAssessment>,
    /// Each as the JSON that MLflow's server keeps; empty where the spans are in a file.
    pub spans: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ForeignAssessment {
    pub assessment_id: String,
    pub name: String,
    /// `feedback`, `expectation` or another.
    pub kind: String,
    /// JSON.
    pub value: String,
    /// JSON.
    pub error: Option<String>,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub source_type: String,
    pub source_id: Option<String>,
    pub span_id: Option<String>,
    pub rationale: Option<String>,
    pub overrides: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
}

impl MlflowDatabase {
    /// The next traces of an experiment by id after `after`. Fewer than `limit` are the last.
    pub async fn traces(&self, experiment: i64, after: &str, limit: usize) -> Result<Vec<ForeignTrace>> {
        if !self.has("trace_info") {
            return Ok(Vec::new());
        }
        let numbers = NUMBERS.iter().flat_map(|(_, columns)| columns.iter().map(|column| (*column, As::Real)));
        let columns: Vec<_> = TRACE.into_iter().chain(numbers).collect();
        let sql = format!(
            "{} WHERE experiment_id = $1 AND request_id > $2 ORDER BY request_id LIMIT $3",
            self.select("trace_info", &columns)
        );
        let (database, after) = (self.clone(), after.to_owned());
        self.read(move |tx| {
            let values = [experiment.into(), (&after).into(), (limit as i64).into()];
            let traces = tx.rows(&sql, &values, |row| read(&row))?;
            if traces.is_empty() { Ok(traces) } else { database.complete_traces(tx, traces) }
        })
        .await
    }

    fn complete_traces(&self, tx: &mut Tx<'_>, mut traces: Vec<ForeignTrace>) -> Result<Vec<ForeignTrace>> {
        let ids: Vec<_> = traces.iter().map(|trace| trace.trace_id.clone()).collect();
        let values = texts(&ids);
        let pair = [("request_id", As::Text), ("key", As::Text), ("value", As::Text)];
        let of = |table: &str| {
            let places = places(ids.len(), 1);
            format!("{} WHERE request_id IN {places} ORDER BY request_id, key", self.select(table, &pair))
        };
        let mut tags = pairs(tx, &of("trace_tags"), &values)?;
        let mut metadata = pairs(tx, &of("trace_request_metadata"), &values)?;
        let mut assessments = self.assessments(tx, &ids)?;
        let mut spans = self.spans(tx, &ids)?;
        for trace in &mut traces {
            let id = &trace.trace_id;
            add_missing(&mut trace.tags, tags.remove(id).unwrap_or_default());
            add_missing(&mut trace.metadata, metadata.remove(id).unwrap_or_default());
            trace.assessments = assessments.remove(id).unwrap_or_default();
            trace.spans = spans.remove(id).unwrap_or_default();
        }
        Ok(traces)
    }

    fn assessments(&self, tx: &mut Tx<'_>, traces: &[String]) -> Result<BTreeMap<String, Vec<ForeignAssessment>>> {
        let mut assessments = BTreeMap::<String, Vec<ForeignAssessment>>::new();
        if self.has("assessments") {
            let select = self.select("assessments", &ASSESSMENT);
            let order = "ORDER BY trace_id, created_timestamp, assessment_id";
            let sql = format!("{select} WHERE trace_id IN {} {order}", places(traces.len(), 1));
            tx.for_each(&sql, &texts(traces), |row| {
                assessments.entry(row.text(0)?).or_default().push(assessment(&row)?);
                Ok(())
            })?;
        }
        Ok(assessments)
    }

    fn spans(&self, tx: &mut Tx<'_>, traces: &[String]) -> Result<BTreeMap<String, Vec<String>>> {
        let mut spans = BTreeMap::<String, Vec<String>>::new();
        if self.has_column("spans", "content") {
            let sql = format!(
                "SELECT CAST(trace_id AS TEXT), CAST(content AS TEXT) FROM spans WHERE trace_id IN {} \
                 ORDER BY trace_id, start_time_unix_nano, span_id",
                places(traces.len(), 1)
            );
            tx.for_each(&sql, &texts(traces), |row| {
                spans.entry(row.text(0)?).or_default().push(row.text(1)?);
                Ok(())
            })?;
        }
        Ok(spans)
    }
}

fn read(row: &Row<'_>) -> Result<ForeignTrace> {
    let mut metadata: Vec<_> =
        row.text_opt(9)?.map(|session| (SESSION_METADATA.to_owned(), session)).into_iter().collect();
    let mut at = NUMBERS_AT;
    for (key, columns) in NUMBERS {
        let mut numbers = Map::new();
        for column in columns {
            if let Some(value) = row.real_opt(at)? {
                numbers.insert((*column).to_owned(), number(value));
            }
            at += 1;
        }
        if !numbers.is_empty() {
            metadata.push((key.to_owned(), Json::Object(numbers).to_string()));
        }
    }
    Ok(ForeignTrace {
        trace_id: row.text(0)?,
        experiment_id: row.int(1)?,
        timestamp_ms: int(row, 2)?,
        duration_ms: row.int_opt(3)?,
        state: text(row, 4)?,
        client_request_id: row.text_opt(5)?,
        request_preview: row.text_opt(6)?,
        response_preview: row.text_opt(7)?,
        tags: row.text_opt(8)?.map(|name| (NAME_TAG.to_owned(), name)).into_iter().collect(),
        metadata,
        assessments: Vec::new(),
        spans: Vec::new(),
    })
}

/// Counts of tokens are whole; costs need not be.
fn number(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return json!(value as i64);
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

/// What a column says goes before what a row of an older version says.
fn add_missing(known: &mut Vec<(String, String)>, found: Vec<(String, String)>) {
    for (key, value) in found {
        if known.iter().all(|(other, _)| *other != key) {
            known.push((key, value));
        }
    }
    known.sort();
}

fn assessment(row: &Row<'_>) -> Result<ForeignAssessment> {
    Ok(ForeignAssessment {
        assessment_id: row.text(1)?,
        name: text(row, 2)?,
        kind: text(row, 3)?,
        value: text(row, 4)?,
        error: row.text_opt(5)?,
        created_ms: int(row, 6)?,
        updated_ms: int(row, 7)?,
        source_type: text(row, 8)?,
        source_id: row.text_opt(9)?,
        span_id: row.text_opt(10)?,
        rationale: row.text_opt(11)?,
        overrides: row.text_opt(12)?,
        metadata: row.text_opt(13)?,
    })
}
