//! From a step's text to a plan whose output is of the closed set of types.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, Volatility, cast};
use tiegel_engine::{SqlStep, TableError, arrow_schema};
use tiegel_types::Schema;

use super::statement::{Select1, parse_select};
use crate::closed::closed_schema;
use crate::error::{from_datafusion, invalid};

/// A step's plan, not sorted yet.
pub(crate) struct PlannedStep {
    /// Its output is of the closed set, by name.
    pub plan: LogicalPlan,
    pub output: Schema,
    /// The inputs that it reads, sorted.
    pub tables: Vec<String>,
}

/// Plans a step over the tables of a session, whose names are `inputs`.
pub(crate) async fn plan_step<'a>(
    state: &SessionState,
    step: &SqlStep,
    inputs: impl Iterator<Item = &'a String>,
) -> Result<PlannedStep, TableError> {
    let Select1 { statement, tables } = parse_select(&step.sql)?;
    known_tables(&tables, &inputs.cloned().collect())?;
    let plan = state.statement_to_plan(statement).await.map_err(|e| from_datafusion(&e))?;
    refuse_volatile(&plan)?;
    let (plan, output) = closed_output(state, plan)?;
    for column in &step.key {
        if output.field(column).is_none() {
            let columns = output.names().collect::<Vec<_>>().join(", ");
            return Err(invalid(format!(
                "the key column '{column}' is not in the output, whose columns are {columns}"
            )));
        }
    }
    Ok(PlannedStep { plan, output, tables })
}

pub(crate) fn known_tables(tables: &[String], inputs: &BTreeSet<String>) -> Result<(), TableError> {
    match tables.iter().find(|table| !inputs.contains(*table)) {
        None => Ok(()),
        Some(unknown) if inputs.is_empty() => {
            Err(invalid(format!("there is no table '{unknown}': there are no inputs")))
        }
        Some(unknown) => {
            let known = inputs.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let quote = if inputs.iter().any(|name| name.eq_ignore_ascii_case(unknown)) {
                " (quote a name that has capitals)"
            } else {
                ""
            };
            Err(invalid(format!("there is no table '{unknown}': the inputs are {known}{quote}")))
        }
    }
}

/// Puts casts to the closed set on top of a plan.
pub(crate) fn closed_output(state: &SessionState, plan: LogicalPlan) -> Result<(LogicalPlan, Schema), TableError> {
    let planning = |error| from_datafusion(&error);
    let options = state.config_options();
    let plan = state.analyzer().execute_and_check(plan, options, |_, _| {}).map_err(planning)?;
    let output = closed_schema(plan.schema().as_arrow())?;
    let target = arrow_schema(&output);
    let columns = plan.schema().iter().zip(target.fields()).map(|((qualifier, field), closed)| {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let value =
            if field.data_type() == closed.data_type() { column } else { cast(column, closed.data_type().clone()) };
        value.alias_qualified(None::<TableReference>, closed.name())
    });
    let columns: Vec<Expr> = columns.collect();
    let plan = LogicalPlanBuilder::from(plan).project(columns).and_then(LogicalPlanBuilder::build).map_err(planning)?;
    Ok((plan, output))
}

/// Sorts a plan by its key, ascending with nulls last; by all columns where no key is declared.
pub(crate) fn sorted(planned: PlannedStep, key: &[String]) -> Result<LogicalPlan, TableError> {
    let by: Vec<&str> =
        if key.is_empty() { planned.output.names().collect() } else { key.iter().map(String::as_str).collect() };
    let by = by.into_iter().map(|name| SortExpr::new(Expr::Column(Column::new_unqualified(name)), true, false));
    let by: Vec<SortExpr> = by.collect();
    LogicalPlanBuilder::from(planned.plan).sort(by).and_then(LogicalPlanBuilder::build).map_err(|e| from_datafusion(&e))
}

/// Refuses functions whose answer depends on anything but their arguments.
fn refuse_volatile(plan: &LogicalPlan) -> Result<(), TableError> {
    let mut found: Option<String> = None;
    each_expression(plan, &mut |expr| {
        if let Expr::ScalarFunction(call) = expr
            && call.func.signature().volatility != Volatility::Immutable
        {
            found.get_or_insert_with(|| call.func.name().to_owned());
        }
    })?;
    match found {
        None => Ok(()),
        Some(name) => Err(invalid(format!(
            "{name}() answers something else each time, so the step could not be cached or repeated: take the value from a column"
        ))),
    }
}

/// Visits every expression of a plan and of its subqueries.
pub(crate) fn each_expression(plan: &LogicalPlan, visit: &mut dyn FnMut(&Expr)) -> Result<(), TableError> {
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|inner| {
                visit(inner);
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(TreeNodeRecursion::Continue)
    });
    walked.map(drop).map_err(|e| from_datafusion(&e))
}

/// Whether the rows of a plan, as a set, are the same in whatever order its inputs arrive: then threads may share the
/// work. Sums of floats round differently in another order, and a limit takes other rows.
pub(crate) fn order_free(plan: &LogicalPlan) -> Result<bool, TableError> {
    let mut free = true;
    let walked = plan.apply_with_subqueries(|node| {
        free &= match node {
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Values(_) => true,
            LogicalPlan::TableScan(scan) => scan.fetch.is_none(),
            LogicalPlan::Sort(sort) => sort.fetch.is_none(),
            LogicalPlan::Distinct(datafusion::logical_expr::Distinct::All(input)) => !has_floats(input),
            LogicalPlan::Aggregate(aggregate) => {
                let input = &aggregate.input;
                aggregate.aggr_expr.iter().all(order_free_aggregate)
                    && !has_floats(input)
                    && !has_float_groups(aggregate)
            }
            _ => false,
        };
        Ok(if free { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.map_err(|e| from_datafusion(&e))?;
    Ok(free)
}

fn order_free_aggregate(expr: &Expr) -> bool {
    const FREE: [&str; 9] = ["count", "min", "max", "sum", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor"];
    match expr {
        Expr::Alias(alias) => order_free_aggregate(&alias.expr),
        Expr::AggregateFunction(call) => FREE.contains(&call.func.name()),
        _ => false,
    }
}

/// Whether a float takes part at all: more careful than needed, and simple.
fn has_floats(plan: &Arc<LogicalPlan>) -> bool {
    plan.schema().fields().iter().any(|field| is_float(field.data_type()))
}

fn has_float_groups(aggregate: &datafusion::logical_expr::Aggregate) -> bool {
    aggregate.schema.fields().iter().any(|field| is_float(field.data_type()))
}

fn is_float(data_type: &DataType) -> bool {
    data_type.is_floating() || matches!(data_type, DataType::FixedSizeList(item, _) if item.data_type().is_floating())
}
