//! What a step costs beyond its work: a cached one, and a Wasm one over a single row with its plugin warm.
//!
//! One pipeline has a SQL step and a chain of `calendar` steps, each on a column of its own so that no two share a
//! result. Changing the SQL makes all of them run; running again makes all of them cached.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::figures::Figures;
use super::http::Connection;
use super::server::Server;

const WASM_STEPS: usize = 20;
const ROUNDS: usize = 10;
const POLL: Duration = Duration::from_millis(20);
const PLUGIN: &str = "plugins/dist/calendar.wasm";

pub fn measure(root: &Path, bin: &Path) -> Result<Vec<Figures>> {
    let plugin = root.join(PLUGIN);
    if !plugin.exists() {
        bail!("{PLUGIN} is missing: run `make plugins` first");
    }
    let folder = tempfile::tempdir()?;
    let project = folder.path().join("project");
    fs::create_dir(&project)?;
    fs::write(project.join("one.csv"), "at\n2013-01-01T00:00:00Z\n")?;
    let server = Server::start(bin, &folder.path().join("data"))?;
    let tiegel = |args: &[&str]| tiegel(bin, &server.host, args);
    let project_text = project.to_str().context("the temporary folder's name is not UTF-8")?;
    tiegel(&["plugin", "push", plugin.to_str().context("the repository's path is not UTF-8")?])?;

    let mut connection = Connection::open(&server.host)?;
    let mut cached_ms = Vec::new();
    let mut wasm_ms = Vec::new();
    for round in 0..=ROUNDS {
        fs::write(project.join("tiegel.yaml"), documents(round))?;
        tiegel(&["apply", "-f", project_text])?;
        let fresh = run_job(&mut connection)?;
        let again = run_job(&mut connection)?;
        // The first round compiles the plugin and opens files.
        if round > 0 {
            wasm_ms.extend(wasm_step_ms(&fresh)?);
            cached_ms.push(cached_step_ms(&again)?);
        }
    }
    Ok(vec![Figures::new("cached step", "ms", cached_ms), Figures::new("wasm step over one row, warm", "ms", wasm_ms)])
}

/// The project of one round; every round has another SQL text.
fn documents(round: usize) -> String {
    let columns: Vec<String> = (0..WASM_STEPS).map(|i| format!("at AS at{i}")).collect();
    let mut text = format!(
        "apiVersion: tiegel/v1\nkind: Dataset\nmetadata: {{name: one}}\nspec:\n  source: {{path: one.csv}}\n  columns: {{at: timestamp_us}}\n\
         ---\napiVersion: tiegel/v1\nkind: Pipeline\nmetadata: {{name: steps}}\nspec:\n  steps:\n    rows:\n      \
         sql: \"SELECT {round} AS id, {} FROM one\"\n      key: [id]\n",
        columns.join(", ")
    );
    for i in 0..WASM_STEPS {
        text += &format!("    wasm{i}: {{wasm: calendar, columns: [at{i}]}}\n");
    }
    text
}

fn tiegel(bin: &Path, host: &str, args: &[&str]) -> Result<()> {
    let output = Command::new(bin).arg("--server").arg(format!("http://{host}")).args(args).output()?;
    if !output.status.success() {
        bail!("`tiegel {}` failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Runs the pipeline once and answers the finished job with its steps.
fn run_job(connection: &mut Connection) -> Result<Value> {
    let start = json!({ "target": "pipeline/steps" });
    let job = connection.json("POST", "/api/v1/projects/default/jobs", Some(&start))?;
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().context("the new job has no id")?);
    loop {
        let job = connection.json("GET", &path, None)?;
        match job["state"].as_str() {
            Some("succeeded") => return Ok(job),
            Some("queued" | "running") => thread::sleep(POLL),
            _ => bail!("the job ended as {}: {}", job["state"], job["error"]),
        }
    }
}

fn wasm_step_ms(job: &Value) -> Result<Vec<f64>> {
    let steps = steps(job)?;
    let is_fresh_wasm = |step: &&Value| step["kind"] == "wasm" && step["state"] == "succeeded";
    let fresh: Vec<f64> = steps.iter().filter(is_fresh_wasm).map(elapsed_ms).collect::<Result<_>>()?;
    if fresh.len() != WASM_STEPS {
        bail!("{} Wasm steps ran instead of {WASM_STEPS}", fresh.len());
    }
    Ok(fresh)
}

/// The whole job's time, shared among its steps: looking up a step is too short for the clock of one.
fn cached_step_ms(job: &Value) -> Result<f64> {
    let steps = steps(job)?;
    if let Some(step) = steps.iter().find(|step| step["state"] != "cached") {
        bail!("step {} was {} instead of cached", step["name"], step["state"]);
    }
    Ok(elapsed_ms(job)? / steps.len() as f64)
}

fn steps(job: &Value) -> Result<&Vec<Value>> {
    job["steps"].as_array().filter(|steps| !steps.is_empty()).context("the job lists no steps")
}

fn elapsed_ms(of: &Value) -> Result<f64> {
    let at = |key: &str| of[key].as_f64().with_context(|| format!("no {key} in {of}"));
    Ok(at("finished_ms")? - at("started_ms")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cached_jobs_time_is_shared_among_its_steps() {
        let steps = json!([{ "name": "a", "state": "cached" }, { "name": "b", "state": "cached" }]);
        let job = json!({ "started_ms": 1_000, "finished_ms": 1_008, "steps": steps });
        assert_eq!(cached_step_ms(&job).unwrap(), 4.0);
    }

    #[test]
    fn a_step_that_ran_again_is_no_measurement() {
        let job = json!({ "started_ms": 0, "finished_ms": 1, "steps": [{ "name": "a", "state": "succeeded" }] });
        assert!(cached_step_ms(&job).unwrap_err().to_string().contains("\"a\" was \"succeeded\""));
    }

    #[test]
    fn every_round_has_documents_of_its_own() {
        assert_ne!(documents(1), documents(2));
        assert_eq!(documents(1).matches("wasm: calendar").count(), WASM_STEPS);
    }
}
