//! How plugins travel: keys and signatures, pushing and pulling, this server and other OCI registries.

mod keys;
mod pull;
mod push;
mod reference;
mod registry;
mod transport;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::Client;
use super::output::{self, Format};
use super::project::section;
use reference::RegistryRef;

#[derive(Subcommand)]
pub enum DistributionAction {
    /// Make a pair of keys for signing plugins.
    Keygen(keys::Keygen),
    /// Sign a component: writes FILE.sig beside it.
    Sign(keys::Sign),
    /// Check that a component is what somebody you trust signed.
    Verify(keys::Verify),
    /// Push components to a project, or to an OCI registry.
    Push(push::Push),
    /// Fetch a component, with its signatures.
    Pull(pull::Pull),
    /// Say that no new step should use a version; it stays usable.
    Deprecate(Deprecate),
    /// List a project's plugins, or the versions in an OCI registry.
    List(List),
}

/// How other registries are spoken to.
#[derive(Args, Clone)]
pub struct RegistryArgs {
    /// User name at another OCI registry.
    #[arg(long, env = "TIEGEL_REGISTRY_USER")]
    user: Option<String>,
    /// Password or token at another OCI registry.
    #[arg(long, env = "TIEGEL_REGISTRY_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Speak http to the registry, which is otherwise done only on this machine.
    #[arg(long)]
    plain_http: bool,
}

#[derive(Args)]
pub struct Deprecate {
    /// `name@version`.
    plugin: String,
    /// What to use instead.
    #[arg(long, required_unless_present = "undo")]
    reason: Option<String>,
    /// Take it back.
    #[arg(long, conflicts_with = "reason")]
    undo: bool,
    #[arg(long, default_value = "default")]
    project: String,
}

#[derive(Args)]
pub struct List {
    /// `oci://HOST/REPOSITORY`; without it, a project of the server.
    repository: Option<RegistryRef>,
    #[arg(long, default_value = "default")]
    project: String,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub async fn run(client: &Client, action: DistributionAction) -> anyhow::Result<ExitCode> {
    match action {
        DistributionAction::Keygen(args) => keys::generate(&args),
        DistributionAction::Sign(args) => keys::sign(&args),
        DistributionAction::Verify(args) => keys::verify(&args),
        DistributionAction::Push(args) => push::push(client, &args).await,
        DistributionAction::Pull(args) => pull::pull(client, &args).await,
        DistributionAction::Deprecate(args) => deprecate(client, &args).await,
        DistributionAction::List(args) => list(client, &args).await,
    }
}

async fn deprecate(client: &Client, args: &Deprecate) -> anyhow::Result<ExitCode> {
    let Some((name, version)) = args.plugin.split_once('@') else {
        anyhow::bail!("'{}' names no version: write NAME@VERSION", args.plugin);
    };
    let path = format!("/api/v1/projects/{}/plugins/{name}/versions/{version}/deprecation", args.project);
    client.send(client.request(Method::PUT, &path).json(&json!({ "reason": args.reason }))).await?;
    println!("{} {}", if args.undo { "restored" } else { "deprecated" }, args.plugin);
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, args: &List) -> anyhow::Result<ExitCode> {
    if let Some(repository) = &args.repository {
        let tags = registry::Remote::new(repository, &args.registry)?.tags().await?;
        if client.format == Format::Json {
            return output::json(&tags);
        }
        tags.iter().for_each(|tag| println!("{tag}"));
        return Ok(ExitCode::SUCCESS);
    }
    let mut plugins: Value = client.get(&format!("/api/v1/projects/{}/plugins", args.project)).await?;
    if client.format == Format::Json {
        return output::json(&plugins);
    }
    for plugin in plugins.as_array_mut().into_iter().flatten() {
        plugin["signed_by"] = signers(&plugin["signed_by"]).into();
        plugin["deprecated"] = plugin["deprecation"].take();
    }
    section("plugins", &plugins, &["name", "version", "bytes", "digest", "signed_by", "deprecated"]);
    Ok(ExitCode::SUCCESS)
}

/// The names of trusted keys; the beginnings of others.
fn signers(signed_by: &Value) -> Option<String> {
    let one = |signer: &Value| match signer["trusted_as"].as_str() {
        Some(name) => name.to_owned(),
        None => signer["key"].as_str().unwrap_or_default().chars().take(8).chain("… (not trusted)".chars()).collect(),
    };
    let all: Vec<String> = signed_by.as_array()?.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join(", "))
}
