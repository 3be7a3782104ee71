use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use tiegel_config::{Config, Overrides};
use tiegel_telemetry::TelemetryConfig;
use tokio::signal::unix::{SignalKind, signal};

use super::output;
use crate::Server;

const LEFT_OVER_LOOKS_MAX: usize = 50;
const LEFT_OVER_LOOK_MS: u64 = 20;

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    config: ConfigFile,
    /// Address and port to listen on.
    #[arg(long, conflicts_with_all = ["host", "port"])]
    listen: Option<SocketAddr>,
    /// Address to listen on, as for `mlflow server`.
    #[arg(long, value_parser = host)]
    host: Option<IpAddr>,
    /// Port to listen on, as for `mlflow server`.
    #[arg(long)]
    port: Option<u16>,
    /// Where the server keeps its data.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// `postgres://…`, instead of SQLite in the data folder.
    #[arg(long)]
    database_url: Option<String>,
    /// Where new experiments keep artifacts: mlflow-artifacts:/ (through this server), or a folder or URL that clients
    /// write to themselves.
    #[arg(long)]
    default_artifact_root: Option<String>,
    /// A folder or URL for artifacts that come through this server; files that are there already are read too.
    #[arg(long)]
    artifacts_destination: Option<String>,
}

/// A name would be one address today and another tomorrow.
fn host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        address => {
            address.parse().map_err(|_| "write an IP address, such as 127.0.0.1 or 0.0.0.0, or localhost".to_owned())
        }
    }
}

#[derive(Args)]
pub struct ConfigFile {
    /// A TOML file; the environment (TIEGEL_*) and flags go before it.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum ConfigAction {
    /// Check the configuration and say what is wrong with it.
    Check(ConfigFile),
    /// Print the configuration in force, secrets hidden.
    Show(ConfigFile),
    /// Print its JSON Schema.
    Schema,
}

fn load(file: &ConfigFile, overrides: Overrides) -> anyhow::Result<Config> {
    Ok(Config::load_from_process(file.config.as_deref(), overrides)?)
}

pub fn config(action: ConfigAction) -> anyhow::Result<ExitCode> {
    match action {
        ConfigAction::Check(file) => {
            load(&file, Overrides::default())?;
            println!("the configuration is valid");
            Ok(ExitCode::SUCCESS)
        }
        ConfigAction::Show(file) => {
            print!("{}", load(&file, Overrides::default())?.redacted_toml());
            Ok(ExitCode::SUCCESS)
        }
        ConfigAction::Schema => output::json(&Config::json_schema()),
    }
}

pub fn serve(args: Serve) -> anyhow::Result<ExitCode> {
    let Serve { config, listen, host, port, data_dir, database_url, default_artifact_root, artifacts_destination } =
        args;
    let overrides =
        Overrides { listen, host, port, data_dir, database_url, default_artifact_root, artifacts_destination };
    let config = load(&config, overrides)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = config.threads {
        runtime.worker_threads(threads.max(1));
    }
    let runtime = runtime.enable_all().build()?;
    let clean = runtime.block_on(run(&config))?;
    let tasks = runtime.block_on(left_over());
    if tasks > 0 {
        eprintln!("error: {tasks} background tasks were left running");
    }
    Ok(if clean && tasks == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tasks that are still alive after what has ended got a moment to go.
async fn left_over() -> usize {
    let runtime = tokio::runtime::Handle::current();
    for _ in 0..LEFT_OVER_LOOKS_MAX {
        if runtime.metrics().num_alive_tasks() == 0 {
            return 0;
        }
        tokio::time::sleep(Duration::from_millis(LEFT_OVER_LOOK_MS)).await;
    }
    runtime.metrics().num_alive_tasks()
}

/// Serves until SIGTERM or SIGINT.
async fn run(config: &Config) -> anyhow::Result<bool> {
    let telemetry = TelemetryConfig {
        filter: config.telemetry.log.clone(),
        json: config.telemetry.log_format == tiegel_config::LogFormat::Json,
        otlp_endpoint: config.telemetry.otlp_endpoint.as_ref().map(ToString::to_string),
        sample_ratio: config.telemetry.sample_ratio,
        service_version: env!("CARGO_PKG_VERSION"),
    };
    let _telemetry = tiegel_telemetry::init(&telemetry)?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let server = Server::start(config).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for SIGINT")?,
    }
    tracing::info!("stopping");
    Ok(server.shutdown().await)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        serve: Serve,
    }

    fn parse(args: &[&str]) -> Result<Serve, clap::Error> {
        Line::try_parse_from([&["serve"], args].concat()).map(|line| line.serve)
    }

    #[test]
    fn the_flags_of_mlflows_server_are_taken() {
        let args = [
            "--host",
            "localhost",
            "--port",
            "5000",
            "--default-artifact-root",
            "./runs",
            "--artifacts-destination",
            "s3://b",
        ];
        let serve = parse(&args).unwrap();
        assert_eq!((serve.host, serve.port), (Some(Ipv4Addr::LOCALHOST.into()), Some(5_000)));
        assert_eq!(serve.default_artifact_root.as_deref(), Some("./runs"));
        assert_eq!(serve.artifacts_destination.as_deref(), Some("s3://b"));
        assert_eq!(parse(&["--host", "0.0.0.0"]).unwrap().host, Some(Ipv4Addr::UNSPECIFIED.into()));
    }

    #[test]
    fn an_address_is_given_one_way() {
        assert!(parse(&["--listen", "127.0.0.1:1", "--port", "2"]).is_err());
        assert!(parse(&["--host", "ml.example"]).is_err());
    }
}
