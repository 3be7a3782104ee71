//! A row-wise SQL step compiled once, to run on one batch at a time.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::PhysicalExpr;
use tiegel_engine::{Projector, TableError, arrow_schema};
use tiegel_types::{Field, Schema};

use super::plan::PlannedStep;
use crate::closed::{batch_of, closed_batch};
use crate::error::{from_datafusion, internal, invalid};

/// The chain of projections that the optimizer left of a step: the same expressions that run offline.
pub(crate) struct CompiledProjection {
    /// The columns that it reads, by name.
    reads: Vec<Field>,
    input: SchemaRef,
    stages: Vec<Stage>,
    output: Schema,
    arrow: SchemaRef,
}

struct Stage {
    columns: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl CompiledProjection {
    /// Compiles a plan that `not_row_wise_because` finds no fault with.
    pub(crate) fn compile(state: &SessionState, planned: &PlannedStep, input: &Schema) -> Result<Self, TableError> {
        let plan = state.optimize(&planned.plan).map_err(|e| from_datafusion(&e))?;
        let mut stages = Vec::new();
        let scanned = stages_of(state, &plan, &mut stages)?;
        let field = |name: &String| {
            input.field(name).cloned().ok_or_else(|| internal("the plan reads a column that its input lacks", name))
        };
        let reads = scanned.iter().map(field).collect::<Result<Vec<_>, _>>()?;
        let arrow = arrow_schema(&planned.output);
        let input = arrow_schema(&Schema::new(reads.clone()));
        Ok(Self { reads, input, stages, output: planned.output.clone(), arrow })
    }

    pub(crate) fn reads(&self) -> impl Iterator<Item = &str> {
        self.reads.iter().map(|field| field.name.as_str())
    }

    fn inputs(&self, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
        let column = |(field, arrow): (&Field, &arrow::datatypes::FieldRef)| -> Result<ArrayRef, TableError> {
            let column = batch.column_by_name(&field.name);
            let column = column.ok_or_else(|| invalid(format!("the input has no column '{}'", field.name)))?;
            if column.data_type() != arrow.data_type() {
                let is = column.data_type();
                return Err(invalid(format!("column '{}' is {is}, but {} was expected", field.name, field.dtype)));
            }
            Ok(Arc::clone(column))
        };
        let columns = self.reads.iter().zip(self.input.fields()).map(column).collect::<Result<_, _>>()?;
        batch_of(Arc::clone(&self.input), columns, batch.num_rows()).map_err(|e| invalid(e.to_string()))
    }
}

impl Projector for CompiledProjection {
    fn output(&self) -> &Schema {
        &self.output
    }

    fn project(&self, input: &RecordBatch) -> Result<RecordBatch, TableError> {
        let rows = input.num_rows();
        let mut batch = self.inputs(input)?;
        for stage in &self.stages {
            let value = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(&batch)?.into_array(rows);
            let columns = stage.columns.iter().map(value).collect::<Result<_, _>>().map_err(|e| from_datafusion(&e))?;
            batch = batch_of(Arc::clone(&stage.schema), columns, rows).map_err(|e| internal("projecting", e))?;
        }
        closed_batch(&batch, &self.arrow).map_err(|e| internal("a projection does not fit its schema", e))
    }
}

/// Collects the projections below `plan`, the lowest first, and answers the columns that the scan reads.
fn stages_of(state: &SessionState, plan: &LogicalPlan, stages: &mut Vec<Stage>) -> Result<Vec<String>, TableError> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let scanned = stages_of(state, &projection.input, stages)?;
            let compile = |expr: &datafusion::logical_expr::Expr| {
                state.create_physical_expr(expr.clone(), projection.input.schema())
            };
            let columns = projection.expr.iter().map(compile).collect::<Result<_, _>>();
            let schema = Arc::clone(projection.schema.inner());
            stages.push(Stage { columns: columns.map_err(|e| from_datafusion(&e))?, schema });
            Ok(scanned)
        }
        LogicalPlan::SubqueryAlias(alias) => stages_of(state, &alias.input, stages),
        LogicalPlan::TableScan(scan) => Ok(scan.projected_schema.fields().iter().map(|f| f.name().clone()).collect()),
        other => Err(internal("a row-wise step holds another node than projections", other.display())),
    }
}
