use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tiegel_types::{JobState, ResourceRef, StepState};

use super::Client;
use super::output::{self, Format, cell, duration};
use super::project::{ProjectArg, section};

/// How often a waiting command asks for news.
const POLL_MS: u64 = 200;

#[derive(Args)]
pub struct RunArgs {
    /// `kind/name`, such as `training/delay`.
    target: ResourceRef,
    /// Show progress and wait for the end; exit code 1 if it fails.
    #[arg(long)]
    wait: bool,
    /// Run every step again, whatever is stored.
    #[arg(long)]
    no_cache: bool,
    #[arg(long, default_value = "default")]
    project: String,
}

#[derive(Args)]
pub struct WhyArgs {
    /// A run's id, or `latest`.
    run: String,
    /// A step's name; the pipeline's name may be left out.
    step: String,
}

pub async fn run(client: &Client, args: &RunArgs) -> anyhow::Result<ExitCode> {
    let body = json!({ "target": args.target, "no_cache": args.no_cache });
    let job: Value = client.post(&format!("/api/v1/projects/{}/jobs", args.project), &body).await?;
    let id = cell(&job["id"]);
    if !args.wait {
        match client.format {
            Format::Json => drop(output::json(&job)?),
            Format::Text => println!("run {id} is queued; follow it with `tiegel status`, or use --wait"),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let job = wait(client, &id).await?;
    if client.format == Format::Json {
        output::json(&job)?;
    }
    match state(&job["state"])? {
        JobState::Succeeded => Ok(ExitCode::SUCCESS),
        state => anyhow::bail!("run {id} {state}: {}", cell(&job["error"])),
    }
}

/// Follows a job to its end on standard error: bars on a terminal, lines elsewhere.
async fn wait(client: &Client, id: &str) -> anyhow::Result<Value> {
    let mut view = View::default();
    loop {
        let job: Value = client.get(&format!("/api/v1/jobs/{id}")).await?;
        view.show(&job);
        if state(&job["state"])?.is_final() {
            view.finish(&job);
            return Ok(job);
        }
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
}

fn state(value: &Value) -> anyhow::Result<JobState> {
    cell(value).parse().map_err(anyhow::Error::msg)
}

#[derive(Default)]
struct View {
    bars: MultiProgress,
    steps: BTreeMap<String, (ProgressBar, String)>,
}

impl View {
    fn show(&mut self, job: &Value) {
        for step in job["steps"].as_array().into_iter().flatten() {
            let (name, state) = (cell(&step["name"]), cell(&step["state"]));
            if state == StepState::Waiting.as_str() {
                continue;
            }
            let (bar, shown) = self.steps.entry(name.clone()).or_insert_with(|| (spinner(&self.bars), String::new()));
            if state == StepState::Running.as_str() {
                bar.set_message(format!("{name}  {}", step["progress"].as_str().unwrap_or("running")));
            } else if *shown != state {
                let line = finished_line(step);
                bar.finish_and_clear();
                if self.bars.println(&line).is_err() || self.bars.is_hidden() {
                    eprintln!("{line}");
                }
            }
            shown.clone_from(&state);
        }
    }

    fn finish(&self, job: &Value) {
        let took = job["finished_ms"].as_i64().zip(job["created_ms"].as_i64()).map_or(0, |(end, start)| end - start);
        let steps = job["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        let cached = steps.iter().filter(|s| s["state"] == StepState::Cached.as_str()).count();
        eprintln!("{}: {} steps, {cached} cached, {}", cell(&job["state"]), steps.len(), duration(took));
    }
}

fn spinner(bars: &MultiProgress) -> ProgressBar {
    let bar = bars.add(ProgressBar::new_spinner());
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn finished_line(step: &Value) -> String {
    let took = step["finished_ms"].as_i64().zip(step["started_ms"].as_i64()).map_or(0, |(end, start)| end - start);
    let state = cell(&step["state"]);
    let mark = match state.as_str() {
        "succeeded" | "cached" => "ok ",
        _ => "ERR",
    };
    let rows = step["rows"].as_u64().map(|rows| format!(", {rows} rows")).unwrap_or_default();
    let why = step["why"].as_str().unwrap_or_default();
    let text = if why.is_empty() { state } else { why.to_owned() };
    format!("{mark} {:<28} {:>9}{rows}  ({text})", cell(&step["name"]), duration(took))
}

pub async fn why(client: &Client, args: &WhyArgs) -> anyhow::Result<ExitCode> {
    let request = client.request(reqwest::Method::GET, &format!("/api/v1/jobs/{}/why", args.run));
    let why: Value = client.send(request.query(&[("step", &args.step)])).await?.json().await?;
    if client.format == Format::Json {
        return output::json(&why);
    }
    println!("{} {}", cell(&why["step"]), cell(&why["state"]));
    for line in why["lines"].as_array().into_iter().flatten() {
        println!("  {}", cell(line));
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn list(client: &Client, args: &ProjectArg) -> anyhow::Result<ExitCode> {
    let jobs: Value = client.get(&format!("/api/v1/projects/{}/jobs", args.project)).await?;
    if client.format == Format::Json {
        return output::json(&jobs);
    }
    section("jobs", &jobs, &["id", "target", "state", "error"]);
    Ok(ExitCode::SUCCESS)
}

pub async fn cancel(client: &Client, run: &str) -> anyhow::Result<ExitCode> {
    let job: Value = client.post(&format!("/api/v1/jobs/{run}/cancel"), &json!({})).await?;
    println!("asked run {} to stop", cell(&job["id"]));
    Ok(ExitCode::SUCCESS)
}
