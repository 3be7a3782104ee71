use std::collections::BTreeMap;

use tiegel_context::{Context, OpResult};
use tiegel_types::{Name, Schema};

use crate::resolve::{InputRef, PlannedStep, ResolvedPipeline, StepCode};

/// Where an endpoint takes over from the stored tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// An endpoint runs these steps, in this order, on rows of `raw`.
    Serves { raw: InputRef, steps: Vec<Name> },
    /// No endpoint can run the pipeline's end; says why.
    Refused { why: String },
    /// Some table's columns are not known before it is read for the first time.
    Unknown { until: String },
}

impl Boundary {
    pub fn describe(&self) -> String {
        match self {
            Boundary::Serves { raw, steps } if steps.is_empty() => format!("rows of {}, as they are", raw.name()),
            Boundary::Serves { raw, steps } => {
                let steps: Vec<_> = steps.iter().map(Name::as_str).collect();
                format!("rows of {} through {}", raw.name(), steps.join(", "))
            }
            Boundary::Refused { why } => format!("cannot be served: {why}"),
            Boundary::Unknown { until } => format!("known once {until} has been read"),
        }
    }
}

/// The longest row-wise suffix of the chain that ends in the pipeline's output, cut at `serveFrom`.
pub async fn serving_boundary(
    ctx: &Context,
    pipeline: &ResolvedPipeline,
    schemas: &BTreeMap<Name, Schema>,
) -> OpResult<Boundary> {
    let mut suffix = Vec::new();
    let mut at = pipeline.output.clone();
    let stopped = loop {
        let Some(step) = pipeline.step(&at) else {
            break (InputRef::Dataset(at), String::new());
        };
        match row_wise(ctx, step, schemas).await? {
            RowWise::Yes => suffix.insert(0, step.name.clone()),
            RowWise::No(why) => break (InputRef::Step(step.name.clone()), format!("step '{}' {why}", step.name)),
            RowWise::Unknown(until) => return Ok(Boundary::Unknown { until }),
        }
        if pipeline.serve_from.as_ref() == Some(&step.name) {
            break (step.inputs[0].clone(), String::new());
        }
        at = step.inputs[0].name().clone();
    };
    let (raw, why) = stopped;
    match &pipeline.serve_from {
        Some(from) if suffix.first() != Some(from) => {
            let why = if why.is_empty() { "it does not lead to the output".to_owned() } else { why };
            Ok(Boundary::Refused { why: format!("serveFrom: {from} asks for steps that are not row-wise: {why}") })
        }
        // A step that is not row-wise may still end the pipeline: then an endpoint takes its output columns as they are,
        // which only makes sense for SQL, where a client can know them.
        None if suffix.is_empty() && is_wasm(pipeline, &raw) => {
            Ok(Boundary::Refused { why: format!("{why}, so its output cannot be computed from one row") })
        }
        _ => Ok(Boundary::Serves { raw, steps: suffix }),
    }
}

fn is_wasm(pipeline: &ResolvedPipeline, input: &InputRef) -> bool {
    pipeline.step(input.name()).is_some_and(|s| matches!(s.code, StepCode::Wasm(_)))
}

enum RowWise {
    Yes,
    No(String),
    Unknown(String),
}

async fn row_wise(ctx: &Context, step: &PlannedStep, schemas: &BTreeMap<Name, Schema>) -> OpResult<RowWise> {
    match &step.code {
        StepCode::Wasm(code) if code.descriptor.row_wise => Ok(RowWise::Yes),
        StepCode::Wasm(code) => Ok(RowWise::No(format!("runs {}, which sees rows in order", code.image.label))),
        StepCode::Sql(_) if step.inputs.len() != 1 => Ok(RowWise::No(format!("reads {} tables", step.inputs.len()))),
        StepCode::Sql(sql) if !sql.key.is_empty() => Ok(RowWise::No("sorts its rows by a key".to_owned())),
        StepCode::Sql(sql) => {
            let input = step.inputs[0].name();
            let Some(schema) = schemas.get(input) else {
                return Ok(RowWise::Unknown(input.to_string()));
            };
            let tables = BTreeMap::from([(input.to_string(), schema.clone())]);
            let analysis = ctx.tables.analyze(sql, &tables).await.map_err(tiegel_context::OpError::from)?;
            Ok(match analysis.not_row_wise_because {
                Some(why) => RowWise::No(why),
                None => RowWise::Yes,
            })
        }
    }
}
