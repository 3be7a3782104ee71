use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::Method;
use serde_json::Value;
use tiegel_distribution::{EMPTY, plugin_artifact, signature_artifact, tag_of};
use tiegel_signing::{FILE_SUFFIX, Signature};
use tiegel_types::{Digest, limits};
use tiegel_wasm::package::Package;

use super::keys::{read_key, read_signatures, with_suffix};
use super::reference::RegistryRef;
use super::registry::Remote;
use super::{Client, RegistryArgs};
use crate::cli::output::cell;
use crate::cli::prove;

#[derive(Args)]
pub struct Push {
    /// Components, or plugins' folders, which are built first. Signatures in FILE.sig beside them go with them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// `oci://HOST/REPOSITORY:TAG` instead of the server; the tag is the component's version where it is left out.
    #[arg(long)]
    to: Option<RegistryRef>,
    /// A private key to sign with.
    #[arg(long)]
    sign: Option<PathBuf>,
    #[arg(long, default_value = "default", conflicts_with = "to")]
    project: String,
    #[command(flatten)]
    registry: RegistryArgs,
}

struct Signed {
    wasm: Vec<u8>,
    digest: Digest,
    signatures: Vec<Signature>,
}

pub async fn push(client: &Client, args: &Push) -> anyhow::Result<ExitCode> {
    if args.to.as_ref().is_some_and(|to| to.reference.is_some()) && args.files.len() > 1 {
        bail!("one tag names one component: leave the tag out, or push one file");
    }
    for file in &args.files {
        let signed = signed(file, args.sign.as_deref())?;
        let pushed = match &args.to {
            None => push_own(client, &args.project, signed).await,
            Some(to) => push_oci(to, &args.registry, (file, signed)).await,
        };
        println!("pushed {}", pushed.with_context(|| format!("{} was refused", file.display()))?);
    }
    Ok(ExitCode::SUCCESS)
}

pub fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    if bytes > limits::PLUGIN_BYTES_MAX as u64 {
        bail!("{} has {bytes} bytes; a plugin has at most {}", file.display(), limits::PLUGIN_BYTES_MAX);
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn signed(file: &Path, key: Option<&Path>) -> anyhow::Result<Signed> {
    let wasm = if file.is_dir() { prove::component(file)? } else { read(file)? };
    let digest = Digest::of(&wasm);
    let beside = with_suffix(file, FILE_SUFFIX);
    let mut signatures = if beside.exists() { read_signatures(&beside)? } else { vec![] };
    for signature in &signatures {
        signature.verify(&digest).with_context(|| beside.display().to_string())?;
    }
    if let Some(key) = key {
        let signature = read_key(key)?.sign(&digest);
        signatures.retain(|other| other.key() != signature.key());
        signatures.push(signature);
    }
    Ok(Signed { wasm, digest, signatures })
}

async fn push_own(client: &Client, project: &str, signed: Signed) -> anyhow::Result<String> {
    let mut request = client.request(Method::POST, &format!("/api/v1/projects/{project}/plugins"));
    for signature in &signed.signatures {
        request = request.header("tiegel-signature", signature.to_string());
    }
    let sent = client.send(request.header("content-type", "application/wasm").body(signed.wasm)).await?;
    let plugin: Value = sent.json().await?;
    let by = super::signers(&plugin["signed_by"]).map(|by| format!(", signed by {by}")).unwrap_or_default();
    Ok(format!("{}@{} {}{by}", cell(&plugin["name"]), cell(&plugin["version"]), cell(&plugin["digest"])))
}

/// Signatures go first: a registry that asks for them then has them when the component's manifest comes.
async fn push_oci(to: &RegistryRef, args: &RegistryArgs, (file, signed): (&Path, Signed)) -> anyhow::Result<String> {
    let package = Package::read(&signed.wasm)?;
    let (name, version) = match (package.manifest(), &to.reference) {
        (Some(manifest), _) => (manifest.name.clone(), manifest.version.clone()),
        (None, Some(tag)) => {
            (file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), tag.replace('_', "+"))
        }
        (None, None) => bail!("it carries no manifest that says its version: name a tag"),
    };
    let tag = to.reference.clone().unwrap_or_else(|| tag_of(&version));
    let artifact = plugin_artifact((signed.digest, signed.wasm.len() as u64), &name, &version);
    let remote = Remote::new(to, args)?;
    for blob in [&signed.wasm, &artifact.config] {
        remote.put_blob(blob).await?;
    }
    for signature in &signed.signatures {
        let about = signature_artifact(signature, (artifact.digest, artifact.bytes.len() as u64));
        remote.put_blob(signature.to_string().as_bytes()).await?;
        remote.put_blob(EMPTY).await?;
        remote.put_manifest(&about.digest.to_string(), &about.bytes).await?;
    }
    remote.put_manifest(&tag, &artifact.bytes).await?;
    Ok(format!("oci://{}/{}:{tag} {}", to.host, to.repository, artifact.digest))
}
