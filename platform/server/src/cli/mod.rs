//! The command line. Every command but `serve`, `config`, `schema` and those of a plugin's author is a client of the native
//! API.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line answers there")]

mod attack;
mod client;
mod distribution;
mod documents;
mod gc;
mod jobs;
mod local;
mod migrate;
mod new;
mod output;
mod plugins;
mod project;
mod prove;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use client::Client;

#[derive(Parser)]
#[command(name = "tiegel", version, about = "A machine-learning platform in one binary", max_term_width = 120)]
pub struct Cli {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

/// Which server and project a command speaks to.
#[derive(Args, Clone)]
pub struct Target {
    /// The server's URL.
    #[arg(long, global = true, env = "TIEGEL_SERVER", default_value = "http://127.0.0.1:8484")]
    server: String,
    /// The server's admin token.
    #[arg(long, global = true, env = "TIEGEL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How to print: text or json.
    #[arg(short, long, global = true, default_value = "text")]
    output: output::Format,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(local::Serve),
    /// Check, show or describe the server's configuration.
    Config {
        #[command(subcommand)]
        action: local::ConfigAction,
    },
    /// Print the JSON Schema of project files, for editors.
    Schema,
    /// Print the OpenAPI document.
    Openapi,
    /// Show what applying a project folder would change, and which steps would run. Exit code 0: nothing, 2: changes.
    Plan(project::Folder),
    /// Make a folder's documents the project's; uploads the files that they name.
    Apply(project::ApplyArgs),
    /// Print the project's documents as YAML, or take what is tracked to another server.
    #[command(args_conflicts_with_subcommands = true)]
    Export {
        #[command(subcommand)]
        action: Option<migrate::ExportAction>,
        #[command(flatten)]
        project: project::ProjectArg,
    },
    /// Bring a dataset, pipeline, training or endpoint up to date with all that it needs.
    Run(jobs::RunArgs),
    /// Say why a step of a run ran or did not.
    Why(jobs::WhyArgs),
    /// List the newest runs of a project.
    Jobs(project::ProjectArg),
    /// Ask a run to stop.
    Cancel {
        /// A run's id, or `latest`.
        run: String,
    },
    /// Show datasets, pipelines, models and endpoints with their state.
    Status(project::ProjectArg),
    /// Build, sign, push, pull and list plugins.
    Plugin {
        #[command(subcommand)]
        action: plugins::PluginAction,
    },
    /// Compile the component on standard input: what the server starts, so that compiling has limits of its own.
    #[command(hide = true)]
    CompilePlugin { memory_bytes_max: u64, cpu_seconds_max: u64 },
    /// Remove deleted runs, experiments and logged models for good, with their files; and stored contents that nothing
    /// names any more. What is active is never touched; until then a deleted thing can be restored.
    Gc(gc::GcArgs),
    /// Bring what another server tracks into this one.
    Import {
        #[command(subcommand)]
        action: migrate::ImportAction,
    },
}

/// Runs the command line; errors go to standard error with exit code 1.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { target, command } = cli;
    match command {
        Command::Serve(serve) => local::serve(serve),
        Command::Config { action } => local::config(action),
        Command::Schema => output::json(&tiegel_spec::json_schema()),
        Command::Openapi => output::json(&tiegel_api::openapi()),
        Command::Plugin { action: plugins::PluginAction::Build(build) } => plugins::build(&build),
        Command::Plugin { action: plugins::PluginAction::New(args) } => new::new(&args),
        Command::Plugin { action: plugins::PluginAction::Test(args) } => prove::test(target.output, &args),
        Command::Plugin { action: plugins::PluginAction::Attack(args) } => attack::attack(target.output, &args),
        Command::CompilePlugin { memory_bytes_max, cpu_seconds_max } => {
            Ok(ExitCode::from(tiegel_wasm::compile_stdin(memory_bytes_max, cpu_seconds_max)))
        }
        remote => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(remote_command(target, remote))
        }
    }
}

async fn remote_command(target: Target, command: Command) -> anyhow::Result<ExitCode> {
    let client = Client::new(&target)?;
    match command {
        Command::Plan(folder) => project::plan(&client, &folder).await,
        Command::Apply(apply) => project::apply(&client, &apply).await,
        Command::Export { action: None, project } => project::export(&client, &project).await,
        Command::Export { action: Some(migrate::ExportAction::Mlflow(args)), .. } => {
            migrate::export_mlflow(&target, args).await
        }
        Command::Import { action: migrate::ImportAction::Mlflow(args) } => migrate::import_mlflow(&target, args).await,
        Command::Run(run) => jobs::run(&client, &run).await,
        Command::Why(why) => jobs::why(&client, &why).await,
        Command::Jobs(project) => jobs::list(&client, &project).await,
        Command::Cancel { run } => jobs::cancel(&client, &run).await,
        Command::Status(project) => project::status(&client, &project).await,
        Command::Gc(args) => gc::collect(&client, &args).await,
        Command::Plugin { action } => plugins::remote(&client, action).await,
        Command::Serve(_)
        | Command::Config { .. }
        | Command::Schema
        | Command::Openapi
        | Command::CompilePlugin { .. } => {
            anyhow::bail!("this command needs no server")
        }
    }
}

/// Where project files are looked for.
fn default_folder() -> PathBuf {
    PathBuf::from(".")
}
