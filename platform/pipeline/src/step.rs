use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_engine::{Binding, FitStep, PluginLimits, SqlStep, TransformStep};
use tiegel_types::{Name, Schema, StateRef, Table};
use tokio_util::sync::CancellationToken;
use tracing::instrument;

use crate::dataset::{Recorded, record_version};
use crate::inputs::Inputs;
use crate::resolve::{PlannedStep, StepCode, WasmCode};

/// What a step leaves: a table, and a state where it was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepOutput {
    pub table: Table,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateRef>,
    /// The output columns that the plugin made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<String>,
}

/// The tables that steps and datasets left so far, by name.
pub type StepTables = BTreeMap<Name, Table>;

/// The dataset that holds a step's output.
pub fn step_table_name(pipeline: &Name, step: &Name) -> OpResult<Name> {
    Name::new(format!("{pipeline}.{step}")).map_err(|e| OpError::invalid("invalid_name", e.to_string()))
}

/// What a step's output depends on. All its input tables must be there.
pub fn step_inputs(ctx: &Ctx, step: &PlannedStep, tables: &StepTables) -> OpResult<Inputs> {
    let mut inputs = Inputs::default();
    for input in &step.inputs {
        inputs.add(format!("input {}", input.name()), table(tables, input.name())?.digest().to_string());
    }
    inputs.add("engine", ctx.tables.version());
    match &step.code {
        StepCode::Sql(SqlStep { sql, key }) => {
            inputs.add("sql", normalised(sql)).add("key", json!(key));
        }
        StepCode::Wasm(code) => {
            let WasmCode { image, descriptor: _, config, columns, keep, ordering, fit } = code.as_ref();
            inputs.add("plugin", format!("{} ({})", image.digest, image.label));
            inputs.add("config", config.clone()).add("columns", json!(columns)).add("keep", json!(keep));
            inputs.add("ordering", json!(ordering));
            let fit = fit.as_ref().map(|f| json!({ "split": f.split, "target": f.target }));
            inputs.add("fit", json!(fit));
        }
    }
    Ok(inputs)
}

/// SQL without the white space around lines, so that reindenting a file runs nothing again.
fn normalised(sql: &str) -> String {
    sql.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
}

fn table<'a>(tables: &'a StepTables, name: &Name) -> OpResult<&'a Table> {
    tables.get(name).ok_or_else(|| OpError::internal(format!("table '{name}' is not there yet")))
}

/// Runs a step and stores its output.
#[instrument(name = "step.run", skip_all, fields(step = %step.name))]
pub async fn run_step(
    ctx: &Ctx,
    (project, pipeline): (&Name, &Name),
    step: &PlannedStep,
    tables: &StepTables,
    cancel: CancellationToken,
) -> OpResult<StepOutput> {
    let output = match &step.code {
        StepCode::Sql(sql) => run_sql(ctx, step, sql, (tables, cancel)).await?,
        StepCode::Wasm(code) => {
            ctx.ensure_plugin(project, code.image.digest).await?;
            run_wasm(ctx, code, table(tables, step.inputs[0].name())?, cancel).await?
        }
    };
    let name = step_table_name(pipeline, &step.name)?;
    record_version(ctx, project, &name, Recorded { table: &output.table, profile: None, tests: vec![] }).await?;
    Ok(output)
}

async fn run_sql(
    ctx: &Ctx,
    step: &PlannedStep,
    sql: &SqlStep,
    (tables, cancel): (&StepTables, CancellationToken),
) -> OpResult<StepOutput> {
    let mut inputs = BTreeMap::new();
    for input in &step.inputs {
        inputs.insert(input.name().to_string(), table(tables, input.name())?.clone());
    }
    let scratch = ctx.scratch()?;
    let written = ctx.tables.sql(sql, &inputs, scratch.path().to_owned(), cancel).await?;
    Ok(StepOutput { table: ctx.store_table(written).await?, state: None, made: vec![] })
}

async fn run_wasm(ctx: &Ctx, code: &WasmCode, input: &Table, cancel: CancellationToken) -> OpResult<StepOutput> {
    let (state, reference) = match &code.fit {
        None => (None, None),
        Some(fit) => {
            let binding = code.bind(&input.schema, limits_of(ctx))?;
            let fitted = ctx.tables.fit(FitStep { binding, split: fit.split }, input, cancel.clone()).await?;
            let reference = ctx.store_state(fitted.state, fitted.state_version).await?;
            (Some(ctx.load_state(&reference).await?), Some(reference))
        }
    };
    let binding = wasm_binding(ctx, code, &input.schema)?;
    let step = TransformStep { binding, state, ordering: code.ordering.clone(), keep: code.keep.clone() };
    let scratch = ctx.scratch()?;
    let written = ctx.tables.transform(step, input, scratch.path().to_owned(), cancel).await?;
    let table = ctx.store_table(written).await?;
    let passed = |name: &str| {
        code.descriptor.row_wise
            && input.schema.field(name).is_some()
            && (!code.columns.iter().any(|c| c == name) || code.keep.iter().any(|c| c == name))
    };
    let made = table.schema.names().filter(|n| !passed(n)).map(str::to_owned).collect();
    Ok(StepOutput { table, state: reference, made })
}

/// The plugin bound for transforming: it never sees a target.
pub fn wasm_binding(ctx: &Ctx, code: &WasmCode, table: &Schema) -> OpResult<Binding> {
    Ok(Binding { target: None, ..code.bind(table, limits_of(ctx))? })
}

fn limits_of(ctx: &Ctx) -> PluginLimits {
    ctx.plugin_limits.clone()
}
