//! Spans over OTLP.

use anyhow::Result;

use super::Plan;
use super::load::many;
use super::otlp;
use super::peer::Server;
use super::seed::experiment;
use super::table::Figure;

const CONNECTIONS: usize = 2;
/// Ten traces of 50 spans in a request.
const TRACES: usize = 10;
const SPANS: usize = 50;

pub fn measure(server: &Server, plan: Plan) -> Result<Vec<Figure>> {
    let experiment = experiment(&mut server.connect()?, "spans")?;
    let headers = [("content-type", "application/x-protobuf"), ("x-mlflow-experiment-id", experiment.as_str())];
    let make = |number: usize| otlp::request(number * TRACES, TRACES, SPANS);
    let load = many(server, CONNECTIONS, plan.time, |c, n| c.request_of("POST", "/v1/traces", &headers, &make(n)))?;
    let rate = load.per_second() * (TRACES * SPANS) as f64;
    Ok(vec![Figure::rate("OTLP", "spans/s", rate).at_least(20_000.0)])
}
