use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use tiegel_migrate::{Access, Export, Import, Journal, Report, Source, export, import};
use tiegel_types::transfer::Counts;

use super::Target;
use super::output::{self, Format, table};

/// Both sides have the same: 0. Something differs: 1.
const DIFFERENT: u8 = 1;

#[derive(Subcommand)]
pub enum ImportAction {
    /// Experiments, runs, metrics with their history, artifacts, models and traces of an MLflow server. Can be
    /// interrupted and repeated; ends with a table of both sides.
    Mlflow(ImportArgs),
}

#[derive(Subcommand)]
pub enum ExportAction {
    /// To an MLflow server, through its API. Runs get new ids there, and keep the old one in the tag
    /// `tiegel.source_run_id`.
    Mlflow(ExportArgs),
}

#[derive(Args)]
pub struct ImportArgs {
    /// The MLflow server's URL, or its database: `sqlite:///mlflow.db` or `postgresql://user@host/database`.
    #[arg(long)]
    from: String,
    /// The token of that server.
    #[arg(long, env = "MLFLOW_TRACKING_TOKEN", hide_env_values = true)]
    from_token: Option<String>,
    /// One workspace of that server, where it has several.
    #[arg(long)]
    workspace: Option<String>,
    /// The folder that it was started with as `--artifacts-destination`; needed where `--from` is a database.
    #[arg(long)]
    artifact_root: Option<PathBuf>,
    #[command(flatten)]
    how: How,
    /// The Tiegel server; by default that of --server.
    #[arg(long)]
    to: Option<String>,
}

#[derive(Args)]
pub struct ExportArgs {
    /// The MLflow server's URL.
    #[arg(long)]
    to: String,
    /// The token of that server.
    #[arg(long, env = "MLFLOW_TRACKING_TOKEN", hide_env_values = true)]
    to_token: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct How {
    #[arg(long, default_value = "default")]
    project: String,
    /// Leave files where they are.
    #[arg(long)]
    no_artifacts: bool,
    /// The file that remembers what was moved; by default one in the working directory, of its own for each pair of
    /// servers.
    #[arg(long)]
    state: Option<PathBuf>,
}

impl How {
    fn journal(&self, verb: &str, from: &str, to: &str) -> anyhow::Result<Journal> {
        let path = self.state.clone().unwrap_or_else(|| Journal::default_path(verb, from, to, &self.project));
        Journal::open(&path, from, to, &self.project)
    }
}

pub async fn import_mlflow(target: &Target, args: ImportArgs) -> anyhow::Result<ExitCode> {
    let ImportArgs { from, from_token, workspace, artifact_root, how, to } = args;
    let to = to.unwrap_or_else(|| target.server.clone());
    let journal = how.journal("import", &without_password(&from), &to)?;
    let source = Source::open(Access { url: from, token: from_token, workspace }).await?;
    let job = Import {
        source,
        artifact_root,
        copies_artifacts: !how.no_artifacts,
        to,
        token: target.token.clone(),
        project: how.project,
        journal: journal.clone(),
    };
    let bar = spinner();
    let report = import(job, |counts| show(&bar, counts)).await;
    finish(&bar, report, &journal, target.output)
}

pub async fn export_mlflow(target: &Target, args: ExportArgs) -> anyhow::Result<ExitCode> {
    let ExportArgs { to, to_token, how } = args;
    let journal = how.journal("export", &target.server, &without_password(&to))?;
    let workspace = (how.project != "default").then(|| how.project.clone());
    let job = Export {
        from: Access { url: target.server.clone(), token: target.token.clone(), workspace },
        to: Access { url: to, token: to_token, workspace: None },
        copies_artifacts: !how.no_artifacts,
        journal: journal.clone(),
    };
    let bar = spinner();
    let report = export(job, |counts| show(&bar, counts)).await;
    finish(&bar, report, &journal, target.output)
}

/// A journal is a file that may be passed on.
fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://{host}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}");
    let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}

fn show(bar: &ProgressBar, counts: &Counts) {
    let Counts { runs, points, artifacts, registered_models, traces, .. } = counts;
    bar.set_message(format!(
        "{runs} runs, {points} metric points, {artifacts} files, {registered_models} models, {traces} traces"
    ));
}

fn finish(
    bar: &ProgressBar,
    report: anyhow::Result<Report>,
    journal: &Journal,
    format: Format,
) -> anyhow::Result<ExitCode> {
    bar.finish_and_clear();
    let path = journal.path();
    let report = report.map_err(|error| {
        error.context(format!("interrupted; the same command goes on, {} knows what was moved", path.display()))
    })?;
    match format {
        Format::Json => drop(output::json(&report)?),
        Format::Text => print(&report),
    }
    if report.is_equal() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("the two sides differ; where runs were still logging, repeat the command when they are done");
    Ok(ExitCode::from(DIFFERENT))
}

fn print(report: &Report) {
    let head = ["", "source", "target", ""].map(str::to_owned).to_vec();
    let row = |row: &tiegel_migrate::Row| {
        let mark = if row.is_equal() { "" } else { "DIFFERS" };
        vec![row.what.to_owned(), row.source.to_string(), row.target.to_string(), mark.to_owned()]
    };
    table(&std::iter::once(head).chain(report.rows.iter().map(row)).collect::<Vec<_>>());
    for note in &report.notes {
        println!("note: {note}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_names_no_password() {
        assert_eq!(without_password("https://ann:p@ss@host:1/a"), "https://host:1/a");
        assert_eq!(without_password("sqlite:///a.db"), "sqlite:///a.db");
    }
}
