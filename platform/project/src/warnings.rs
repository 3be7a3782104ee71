use std::collections::BTreeSet;

use tiegel_context::{Ctx, OpResult};
use tiegel_spec::{PluginPin, PluginRef};
use tiegel_types::Name;

use crate::graph::Snapshot;

/// What of a project works and should not stay so.
pub async fn warnings(ctx: &Ctx, project: &Name, snapshot: &Snapshot) -> OpResult<Vec<String>> {
    let mut wanted = BTreeSet::new();
    for (pipeline, spec) in &snapshot.pipelines {
        for (step, spec) in &spec.steps {
            wanted.extend(spec.wasm.as_deref().map(|plugin| (pipeline, step, plugin)));
        }
    }
    let mut warnings = Vec::new();
    for (pipeline, step, plugin) in wanted {
        // What cannot be resolved was refused before.
        let Ok(PluginRef { name, pin }) = plugin.parse() else { continue };
        let (version, digest) = match &pin {
            PluginPin::Newest => (None, None),
            PluginPin::Version(version) => (Some(version.as_str()), None),
            PluginPin::Digest(digest) => (None, Some(digest)),
        };
        let row = ctx.store.plugin(project, &name, version, digest).await?;
        if let Some(row) = row
            && let Some(reason) = row.deprecation
        {
            let version = row.version;
            warnings
                .push(format!("pipeline '{pipeline}', step '{step}': plugin {name}@{version} is deprecated: {reason}"));
        }
    }
    Ok(warnings)
}
