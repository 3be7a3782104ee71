use std::collections::BTreeMap;

use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_pipeline::{PlannedStep, ResolvedPipeline, StepCode, WasmCode, wasm_binding};
use tiegel_types::{Name, Schema};

/// The columns of every table that can be known without running anything. A step that could not run on the columns it
/// will get is an error now, not in an hour.
pub async fn known_schemas(
    (ctx, project): (&Ctx, &Name),
    pipeline: &ResolvedPipeline,
    mut schemas: BTreeMap<Name, Schema>,
) -> OpResult<BTreeMap<Name, Schema>> {
    for step in &pipeline.steps {
        let place = format!("pipeline '{}', step '{}'", pipeline.name, step.name);
        if schemas.contains_key(&step.name) || step.inputs.iter().any(|i| !schemas.contains_key(i.name())) {
            continue;
        }
        if let Some(output) = output_of((ctx, project), step, &schemas).await.map_err(|e| e.at(&place))? {
            schemas.insert(step.name.clone(), output);
        }
    }
    Ok(schemas)
}

/// None where it takes a state to know.
async fn output_of(
    (ctx, project): (&Ctx, &Name),
    step: &PlannedStep,
    schemas: &BTreeMap<Name, Schema>,
) -> OpResult<Option<Schema>> {
    match &step.code {
        StepCode::Sql(sql) => {
            let inputs = step.inputs.iter().map(|i| (i.name().to_string(), schemas[i.name()].clone())).collect();
            Ok(Some(ctx.tables.analyze(sql, &inputs).await?.output))
        }
        StepCode::Wasm(code) => wasm_output((ctx, project), code, &schemas[step.inputs[0].name()]).await,
    }
}

async fn wasm_output((ctx, project): (&Ctx, &Name), code: &WasmCode, input: &Schema) -> OpResult<Option<Schema>> {
    let binding = wasm_binding(ctx, code, input)?;
    ctx.ensure_plugin(project, code.image.digest).await?;
    let host = ctx.plugins.clone();
    let made = ctx.blocking(move || host.output_schema(&binding)).await?.map_err(OpError::from)?;
    let Some(made) = made.filter(|_| code.descriptor.row_wise) else { return Ok(None) };
    let stays = |name: &String| !code.columns.contains(name) || code.keep.contains(name);
    let passed = input.fields.iter().filter(|f| stays(&f.name)).cloned();
    Ok(Some(Schema::new(passed.chain(made.fields).collect())))
}
