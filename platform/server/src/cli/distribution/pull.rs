use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use tiegel_distribution::tag_of;
use tiegel_signing::FILE_SUFFIX;
use tiegel_types::{Digest, Name};

use super::keys::{check, with_suffix, write_signatures};
use super::reference::RegistryRef;
use super::registry::Remote;
use super::{Client, RegistryArgs};

#[derive(Args)]
pub struct Pull {
    /// `name` or `name@version` of the server, or `oci://HOST/REPOSITORY:TAG`.
    plugin: String,
    /// Where to write the component; by default NAME.wasm. Its signatures go beside it.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A public key, or its file; may be given several times. Without a signature by one of them nothing is written.
    #[arg(long)]
    trusted: Vec<String>,
    #[arg(long, default_value = "default")]
    project: String,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub async fn pull(client: &Client, args: &Pull) -> anyhow::Result<ExitCode> {
    let (remote, name, reference) = if RegistryRef::is_one(&args.plugin) {
        let place: RegistryRef = args.plugin.parse().map_err(anyhow::Error::msg)?;
        let name = place.repository.rsplit('/').next().unwrap_or_default().to_owned();
        let Some(reference) = place.reference.clone() else {
            bail!("name a version: {}:TAG; `tiegel plugin list {0}` shows them", args.plugin);
        };
        (Remote::new(&place, &args.registry)?, name, reference)
    } else {
        own(client, args).await?
    };
    let (manifest, digest) = remote.manifest(&reference).await?;
    let wasm = remote.component(&manifest).await?;
    let signatures = remote.signatures(&digest).await?;
    let component = Digest::of(&wasm);
    if !args.trusted.is_empty() {
        check(&component, &signatures, &args.trusted).with_context(|| format!("{} was not written", args.plugin))?;
    }
    let out = args.out.clone().unwrap_or_else(|| format!("{name}.wasm").into());
    std::fs::write(&out, &wasm).with_context(|| format!("cannot write {}", out.display()))?;
    if !signatures.is_empty() {
        write_signatures(&with_suffix(&out, FILE_SUFFIX), &signatures)?;
    }
    println!("{} ({} bytes, {} signatures) {component}", out.display(), wasm.len(), signatures.len());
    Ok(ExitCode::SUCCESS)
}

/// A plugin of the server, of its highest version unless one is named.
async fn own(client: &Client, args: &Pull) -> anyhow::Result<(Remote, String, String)> {
    let (name, version) = args.plugin.split_once('@').map_or((args.plugin.as_str(), None), |(n, v)| (n, Some(v)));
    let name = Name::new(name)?;
    let version = match version {
        Some(version) => version.to_owned(),
        None => {
            let plugin: Value = client.get(&format!("/api/v1/projects/{}/plugins/{name}", args.project)).await?;
            plugin["version"].as_str().context("the server names no version")?.to_owned()
        }
    };
    Ok((Remote::own(client, &args.project, name.as_str())?, name.to_string(), tag_of(&version)))
}
