//! Sizes at which MLflow's server would take hours.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::load::one;
use super::peer::Server;
use super::table::Figure;
use super::{reads, seed};

pub const SMALL_BYTES: usize = 64 << 20;
pub const LARGE_BYTES: usize = 2 << 30;
const POINTS: usize = 10_000_000;
const RUNS: usize = 100_000;
const PIECE_BYTES: usize = 1 << 20;
const TIME: Duration = Duration::from_secs(5);

/// One artifact up and down.
pub fn artifacts(server: &Server, bytes: usize) -> Result<Vec<Figure>> {
    let path = "/api/2.0/mlflow-artifacts/artifacts/bench/large.bin";
    let before = server.resident_mib()?;
    let piece: Vec<u8> = (0..PIECE_BYTES).map(|i| ((i * 31) >> 3) as u8).collect();
    let started = Instant::now();
    let mut stream = TcpStream::connect(&server.host)?;
    write!(
        stream,
        "PUT {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n",
        server.host
    )?;
    for number in 0..bytes / PIECE_BYTES {
        stream.write_all(&(number as u64).to_le_bytes())?;
        stream.write_all(&piece[8..])?;
    }
    let answer = std::io::read_to_string(&mut stream)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "the upload was answered {answer}");
    let up = started.elapsed();
    let held = server.resident_mib()? - before;
    let started = Instant::now();
    let mut stream = TcpStream::connect(&server.host)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.host)?;
    let read = std::io::copy(&mut stream, &mut std::io::sink())?;
    ensure!(read as usize > bytes, "the download ended after {read} bytes");
    let down = started.elapsed();
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    Ok(vec![
        Figure::rate("artifact up", "MB/s", rate(up)),
        Figure::rate("artifact down", "MB/s", rate(down)),
        Figure::least("artifact up, memory added", "MiB", held.max(0.01)),
    ])
}

/// Samples of a history of 10 million points.
pub fn points(server: &Server) -> Result<Vec<Figure>> {
    let mut connection = server.connect()?;
    let experiment = seed::experiment(&mut connection, "long history")?;
    let run_id = seed::run(&mut connection, &experiment, 1)?;
    let took = reads::points(server, &run_id, 0..POINTS)?;
    let path = format!(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run_id}&metric_key=loss&max_results=320"
    );
    let mut load = one(server, 20, TIME, |c, _| c.request("GET", &path, None))?;
    Ok(vec![
        Figure::rate("10 million points logged", "metrics/s", POINTS as f64 / took.as_secs_f64()),
        Figure::percentile("history, 320 of 10 million, p50", &mut load.samples_ms, 50.0),
    ])
}

/// The searches again, over 100,000 runs.
pub fn runs(server: &Server) -> Result<Vec<Figure>> {
    let experiment = seed::runs(server, RUNS).context("filling 100,000 runs")?;
    reads::search(server, &experiment, RUNS)
}
