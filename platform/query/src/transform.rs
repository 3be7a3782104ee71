//! A plugin over a stored table, as an operator of a plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::expressions::col;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, TryStreamExt};
use tiegel_engine::{BatchStream, PluginHost, TableError, TransformStep, Transformer};
use tiegel_types::{Ordering, Schema, Table};

use crate::blobs::StoredTable;
use crate::error::{from_datafusion, internal, invalid};
use crate::runtime::blocking;
use crate::scan::no_column;

pub use payload::{TransformLimits, TransformPayload};

use exec::WasmTransformExec;

mod exec;
mod ordered;
mod payload;

/// A plugin step over a table, ready to run.
pub(crate) struct Planned {
    pub output: Schema,
    plan: Arc<dyn ExecutionPlan>,
}

impl Planned {
    pub(crate) fn run(self, context: Arc<TaskContext>) -> Result<BatchStream, TableError> {
        let rows = execute_stream(self.plan, context).map_err(|e| from_datafusion(&e))?;
        Ok(rows.map_err(|e| from_datafusion(&e)).boxed())
    }
}

/// Plans a step: makes the pool of instances and the operators before and around it.
pub(crate) async fn plan(
    plugins: Arc<dyn PluginHost>,
    step: TransformStep,
    table: &Table,
    instances: usize,
) -> Result<Planned, TableError> {
    let missing = step
        .binding
        .input
        .names()
        .chain(step.keep.iter().map(String::as_str))
        .find(|n| table.schema.field(n).is_none());
    if let Some(name) = missing {
        return Err(no_column(name, &table.schema));
    }
    let (binding, state) = (step.binding.clone(), step.state.clone());
    let transformer = blocking(move || Ok(plugins.transformer(&binding, state)?)).await?;
    let payload = payload(&step, table, &*transformer)?;
    payload.check_clashes()?;
    let input = match &payload.ordering {
        None => StoredTable::new(table).read(None, None).map_err(|e| from_datafusion(&e))?,
        Some(ordering) => sorted(table, &payload.input, ordering)?,
    };
    let output = payload.schema();
    Ok(Planned { output, plan: Arc::new(WasmTransformExec::new(Arc::new(payload), transformer, instances, input)) })
}

fn payload(step: &TransformStep, table: &Table, transformer: &dyn Transformer) -> Result<TransformPayload, TableError> {
    let binding = &step.binding;
    let ordering = match (transformer.row_wise(), &step.ordering) {
        (true, _) => None,
        (false, Some(ordering)) => Some(ordering.clone()),
        (false, None) => {
            return Err(invalid(format!(
                "plugin {} is not row-wise: declare partitionBy and orderBy, so that its rows come in one order",
                binding.image.label
            )));
        }
    };
    let passed = match ordering {
        None => payload::passed_columns(&table.schema, &binding.input, &step.keep),
        Some(_) => Schema::default(),
    };
    Ok(TransformPayload {
        plugin: binding.image.digest,
        label: binding.image.label.clone(),
        config: binding.config.clone(),
        state: step.state.as_ref().map(|state| state.reference.clone()),
        input: binding.input.clone(),
        passed,
        output: transformer.output().clone(),
        ordering,
        limits: TransformLimits::from(&binding.limits),
    })
}

/// The rows in the declared order. Every column that the plugin reads breaks ties after it, so that rows which still
/// tie are alike and the order is total.
fn sorted(table: &Table, input: &Schema, ordering: &Ordering) -> Result<Arc<dyn ExecutionPlan>, TableError> {
    let declared = ordering.partition_by.iter().chain(&ordering.order_by);
    let mut names: Vec<&str> = Vec::new();
    for name in declared.map(String::as_str).chain(input.names()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let position = |name: &&str| table.schema.index_of(name).ok_or_else(|| no_column(name, &table.schema));
    let positions = names.iter().map(position).collect::<Result<BTreeSet<usize>, _>>()?;
    let read =
        StoredTable::new(table).read(Some(positions.into_iter().collect()), None).map_err(|e| from_datafusion(&e))?;
    let schema = read.schema();
    let by = |name: &&str| {
        let options = SortOptions { descending: false, nulls_first: false };
        Ok(PhysicalSortExpr::new(col(name, &schema).map_err(|e| from_datafusion(&e))?, options))
    };
    let by = names.iter().map(by).collect::<Result<Vec<_>, TableError>>()?;
    let by = LexOrdering::new(by).ok_or_else(|| internal("sorting for a plugin", "no columns"))?;
    Ok(Arc::new(SortExec::new(by, read)))
}

#[cfg(test)]
mod tests;
