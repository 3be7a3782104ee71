//! SQL steps: parsed, planned, classified, and run to sorted Parquet.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use tiegel_engine::{Projector, ScanOptions, SqlAnalysis, SqlStep, TableError, Written};
use tiegel_types::{Schema, Table, limits};
use tokio_util::sync::CancellationToken;

use crate::error::{from_datafusion, internal, invalid};
use crate::scan::scan;
use crate::session::Sessions;
use crate::write::{Scratch, Sink, TableWriter, UniqueKey};

pub(crate) use plan::{closed_output, known_tables};
pub(crate) use statement::{parse_exploration, parse_select};

use plan::{order_free, plan_step, sorted};
use projector::CompiledProjection;

mod plan;
mod projector;
mod rowwise;
mod statement;

/// Plans a step against empty tables.
pub(crate) async fn analyze(
    sessions: &Sessions,
    step: &SqlStep,
    inputs: &BTreeMap<String, Schema>,
) -> Result<SqlAnalysis, TableError> {
    let state = sessions.with_schemas(inputs)?.state();
    let planned = plan_step(&state, step, inputs.keys()).await?;
    let because = rowwise::not_row_wise_because(&planned.plan)?;
    let reads = match (&because, planned.tables.first()) {
        (None, Some(table)) => {
            let compiled = CompiledProjection::compile(&state, &planned, &inputs[table])?;
            compiled.reads().map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    Ok(SqlAnalysis {
        output: planned.output,
        tables: planned.tables,
        row_wise: because.is_none(),
        not_row_wise_because: because,
        reads,
    })
}

/// Compiles a row-wise step that reads one table of the given columns.
pub(crate) async fn projector(
    sessions: &Sessions,
    step: &SqlStep,
    input: &Schema,
) -> Result<Arc<dyn Projector>, TableError> {
    let tables = parse_select(&step.sql)?.tables;
    let [table] = tables.as_slice() else {
        return Err(invalid(format!("an endpoint runs SQL over one table, but this reads {}", tables.len())));
    };
    let inputs = BTreeMap::from([(table.clone(), input.clone())]);
    let state = sessions.with_schemas(&inputs)?.state();
    let planned = plan_step(&state, step, inputs.keys()).await?;
    match rowwise::not_row_wise_because(&planned.plan)? {
        Some(because) => Err(invalid(format!("an endpoint cannot run this SQL: it {because}"))),
        None => Ok(Arc::new(CompiledProjection::compile(&state, &planned, input)?)),
    }
}

/// A step over stored tables.
pub(crate) struct SqlJob {
    pub step: SqlStep,
    pub inputs: BTreeMap<String, Table>,
    /// Threads that may share the work where their number cannot be seen in the result.
    pub threads: usize,
}

/// Runs a row-wise step that declares no key: row i of its output comes from row i of its input, by the very evaluator that
/// endpoints run, so that stored rows and served rows can be compared one by one. None for every other step.
pub(crate) async fn run_in_order(
    sessions: &Sessions,
    job: &SqlJob,
    blobs: &Arc<dyn ObjectStore>,
    scratch: Scratch,
    cancel: &CancellationToken,
) -> Result<Option<Written>, TableError> {
    let Some(input) = job.inputs.values().next().filter(|_| job.step.key.is_empty() && job.inputs.len() == 1) else {
        return Ok(None);
    };
    let inputs = job.inputs.iter().map(|(name, table)| (name.clone(), table.schema.clone())).collect();
    let analysis = analyze(sessions, &job.step, &inputs).await?;
    if !analysis.row_wise || analysis.tables.len() != 1 {
        return Ok(None);
    }
    let projector = projector(sessions, &job.step, &input.schema).await?;
    let options = ScanOptions { batch_rows: limits::ROW_GROUP_ROWS, ..ScanOptions::default() };
    let rows = scan(Arc::clone(blobs), input.clone(), options).await?;
    let projected = rows.map(move |batch| projector.project(&batch?)).boxed();
    let writer = TableWriter::new(analysis.output, scratch)?;
    Ok(Some(Sink::start(writer, None).write(projected, cancel).await?))
}

/// Runs a step into sorted Parquet files.
pub(crate) async fn run(
    sessions: &Sessions,
    job: &SqlJob,
    scratch: Scratch,
    cancel: &CancellationToken,
) -> Result<Written, TableError> {
    let planning = |error| from_datafusion(&error);
    let state = sessions.with_tables(1, &job.inputs)?.state();
    let planned = plan_step(&state, &job.step, job.inputs.keys()).await?;
    let parallel = order_free(&state.optimize(&planned.plan).map_err(planning)?)?;
    let output = planned.output.clone();
    let plan = sorted(planned, &job.step.key)?;
    // The plan holds its tables already; the session that runs it decides the number of partitions.
    let context = sessions.context(if parallel { job.threads } else { 1 });
    let physical = context.state().create_physical_plan(&plan).await.map_err(planning)?;
    let rows = execute_stream(Arc::clone(&physical), context.task_ctx()).map_err(planning)?;
    let rows = rows.map_err(|error| from_datafusion(&error)).boxed();
    let key = (!job.step.key.is_empty()).then(|| UniqueKey::new(job.step.key.clone()));
    let written = Sink::start(TableWriter::new(output, scratch)?, key).write(rows, cancel).await?;
    if !parallel && let Err(error) = refuse_spilled_aggregates(&physical) {
        remove(&written);
        return Err(error);
    }
    Ok(written)
}

/// An aggregate that ran out of memory adds up in another order, and floats then round differently on another machine.
fn refuse_spilled_aggregates(plan: &Arc<dyn ExecutionPlan>) -> Result<(), TableError> {
    let mut spilled = false;
    let walked = plan.apply(|node| {
        let aggregate = node.downcast_ref::<AggregateExec>().is_some();
        spilled |= aggregate && node.metrics().and_then(|m| m.spill_count()).unwrap_or(0) > 0;
        Ok(TreeNodeRecursion::Continue)
    });
    walked.map_err(|e| internal("reading the plan's metrics", e))?;
    if spilled {
        return Err(TableError::Limit(
            "an aggregate over floats did not fit in memory, and spilling would make its last digits depend on the \
             machine: raise the engine's memory or aggregate fewer groups"
                .into(),
        ));
    }
    Ok(())
}

fn remove(written: &Written) {
    for file in &written.files {
        if let Err(error) = std::fs::remove_file(&file.path) {
            tracing::warn!(path = %file.path.display(), %error, "a scratch file was not removed");
        }
    }
}

#[cfg(test)]
mod tests;
