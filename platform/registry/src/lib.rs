//! Models, versions, aliases and the bundles they point at.
//!
//! Invariant: a version's bundle never changes; only aliases move, and each move writes an audit row.

mod bundle;

use serde_json::Value;
use tiegel_context::{Context, OpError, OpResult};
use tiegel_store::{ModelVersionRow, NewModelVersion};
use tiegel_types::{Digest, Metrics, Name, RunId};

pub use bundle::{Bundle, BundleModel, ReplayTables, Stage};

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
    let new = NewModelVersion { project, model, bundle, run_id: run, metrics, alias, actor };
    Ok(ctx.store.register_version(new, ctx.now_ms()).await?)
}

/// Which version an endpoint asks for; none while it does not exist.
pub async fn resolve(
    ctx: &Context,
    model: &Name,
    alias: Option<&Name>,
    version: Option<u32>,
) -> OpResult<Option<ModelVersionRow>> {
    let version = match (alias, version) {
        (_, Some(version)) => Some(version),
        (Some(alias), None) => ctx.store.alias(model, alias).await?,
        (None, None) => None,
    };
    match version {
        Some(version) => Ok(ctx.store.model_version(model, version).await?),
        None => Ok(None),
    }
}
