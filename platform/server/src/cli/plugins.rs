use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::Client;
use super::distribution::{self, DistributionAction};
use super::output;

#[derive(Subcommand)]
pub enum PluginAction {
    /// Make a folder with a plugin that builds as it is.
    New(super::new::New),
    /// Build a plugin's folder into a component.
    Build(Build),
    /// Run a plugin's cases, what every plugin promises, and attacks. Exit code 0: all hold, 1: something does not.
    Test(super::prove::TestArgs),
    /// Attack a component with malformed and extreme input, or without one: this host with hostile plugins. Exit code 0:
    /// all of it was contained, 1: something was not.
    Attack(super::attack::AttackArgs),
    /// Show what a plugin says of itself.
    Inspect(Inspect),
    #[command(flatten)]
    Distribution(DistributionAction),
}

#[derive(Args)]
pub struct Build {
    /// The folder of the plugin's tiegel-plugin.toml.
    folder: PathBuf,
    /// Where to write the component; by default NAME.wasm in the folder.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Inspect {
    /// `name` or `name@version`.
    plugin: String,
    #[arg(long, default_value = "default")]
    project: String,
}

pub fn build(args: &Build) -> anyhow::Result<ExitCode> {
    let out = match &args.out {
        Some(out) => out.clone(),
        None => {
            let folder =
                args.folder.canonicalize().with_context(|| format!("there is no folder {}", args.folder.display()))?;
            let name = folder.file_name().unwrap_or_default().to_owned();
            folder.join(name).with_extension("wasm")
        }
    };
    let component = tiegel_wasm::build::build_plugin(&args.folder, &out)?;
    println!("{} ({} bytes)", out.display(), component.len());
    Ok(ExitCode::SUCCESS)
}

pub async fn remote(client: &Client, action: PluginAction) -> anyhow::Result<ExitCode> {
    match action {
        PluginAction::New(args) => super::new::new(&args),
        PluginAction::Build(args) => build(&args),
        PluginAction::Test(args) => super::prove::test(client.format, &args),
        PluginAction::Attack(args) => super::attack::attack(client.format, &args),
        PluginAction::Inspect(args) => inspect(client, &args).await,
        PluginAction::Distribution(action) => distribution::run(client, action).await,
    }
}

async fn inspect(client: &Client, args: &Inspect) -> anyhow::Result<ExitCode> {
    let (name, version) = args.plugin.split_once('@').map_or((args.plugin.as_str(), None), |(n, v)| (n, Some(v)));
    let request = client.request(Method::GET, &format!("/api/v1/projects/{}/plugins/{name}", args.project));
    let query: Vec<_> = version.map(|v| ("version", v)).into_iter().collect();
    let plugin: Value = client.send(request.query(&query)).await?.json().await?;
    output::json(&plugin)
}
