use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use tiegel_context::{OpError, OpResult};
use tiegel_engine::{Projector, Transformer, arrow_schema};
use tiegel_types::{Field, Schema};

/// What runs a stage.
#[derive(Clone)]
pub enum Runner {
    Sql(Arc<dyn Projector>),
    Wasm {
        transformer: Arc<dyn Transformer>,
        /// The columns that the plugin reads, in the order it sees them.
        reads: Schema,
        /// The ones of them that stay as well.
        keep: Vec<String>,
    },
}

/// One transform, planned once against the columns that reach it, so that a request looks up no name.
pub(crate) struct LoadedStage {
    step: String,
    output: Schema,
    plan: Plan,
}

enum Plan {
    Sql(Arc<dyn Projector>),
    Wasm {
        transformer: Arc<dyn Transformer>,
        reads: Vec<usize>,
        reads_schema: SchemaRef,
        passes: Vec<usize>,
        output: SchemaRef,
    },
}

impl LoadedStage {
    /// # Errors
    /// Where the stage reads a column that is not in `input`, or two columns leave it under one name.
    pub fn plan(step: &str, input: &Schema, runner: Runner) -> OpResult<Self> {
        let (output, plan) = match runner {
            Runner::Sql(projector) => (projector.output().clone(), Plan::Sql(projector)),
            Runner::Wasm { transformer, reads, keep } => {
                plan_wasm(input, &reads, &keep, transformer).map_err(|e| e.at(&format!("step '{step}'")))?
            }
        };
        Ok(Self { step: step.to_owned(), output, plan })
    }

    pub fn step(&self) -> &str {
        &self.step
    }

    /// The columns after this stage.
    pub fn output(&self) -> &Schema {
        &self.output
    }

    /// Whether the column leaves this stage as something else than the column of that name that entered it.
    /// A SQL stage may do either, so it answers yes.
    pub fn makes(&self, column: &str) -> bool {
        match &self.plan {
            Plan::Sql(_) => self.output.field(column).is_some(),
            Plan::Wasm { transformer, .. } => transformer.output().field(column).is_some(),
        }
    }

    pub fn is_sql(&self) -> bool {
        matches!(self.plan, Plan::Sql(_))
    }

    /// # Errors
    /// Open with the step's name.
    pub fn run(&self, input: &RecordBatch) -> OpResult<RecordBatch> {
        let output = self.plan.run(input).map_err(|e| e.at(&format!("step '{}'", self.step)))?;
        if output.num_rows() != input.num_rows() {
            let message = format!("step '{}' made {} rows of {}", self.step, output.num_rows(), input.num_rows());
            return Err(OpError::invalid("not_row_wise", message));
        }
        Ok(output)
    }
}

impl Plan {
    fn run(&self, input: &RecordBatch) -> OpResult<RecordBatch> {
        match self {
            Plan::Sql(projector) => Ok(projector.project(input)?),
            Plan::Wasm { transformer, reads, reads_schema, passes, output } => {
                let made = transformer.transform(&select(input, reads, reads_schema)?)?;
                let mut columns: Vec<ArrayRef> = passes.iter().map(|&i| input.column(i).clone()).collect();
                columns.extend(made.columns().iter().cloned());
                batch(output, columns, input.num_rows())
            }
        }
    }
}

fn plan_wasm(
    input: &Schema,
    reads: &Schema,
    keep: &[String],
    transformer: Arc<dyn Transformer>,
) -> OpResult<(Schema, Plan)> {
    let read_indices = indices(input, reads)?;
    let passes: Vec<usize> = (0..input.fields.len())
        .filter(|i| !read_indices.contains(i) || keep.contains(&input.fields[*i].name))
        .collect();
    let mut fields: Vec<Field> = passes.iter().map(|&i| input.fields[i].clone()).collect();
    for made in &transformer.output().fields {
        if fields.iter().any(|f| f.name == made.name) {
            let message =
                format!("the plugin makes column '{}', which is there already; give it another name", made.name);
            return Err(OpError::invalid("duplicate_column", message));
        }
        fields.push(made.clone());
    }
    let schema = Schema::new(fields);
    let output = arrow_schema(&schema);
    let reads_schema = arrow_schema(reads);
    Ok((schema, Plan::Wasm { transformer, reads: read_indices, reads_schema, passes, output }))
}

/// Where each column of `wanted` stands in `input`.
pub(crate) fn indices(input: &Schema, wanted: &Schema) -> OpResult<Vec<usize>> {
    let index = |field: &Field| {
        let index = input.index_of(&field.name).ok_or_else(|| {
            let message =
                format!("column '{}' is read, and nothing before it makes it; train the model again", field.name);
            OpError::invalid("missing_column", message)
        })?;
        let found = &input.fields[index];
        if (found.dtype, found.width) != (field.dtype, field.width) {
            let message = format!(
                "column '{}' is {} of width {}; {} of width {} was expected. Train the model again",
                field.name, found.dtype, found.width, field.dtype, field.width
            );
            return Err(OpError::invalid("column_type", message));
        }
        Ok(index)
    };
    wanted.fields.iter().map(index).collect()
}

/// The columns at `indices` under `schema`.
pub(crate) fn select(input: &RecordBatch, indices: &[usize], schema: &SchemaRef) -> OpResult<RecordBatch> {
    batch(schema, indices.iter().map(|&i| input.column(i).clone()).collect(), input.num_rows())
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> OpResult<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(|e| OpError::invalid("column_type", format!("the columns do not fit what was declared: {e}")))
}
