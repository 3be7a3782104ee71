use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::Client;
use super::output::{self, Format, cell};
use super::project::{ProjectArg, section};

#[derive(Subcommand)]
pub enum PluginAction {
    /// Build a plugin's crate into a component.
    Build(Build),
    /// Attack a component with malformed and extreme input, or without one: this host with hostile plugins. Exit code 0:
    /// all of it was contained, 1: something was not.
    Attack(super::attack::AttackArgs),
    /// Push components to a project.
    Push(Push),
    /// List a project's plugins.
    List(ProjectArg),
    /// Show what a plugin says of itself.
    Inspect(Inspect),
}

#[derive(Args)]
pub struct Build {
    /// The folder of the plugin's Cargo.toml.
    folder: PathBuf,
    /// Where to write the component; by default NAME.wasm in the folder.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Push {
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[arg(long, default_value = "default")]
    project: String,
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
        PluginAction::Build(args) => build(&args),
        PluginAction::Attack(args) => super::attack::attack(client.format, &args),
        PluginAction::Push(args) => push(client, &args).await,
        PluginAction::List(args) => list(client, &args).await,
        PluginAction::Inspect(args) => inspect(client, &args).await,
    }
}

async fn push(client: &Client, args: &Push) -> anyhow::Result<ExitCode> {
    for file in &args.files {
        let wasm = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let request = client.request(Method::POST, &format!("/api/v1/projects/{}/plugins", args.project));
        let sent = client.send(request.header("content-type", "application/wasm").body(wasm)).await;
        let plugin: Value = sent.with_context(|| format!("{} was refused", file.display()))?.json().await?;
        println!("pushed {}@{} {}", cell(&plugin["name"]), cell(&plugin["version"]), cell(&plugin["digest"]));
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, args: &ProjectArg) -> anyhow::Result<ExitCode> {
    let plugins: Value = client.get(&format!("/api/v1/projects/{}/plugins", args.project)).await?;
    if client.format == Format::Json {
        return output::json(&plugins);
    }
    section("plugins", &plugins, &["name", "version", "bytes", "digest"]);
    Ok(ExitCode::SUCCESS)
}

async fn inspect(client: &Client, args: &Inspect) -> anyhow::Result<ExitCode> {
    let (name, version) = args.plugin.split_once('@').map_or((args.plugin.as_str(), None), |(n, v)| (n, Some(v)));
    let request = client.request(Method::GET, &format!("/api/v1/projects/{}/plugins/{name}", args.project));
    let query: Vec<_> = version.map(|v| ("version", v)).into_iter().collect();
    let plugin: Value = client.send(request.query(&query)).await?.json().await?;
    output::json(&plugin)
}
