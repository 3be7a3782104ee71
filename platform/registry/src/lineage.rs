use serde_json::Value;
use tiegel_context::{Context, OpResult};
use tiegel_store::ModelVersionRow;
use tiegel_types::{Digest, JobId, Table};

use crate::{Stage, get_bundle};

/// What a version was made from, as far as this server made it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lineage {
    pub job_id: Option<JobId>,
    /// The tables that the job read, by the name of their step.
    pub data: Vec<(String, Digest)>,
    /// The plugins of the bundle's stages, in order.
    pub plugins: Vec<(String, Digest)>,
}

pub async fn lineage(ctx: &Context, version: &ModelVersionRow) -> OpResult<Lineage> {
    let mut lineage = Lineage { job_id: version.job_id, ..Lineage::default() };
    if let Some(job) = version.job_id {
        let steps = ctx.store.steps(job).await?;
        let datasets = steps.into_iter().filter(|step| step.kind == "dataset");
        lineage.data = datasets.filter_map(|step| Some((step.name, table_digest(step.output?)?))).collect();
    }
    if let Some(bundle) = version.bundle {
        let plugin = |stage| match stage {
            Stage::Wasm { label, plugin, .. } => Some((label, plugin)),
            Stage::Sql { .. } => None,
        };
        lineage.plugins = get_bundle(ctx, &bundle).await?.stages.into_iter().filter_map(plugin).collect();
    }
    Ok(lineage)
}

fn table_digest(mut output: Value) -> Option<Digest> {
    let table: Table = serde_json::from_value(output.get_mut("table")?.take()).ok()?;
    Some(table.digest())
}
