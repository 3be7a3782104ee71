use std::collections::{BTreeMap, BTreeSet};

use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_engine::SqlStep;
use tiegel_pipeline::{Boundary, PlannedStep, ResolvedPipeline, StepCode, StepOutput, WasmCode, serving_boundary};
use tiegel_registry::Stage;
use tiegel_types::{Name, Schema, Table};

/// What an endpoint runs before the model: the pruned row-wise suffix of the pipeline.
#[derive(Clone, Debug)]
pub struct ServingChain {
    /// The stored rows that the first stage reads.
    pub raw: Table,
    pub stages: Vec<Stage>,
    /// The columns of `raw` that reach a feature.
    pub input: Schema,
}

/// Walks the serving suffix backwards from the features and keeps only what they need.
pub async fn serving_chain(
    ctx: &Ctx,
    pipeline: &ResolvedPipeline,
    outputs: &BTreeMap<Name, StepOutput>,
    tables: &BTreeMap<Name, Table>,
    features: &Schema,
) -> OpResult<ServingChain> {
    let schemas: BTreeMap<_, _> = tables.iter().map(|(n, t)| (n.clone(), t.schema.clone())).collect();
    let (raw_name, steps) = match serving_boundary(ctx, pipeline, &schemas).await? {
        Boundary::Serves { raw, steps } => (raw.name().clone(), steps),
        other => {
            return Err(OpError::invalid("cannot_serve", format!("pipeline '{}' {}", pipeline.name, other.describe())));
        }
    };
    let mut needed: BTreeSet<String> = features.names().map(str::to_owned).collect();
    let mut stages = Vec::new();
    for name in steps.iter().rev() {
        let missing = || OpError::internal(format!("step '{name}' has no output yet"));
        let step = pipeline.step(name).ok_or_else(missing)?;
        let output = outputs.get(name).ok_or_else(missing)?;
        let input = &tables.get(step.inputs[0].name()).ok_or_else(missing)?.schema;
        match &step.code {
            StepCode::Wasm(code) => stages.extend(wasm_stage(step, code, (input, output), &mut needed)?),
            StepCode::Sql(sql) => stages.push(sql_stage(ctx, step, sql, input, &mut needed).await?),
        }
    }
    stages.reverse();
    let raw = tables.get(&raw_name).ok_or_else(|| OpError::internal(format!("table '{raw_name}' is not there yet")))?;
    let input = Schema::new(raw.schema.fields.iter().filter(|f| needed.contains(&f.name)).cloned().collect());
    Ok(ServingChain { raw: raw.clone(), stages, input })
}

/// A plugin none of whose outputs is needed is left out.
fn wasm_stage(
    step: &PlannedStep,
    code: &WasmCode,
    (input, output): (&Schema, &StepOutput),
    needed: &mut BTreeSet<String>,
) -> OpResult<Option<Stage>> {
    if !output.made.iter().any(|made| needed.contains(made)) {
        return Ok(None);
    }
    let bound = code.bind(input, tiegel_engine::PluginLimits::default())?;
    let keep = code.keep.iter().filter(|k| needed.contains(*k)).cloned().collect();
    for made in &output.made {
        needed.remove(made);
    }
    needed.extend(code.columns.iter().cloned());
    Ok(Some(Stage::Wasm {
        step: step.name.to_string(),
        plugin: code.image.digest,
        label: code.image.label.clone(),
        config: code.config.clone(),
        input: bound.input,
        state: output.state.clone(),
        keep,
    }))
}

/// A projection cut down to the columns that are needed after it.
async fn sql_stage(
    ctx: &Ctx,
    step: &PlannedStep,
    sql: &SqlStep,
    input: &Schema,
    needed: &mut BTreeSet<String>,
) -> OpResult<Stage> {
    let source = step.inputs[0].name().to_string();
    let columns: Vec<_> = needed.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect();
    let body = sql.sql.trim().trim_end_matches(';');
    let pruned = SqlStep { sql: format!("SELECT {} FROM (\n{body}\n) AS step", columns.join(", ")), key: vec![] };
    let tables = BTreeMap::from([(source.clone(), input.clone())]);
    let analysis = ctx.tables.analyze(&pruned, &tables).await?;
    *needed = analysis.reads.into_iter().collect();
    Ok(Stage::Sql { step: step.name.to_string(), sql: pruned.sql, source })
}
