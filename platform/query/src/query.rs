//! Exploring queries: one SELECT or EXPLAIN, read-only, over named tables, capped in rows and memory.

use arrow::compute::can_cast_types;
use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use futures::{StreamExt, TryStreamExt};
use tiegel_engine::{BatchStream, QueryRequest, TableError, arrow_schema};
use tiegel_types::Schema;

use crate::closed::{closed_batch, closed_schema, closed_type};
use crate::error::{from_datafusion, internal};
use crate::session::Sessions;
use crate::sql::{closed_output, known_tables, parse_exploration};

pub(crate) async fn query(
    sessions: &Sessions,
    threads: usize,
    request: QueryRequest,
) -> Result<(Schema, BatchStream), TableError> {
    let planning = |error| from_datafusion(&error);
    let select = parse_exploration(&request.sql)?;
    known_tables(&select.tables, &request.tables.keys().cloned().collect())?;
    let state = sessions.with_tables(threads, &request.tables)?.state();
    let plan = state.statement_to_plan(select.statement).await.map_err(planning)?;
    // A second wall: what the statement's words let through, its plan may not.
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(planning)?;
    let (plan, schema) = match plan {
        // An EXPLAIN must stay the root of its plan, and answers texts.
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => {
            let schema = closed_schema(plan.schema().as_arrow())?;
            (plan, schema)
        }
        select => {
            let (plan, schema) = closed_output(&state, readable(select)?)?;
            let limited = LogicalPlanBuilder::from(plan).limit(0, Some(request.rows_max));
            (limited.and_then(LogicalPlanBuilder::build).map_err(planning)?, schema)
        }
    };
    let rows = run(state, plan, &schema).await?;
    Ok((schema, rows))
}

async fn run(state: SessionState, plan: LogicalPlan, schema: &Schema) -> Result<BatchStream, TableError> {
    let rows = DataFrame::new(state, plan).execute_stream().await.map_err(|e| from_datafusion(&e))?;
    let arrow = arrow_schema(schema);
    let closed = rows.map(move |batch| {
        let batch = batch.map_err(|e| from_datafusion(&e))?;
        closed_batch(&batch, &arrow).map_err(|e| internal("a result does not fit its schema", e))
    });
    Ok(closed.into_stream().boxed())
}

/// Shows what no table can hold, such as an interval or a list, as text.
fn readable(plan: LogicalPlan) -> Result<LogicalPlan, TableError> {
    let odd = |data_type: &DataType| closed_type(data_type).is_none() && can_cast_types(data_type, &DataType::Utf8);
    if !plan.schema().fields().iter().any(|field| odd(field.data_type())) {
        return Ok(plan);
    }
    let columns = plan.schema().iter().map(|(qualifier, field)| {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        if odd(field.data_type()) { cast(column, DataType::Utf8).alias(field.name()) } else { column }
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(plan).project(columns).and_then(LogicalPlanBuilder::build).map_err(|e| from_datafusion(&e))
}

#[cfg(test)]
mod tests;
