//! Models, versions, aliases and the bundles they point at; what clients may name them and where their files may be; the
//! webhooks that are told of changes.
//!
//! Invariants: a version's bundle never changes; only aliases move, and each move writes an audit row. A version's files
//! lie where its run or its logged model keeps them, and nowhere that a client could not reach without this server. A
//! webhook never makes this server call an address of its own network, unless the operator allows it.

mod bundle;
mod files;
mod lineage;
mod names;
mod signature;
mod source;
mod uri;
mod webhooks;

use serde_json::Value;
use tiegel_context::{Context, OpError, OpResult};
use tiegel_store::{Change, ModelVersionRow, NewModelVersion, Scope};
use tiegel_types::{Digest, Metrics, Name, RunId};

pub use bundle::{Bundle, BundleModel, ReplayTables, Stage};
pub use lineage::{Lineage, lineage};
pub use names::check_alias;
pub use signature::{columns, signature_of};
pub use source::{ModelUri, check_prompt_source, check_source, is_within, not_contained};
pub use uri::Uri;
pub use webhooks::{
    SendError, Sent, WebhookDeliverer, WebhookPolicy, WebhookSender, event_of, event_parts, example_of,
};

/// Stores a bundle's manifest; its weights and states are stored already.
pub async fn put_bundle(ctx: &Context, bundle: &Bundle) -> OpResult<Digest> {
    let manifest = serde_json::to_vec(bundle).map_err(|e| OpError::internal(format!("cannot write a bundle: {e}")))?;
    Ok(ctx.blobs.put_bytes(manifest.into()).await?)
}

pub async fn get_bundle(ctx: &Context, digest: &Digest) -> OpResult<Bundle> {
    let manifest = ctx.blobs.get(digest).await?;
    let value: Value = serde_json::from_slice(&manifest)
        .map_err(|e| OpError::internal(format!("bundle {digest} is not readable: {e}")))?;
    let format = value["format"].as_u64().unwrap_or(0);
    if format != u64::from(Bundle::FORMAT) {
        let message = format!(
            "bundle {digest} has format {format}; this version of tiegel reads format {}. Upgrade tiegel, or train the model again",
            Bundle::FORMAT
        );
        return Err(OpError::invalid("bundle_format", message));
    }
    serde_json::from_value(value).map_err(|e| OpError::internal(format!("bundle {digest} is not readable: {e}")))
}

/// Gives a version that a client registered the metrics of its logged model, or else of its run.
pub async fn complete_metrics(ctx: &Context, version: &mut ModelVersionRow) -> OpResult<()> {
    if version.metrics.is_empty() && version.bundle.is_none() && !version.run_id.is_empty() {
        let Ok(run) = version.run_id.parse() else { return Ok(()) };
        let latest = ctx.store.latest_metrics(&run).await?;
        version.metrics = latest.into_iter().map(|(key, point)| (key, point.value)).collect();
    }
    Ok(())
}

pub struct Registration {
    pub project: Name,
    pub model: Name,
    pub alias: Option<Name>,
    pub bundle: Digest,
    pub run: Option<RunId>,
    pub metrics: Metrics,
    /// Who did it, for the audit.
    pub actor: String,
}

/// Makes a version of the bundle, or finds the one it has, and moves the alias to it.
pub async fn register(ctx: &Context, registration: Registration) -> OpResult<ModelVersionRow> {
    let Registration { project, model, alias, bundle, run, metrics, actor } = registration;
    let manifest = get_bundle(ctx, &bundle).await?;
    let signature = signature::of_bundle(&manifest);
    files::publish(ctx, &bundle, &manifest, &signature).await?;
    let new = NewModelVersion {
        project,
        model: model.to_string(),
        bundle,
        location: files::location(&bundle),
        run_id: run,
        metrics,
        signature: Some(signature),
        alias: alias.map(|alias| alias.to_string()),
    };
    Ok(ctx.store.register_version(new, Change { actor, at_ms: ctx.now_ms(), scope: Scope::All }).await?)
}

/// What an endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Missing,
    /// A version that a client registered: its files are the client's own, and no bundle that could serve.
    WithoutBundle(u32),
    Bundle(WantedBundle),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedBundle {
    pub version: u32,
    pub bundle: Digest,
}

pub async fn resolve(ctx: &Context, model: &Name, alias: Option<&Name>, version: Option<u32>) -> OpResult<Wanted> {
    let version = match (alias, version) {
        (_, Some(version)) => Some(version),
        (Some(alias), None) => ctx.store.alias(model.as_str(), alias.as_str()).await?,
        (None, None) => None,
    };
    let Some(version) = version else { return Ok(Wanted::Missing) };
    Ok(match ctx.store.model_version(model.as_str(), version).await?.map(|row| row.bundle) {
        None => Wanted::Missing,
        Some(None) => Wanted::WithoutBundle(version),
        Some(Some(bundle)) => Wanted::Bundle(WantedBundle { version, bundle }),
    })
}

#[cfg(test)]
mod tests;
