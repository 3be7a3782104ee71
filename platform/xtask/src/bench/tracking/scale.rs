//! Sizes at which MLflow's server would take hours.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::load::one;
use super::peer::Server;
use super::table::Figure;
use super::{Plan, reads, seed};

const SMALL_BYTES: usize = 64 << 20;
const LARGE_BYTES: usize = 2 << 30;
const POINTS: usize = 10_000_000;
const RUNS: usize = 100_000;
const SAMPLES: usize = 100;
const ARTIFACT: &str = "/api/2.0/mlflow-artifacts/artifacts/bench/large.bin";
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(120);
const PIECE_BYTES: usize = 1 << 20;

/// One artifact up and down.
pub fn artifacts(server: &Server, plan: Plan) -> Result<Vec<Figure>> {
    let bytes = if plan.large { LARGE_BYTES } else { SMALL_BYTES };
    let before = server.resident_mib()?;
    let (up, most_up) = server.resident_mib_during(|| upload(server, bytes))?;
    let (down, most_down) = server.resident_mib_during(|| download(server, bytes))?;
    let label = |what: &str| format!("artifact of {} MiB {what}", bytes >> 20);
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    let added = (most_up.max(most_down) - before).max(0.01);
    Ok(vec![
        Figure::rate(label("up"), "MB/s", rate(up)).at_least(500.0),
        Figure::rate(label("down"), "MB/s", rate(down)).at_least(500.0),
        Figure::least(label("up and down, memory added"), "MiB", added).at_most(20.0),
    ])
}

fn upload(server: &Server, bytes: usize) -> Result<Duration> {
    let piece: Vec<u8> = (0..PIECE_BYTES).map(|i| ((i * 31) >> 3) as u8).collect();
    let started = Instant::now();
    let mut stream = connect(server)?;
    write!(
        stream,
        "PUT {ARTIFACT} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n",
        server.host
    )?;
    for number in 0..bytes / PIECE_BYTES {
        stream.write_all(&(number as u64).to_le_bytes())?;
        stream.write_all(&piece[8..])?;
    }
    let answer = std::io::read_to_string(&mut stream)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "the upload was answered {answer}");
    Ok(started.elapsed())
}

fn download(server: &Server, bytes: usize) -> Result<Duration> {
    let started = Instant::now();
    let mut stream = connect(server)?;
    write!(stream, "GET {ARTIFACT} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.host)?;
    let read = std::io::copy(&mut stream, &mut std::io::sink())?;
    ensure!(read as usize > bytes, "the download ended after {read} bytes");
    Ok(started.elapsed())
}

fn connect(server: &Server) -> Result<TcpStream> {
    let stream = TcpStream::connect(&server.host)?;
    stream.set_read_timeout(Some(TRANSFER_TIMEOUT))?;
    Ok(stream)
}

/// Samples of a history of 10 million points.
pub fn points(server: &Server, plan: Plan) -> Result<Vec<Figure>> {
    let mut connection = server.connect()?;
    let experiment = seed::experiment(&mut connection, "long history")?;
    let run_id = seed::run(&mut connection, &experiment, 1)?;
    let took = reads::points(server, &run_id, 0..POINTS)?;
    let path = format!(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run_id}&metric_key=loss&max_results=320"
    );
    let mut load = one(server, SAMPLES, plan.time, |c, _| c.request("GET", &path, None))?;
    Ok(vec![
        Figure::rate("10 million points logged", "metrics/s", POINTS as f64 / took.as_secs_f64()).at_least(150_000.0),
        Figure::percentile("history of 10 million, 320 sampled, p50", &mut load.samples_ms, 50.0).at_most(50.0),
    ])
}

/// The searches again, over 100,000 runs.
pub fn runs(server: &Server, plan: Plan) -> Result<Vec<Figure>> {
    let experiment = seed::runs(server, RUNS).context("filling 100,000 runs")?;
    reads::search(server, &experiment, Plan { runs: RUNS, ..plan })
}
