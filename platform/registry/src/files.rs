//! A bundle's files under names, so that clients list and download them as those of any model.

use serde_json::{Value, json};
use tiegel_context::{Context, OpError, OpResult};
use tiegel_store::ArtifactRow;
use tiegel_types::Digest;

use crate::{Bundle, Stage};

/// Where clients find the files of bundles: below it a folder for each, named by its digest.
const LOCATION: &str = "mlflow-artifacts:/";
const FOLDER: &str = "bundles";
/// What MLflow's clients read of a model first. It is written last: where it is, all is.
const DESCRIPTION: &str = "MLmodel";

pub(crate) fn location(bundle: &Digest) -> String {
    format!("{LOCATION}{}", folder(bundle))
}

fn folder(bundle: &Digest) -> String {
    format!("{FOLDER}/{}", bundle.hex())
}

/// Gives the files of a bundle their names. The bytes are where they are; again changes nothing.
pub(crate) async fn publish(ctx: &Context, digest: &Digest, bundle: &Bundle, signature: &Value) -> OpResult<()> {
    let folder = folder(digest);
    if ctx.store.artifact(&format!("{folder}/{DESCRIPTION}")).await?.is_some() {
        return Ok(());
    }
    let description = serde_json::to_vec_pretty(&description(digest, signature))
        .map_err(|e| OpError::internal(format!("cannot describe bundle {digest}: {e}")))?;
    let mut files = files(digest, bundle);
    files.push((DESCRIPTION.to_owned(), ctx.blobs.put_bytes(description.into()).await?));
    for (name, digest) in files {
        let bytes = ctx.blobs.size(&digest).await?;
        let row = ArtifactRow { path: format!("{folder}/{name}"), digest, bytes, modified_ms: ctx.now_ms() };
        ctx.store.put_artifact(row).await?;
    }
    Ok(())
}

fn files(digest: &Digest, bundle: &Bundle) -> Vec<(String, Digest)> {
    let mut files = vec![("bundle.json".to_owned(), *digest), ("weights.safetensors".to_owned(), bundle.model.weights)];
    for stage in &bundle.stages {
        if let Stage::Wasm { step, plugin, state, .. } = stage {
            files.push((format!("stages/{step}/plugin.wasm"), *plugin));
            files.extend(state.as_ref().map(|state| (format!("stages/{step}/state.bin"), state.digest)));
        }
    }
    files
}

/// The model in MLflow's words. Its file is YAML, which JSON is too.
fn description(digest: &Digest, signature: &Value) -> Value {
    let part = |name: &str| match &signature[name] {
        Value::Null => Value::Null,
        columns => json!(columns.to_string()),
    };
    json!({
        "flavors": { "tiegel": { "bundle": digest, "format": Bundle::FORMAT, "data": "bundle.json" } },
        "signature": { "inputs": part("inputs"), "outputs": part("outputs"), "params": part("params") },
    })
}
