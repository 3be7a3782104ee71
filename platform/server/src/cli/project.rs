use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use tiegel_project::{Applied, Change, ChangeAction, Plan, StepVerdict};

use super::output::{Format, cell, json, table};
use super::{Client, default_folder, documents};

#[derive(Args)]
pub struct Folder {
    /// The project folder, or one YAML file.
    #[arg(short = 'f', long = "folder", default_value_os_t = default_folder())]
    pub folder: PathBuf,
    /// Also remove what the folder no longer names.
    #[arg(long)]
    pub prune: bool,
}

#[derive(Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    folder: Folder,
    /// Refuse if somebody applied since the plan that showed this serial.
    #[arg(long)]
    serial: Option<i64>,
}

#[derive(Args)]
pub struct ProjectArg {
    #[arg(long, default_value = "default")]
    pub project: String,
}

/// Nothing to change: 0. Changes: 2.
const CHANGES: u8 = 2;

pub async fn plan(client: &Client, args: &Folder) -> anyhow::Result<ExitCode> {
    let folder = documents::read(&args.folder)?;
    let path = format!("/api/v1/projects/{}/plan", folder.project);
    let plan: Plan = client.post(&path, &folder.request(args.prune, None)).await?;
    if client.format == Format::Json {
        json(&plan)?;
    } else {
        print_plan(&plan);
    }
    let changes = plan.changes.iter().any(|c| c.action != ChangeAction::None);
    let runs = plan.steps.iter().any(|s| s.verdict == StepVerdict::Run);
    Ok(ExitCode::from(if changes || runs { CHANGES } else { 0 }))
}

fn print_plan(plan: &Plan) {
    print_changes(&plan.changes);
    println!("\nsteps:");
    let mark = |verdict| if verdict == StepVerdict::Cached { "cached" } else { "run" };
    let rows: Vec<_> =
        plan.steps.iter().map(|s| vec![format!("  {}", mark(s.verdict)), s.step.clone(), s.why.clone()]).collect();
    table(&rows);
    if !plan.pipelines.is_empty() {
        println!("\nendpoints take:");
    }
    for pipeline in &plan.pipelines {
        println!("  {}: {}", pipeline.pipeline, pipeline.serves);
    }
    print_warnings(&plan.warnings);
    println!("\nserial {}", plan.serial);
}

fn print_warnings(warnings: &[String]) {
    for warning in warnings {
        println!("warning: {warning}");
    }
}

fn print_changes(changes: &[Change]) {
    for change in changes {
        let (sign, word) = match change.action {
            ChangeAction::Create => ("+", "create"),
            ChangeAction::Update => ("~", "update"),
            ChangeAction::Delete => ("-", "delete"),
            ChangeAction::None => continue,
        };
        println!("{sign} {word} {}/{}", change.kind, change.name);
        for field in &change.fields {
            println!("    {}: {} -> {}", field.path, value(field.old.as_ref()), value(field.new.as_ref()));
        }
    }
    let same = changes.iter().filter(|c| c.action == ChangeAction::None).count();
    if same > 0 {
        println!("  {same} documents unchanged");
    }
}

fn value(value: Option<&Value>) -> String {
    value.map_or("(absent)".to_owned(), Value::to_string)
}

pub async fn apply(client: &Client, args: &ApplyArgs) -> anyhow::Result<ExitCode> {
    let folder = documents::read(&args.folder.folder)?;
    for (file, digest) in &folder.files {
        if client.upload(file, digest).await? {
            eprintln!("uploaded {}", file.display());
        }
    }
    let path = format!("/api/v1/projects/{}/apply", folder.project);
    let applied: Applied = client.post(&path, &folder.request(args.folder.prune, args.serial)).await?;
    if client.format == Format::Json {
        return json(&applied);
    }
    print_changes(&applied.changes);
    print_warnings(&applied.warnings);
    println!("applied; serial {}", applied.serial);
    Ok(ExitCode::SUCCESS)
}

pub async fn export(client: &Client, args: &ProjectArg) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/projects/{}/export", args.project);
    print!("{}", client.send(client.request(Method::GET, &path)).await?.text().await?);
    Ok(ExitCode::SUCCESS)
}

pub async fn status(client: &Client, args: &ProjectArg) -> anyhow::Result<ExitCode> {
    let overview: Value = client.get(&format!("/api/v1/overview?project={}", args.project)).await?;
    if client.format == Format::Json {
        return json(&overview);
    }
    println!("tiegel {} at project {}", cell(&overview["version"]), cell(&overview["project"]));
    section("datasets", &overview["datasets"], &["name", "version", "rows", "columns", "bytes"]);
    section("models", &overview["models"], &["name", "latest_version"]);
    section("endpoints", &overview["endpoints"], &["name", "state", "model", "live_version", "message"]);
    section("jobs", &overview["jobs"], &["id", "target", "state", "steps_done", "steps_total", "error"]);
    Ok(ExitCode::SUCCESS)
}

pub fn section(title: &str, rows: &Value, columns: &[&str]) {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    println!("\n{title}: {}", rows.len());
    if rows.is_empty() {
        return;
    }
    let head = columns.iter().map(|c| c.replace('_', " ")).collect();
    let body = rows.iter().map(|row| columns.iter().map(|c| cell(&row[*c])).collect());
    let indented = std::iter::once(head).chain(body).map(|mut row: Vec<String>| {
        row[0] = format!("  {}", row[0]);
        row
    });
    table(&indented.collect::<Vec<_>>());
}
