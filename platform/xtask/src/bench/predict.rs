//! The time of one prediction for one row, over one kept connection on loopback.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::BenchArgs;
use super::figures::Figures;
use super::http::Connection;
use super::server::{Server, is_ready};

const DEMO_DATA: &str = "deploy/examples/flights/.tiegel-data";
const DISTINCT_ROWS: usize = 500;
const WARM_UP_REQUESTS: usize = 500;

pub fn measure(root: &Path, bin: &Path, args: &BenchArgs) -> Result<Figures> {
    let (host, _server) = server(root, bin, args)?;
    let mut connection = Connection::open(&host)?;
    let rows = rows(&mut connection, args)?;
    let path = format!("/api/v1/endpoints/{}/predict", args.endpoint);
    let requests: Vec<Vec<u8>> =
        rows.into_iter().map(|row| connection.request("POST", &path, Some(&json!({ "rows": [row] })))).collect();
    let mut samples_ms = Vec::with_capacity(args.requests);
    for (i, request) in requests.iter().cycle().take(WARM_UP_REQUESTS + args.requests).enumerate() {
        let start = Instant::now();
        let response = connection.send(request)?;
        let elapsed_ms = start.elapsed().as_secs_f64() * 1e3;
        if response.status != 200 {
            bail!("{path} answered {}: {}", response.status, String::from_utf8_lossy(&response.body));
        }
        if i >= WARM_UP_REQUESTS {
            samples_ms.push(elapsed_ms);
        }
    }
    Ok(Figures::new("predict one row", "ms", samples_ms))
}

/// The server asked for, or one of our own over what `make demo` left.
fn server(root: &Path, bin: &Path, args: &BenchArgs) -> Result<(String, Option<Server>)> {
    if is_ready(&args.server) {
        return Ok((args.server.clone(), None));
    }
    let data = root.join(DEMO_DATA);
    if !data.exists() {
        bail!("no server at {} and no demo data: run `make demo` first", args.server);
    }
    let server = Server::start(bin, &data)?;
    Ok((server.host.clone(), Some(server)))
}

/// Stored rows, cut down to the columns that the endpoint asks for.
fn rows(connection: &mut Connection, args: &BenchArgs) -> Result<Vec<Value>> {
    let model = connection.json("GET", &format!("/v2/models/{}", args.endpoint), None)?;
    let inputs = model["inputs"].as_array().context("the model's metadata lists no inputs")?;
    let names: Vec<&str> = inputs.iter().filter_map(|input| input["name"].as_str()).collect();
    let path = format!("/api/v1/projects/default/datasets/{}/rows?limit={DISTINCT_ROWS}", args.rows_of);
    let answer = connection.json("GET", &path, None)?;
    let stored =
        answer.as_array().or_else(|| answer["rows"].as_array()).context("the table's rows are no JSON list")?;
    let cut = |row: &Value| {
        let wanted = names.iter().map(|name| ((*name).to_owned(), row[*name].clone()));
        Value::Object(wanted.collect::<Map<_, _>>())
    };
    let rows: Vec<Value> = stored.iter().map(cut).collect();
    if rows.is_empty() {
        bail!("'{}' has no rows", args.rows_of);
    }
    Ok(rows)
}
