//! Spans over OTLP, as JSON.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::load::many;
use super::peer::Server;
use super::seed::experiment;
use super::table::Figure;
use crate::bench::http::Connection;

const TIME: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 2;
/// Ten traces of 50 spans in a request.
const TRACES: usize = 10;
const SPANS: usize = 50;

pub fn measure(server: &Server) -> Result<Vec<Figure>> {
    let experiment = experiment(&mut server.connect()?, "spans")?;
    let load = many(server, CONNECTIONS, TIME, |c, n| request(c, &experiment, n))?;
    Ok(vec![Figure::rate("OTLP", "spans/s", load.per_second() * (TRACES * SPANS) as f64)])
}

fn request(connection: &Connection, experiment: &str, number: usize) -> Vec<u8> {
    let spans: Vec<Value> = (0..TRACES * SPANS).map(|at| span(number * TRACES + at / SPANS, at % SPANS)).collect();
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    let header = ("x-mlflow-experiment-id", experiment);
    connection.request_with("POST", "/v1/traces", Some(&body), &[header])
}

fn span(trace: usize, at: usize) -> Value {
    let start = 1_700_000_000_000_000_000_u64 + (trace * SPANS + at) as u64 * 1_000;
    let mut span = json!({
        "traceId": format!("{:032x}", trace + 1),
        "spanId": format!("{:016x}", at + 1),
        "name": if at == 0 { "answer" } else { "retrieve" },
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": (start + 500_000).to_string(),
        "attributes": [
            { "key": "mlflow.spanType", "value": { "stringValue": "\"RETRIEVER\"" } },
            { "key": "mlflow.spanInputs", "value": { "stringValue": "{\"question\": \"what is a crucible?\"}" } },
        ],
    });
    if at > 0 {
        span["parentSpanId"] = json!(format!("{:016x}", 1));
    }
    span
}
