//! Tests declared beside a dataset: how many rows fail, and a few of them.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::functions::math::expr_fn::isnan;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{Expr, SessionContext, ident, lit};
use futures::TryStreamExt;
use serde_json::Value;
use tiegel_engine::{TableError, arrow_field};
use tiegel_types::{Field, Table, TableTest, TestReport};

use crate::closed::{closed_batch, closed_schema};
use crate::encode::json_row;
use crate::error::{from_datafusion, internal, invalid, shown};
use crate::scan::no_column;
use crate::session::Sessions;
use crate::sql::parse_select;

/// The table's name in a test's SQL.
const THIS: &str = "this";
/// Failing rows shown.
const SAMPLES_MAX: usize = 5;

pub(crate) async fn check(
    sessions: &Sessions,
    table: &Table,
    tests: &[TableTest],
) -> Result<Vec<TestReport>, TableError> {
    // One partition: the samples are the first failing rows of the table.
    let context = sessions.with_tables(1, &BTreeMap::from([(THIS.to_owned(), table.clone())]))?;
    let checker = Checker { context, table };
    let mut reports = Vec::with_capacity(tests.len());
    for test in tests {
        let label = label(test);
        let failing = checker.failing(test).await.map_err(|error| match error {
            TableError::Invalid(message) => invalid(format!("test '{label}': {message}")),
            other => other,
        })?;
        reports.push(TestReport {
            test: label,
            passed: failing.rows == 0,
            failing_rows: failing.rows,
            samples: failing.samples,
        });
    }
    Ok(reports)
}

fn label(test: &TableTest) -> String {
    fn bounds(min: Option<impl std::fmt::Display>, max: Option<impl std::fmt::Display>) -> String {
        match (min, max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "any".into(),
        }
    }
    match test {
        TableTest::NotNull(columns) => format!("not_null: {}", columns.join(", ")),
        TableTest::Unique(columns) => format!("unique: {}", columns.join(", ")),
        TableTest::Accepted { column, .. } => format!("accepted: {column}"),
        TableTest::Range { column, min, max } => format!("range: {column} {}", bounds(*min, *max)),
        TableTest::Rows { min, max } => format!("rows: {}", bounds(*min, *max)),
        TableTest::Sql(sql) => format!("sql: {}", shown(&sql.split_whitespace().collect::<Vec<_>>().join(" "))),
    }
}

#[derive(Default)]
struct Failing {
    rows: u64,
    samples: Vec<Value>,
}

struct Checker<'a> {
    context: SessionContext,
    table: &'a Table,
}

impl Checker<'_> {
    async fn failing(&self, test: &TableTest) -> Result<Failing, TableError> {
        match test {
            TableTest::NotNull(columns) => {
                let nulls = self.columns(columns)?.into_iter().map(Expr::is_null).reduce(Expr::or);
                self.rows_where(nulls.unwrap_or_else(|| lit(false))).await
            }
            TableTest::Unique(columns) => self.repeated(columns).await,
            TableTest::Accepted { column, r#in } => {
                let field = self.field(column)?;
                let accepted = r#in.iter().map(|value| literal(value, field)).collect::<Result<_, _>>()?;
                self.rows_where(ident(column).is_not_null().and(ident(column).in_list(accepted, true))).await
            }
            TableTest::Range { column, min, max } => self.rows_where(self.outside(column, *min, *max)?).await,
            TableTest::Rows { min, max } => {
                let rows = self.table.rows;
                let missing = min.unwrap_or(0).saturating_sub(rows);
                let surplus = max.map_or(0, |max| rows.saturating_sub(max));
                Ok(Failing { rows: missing.max(surplus), samples: Vec::new() })
            }
            TableTest::Sql(sql) => {
                let select = parse_select(sql)?;
                if let Some(other) = select.tables.iter().find(|table| *table != THIS) {
                    return Err(invalid(format!("there is no table '{other}': a test reads `{THIS}` only")));
                }
                let state = self.context.state();
                let plan = state.statement_to_plan(select.statement).await.map_err(|e| from_datafusion(&e))?;
                count_rows(DataFrame::new(state, plan)).await
            }
        }
    }

    fn field(&self, column: &str) -> Result<&Field, TableError> {
        self.table.schema.field(column).ok_or_else(|| no_column(column, &self.table.schema))
    }

    fn columns(&self, columns: &[String]) -> Result<Vec<Expr>, TableError> {
        columns.iter().map(|column| self.field(column).map(|_| ident(column))).collect()
    }

    fn outside(&self, column: &str, min: Option<f64>, max: Option<f64>) -> Result<Expr, TableError> {
        let field = self.field(column)?;
        if field.width > 1 || !(field.dtype.is_integer() || field.dtype.is_float()) {
            return Err(invalid(format!("column '{column}' is {}, and a range is of numbers", field.dtype)));
        }
        let below = min.map(|min| ident(column).lt(lit(min)));
        let above = max.map(|max| ident(column).gt(lit(max)));
        // NaN lies in no range.
        let neither = field.dtype.is_float().then(|| isnan(ident(column)));
        Ok([below, above, neither].into_iter().flatten().reduce(Expr::or).unwrap_or_else(|| lit(false)))
    }

    async fn this(&self) -> Result<DataFrame, TableError> {
        self.context.table(THIS).await.map_err(|e| from_datafusion(&e))
    }

    async fn rows_where(&self, fails: Expr) -> Result<Failing, TableError> {
        count_rows(self.this().await?.filter(fails).map_err(|e| from_datafusion(&e))?).await
    }

    /// Rows whose values come again. As in SQL's UNIQUE, a null equals nothing.
    async fn repeated(&self, columns: &[String]) -> Result<Failing, TableError> {
        let planning = |error| from_datafusion(&error);
        let keys = self.columns(columns)?;
        let Some(whole) = keys.iter().cloned().map(Expr::is_not_null).reduce(Expr::and) else {
            return Err(invalid("name at least one column"));
        };
        let groups = self.this().await?.filter(whole).map_err(planning)?;
        let groups = groups.aggregate(keys.clone(), vec![count(lit(1)).alias("__rows")]).map_err(planning)?;
        let groups = groups.filter(ident("__rows").gt(lit(1))).map_err(planning)?;
        let mut stream = groups.execute_stream().await.map_err(planning)?;
        let (mut rows, mut shown_groups) = (0, Vec::new());
        while let Some(batch) = stream.try_next().await.map_err(planning)? {
            rows += batch.column(keys.len()).as_primitive::<Int64Type>().values().iter().sum::<i64>() as u64;
            for row in 0..batch.num_rows().min(SAMPLES_MAX - shown_groups.len()) {
                shown_groups.push(same_key(&keys, &batch, row)?);
            }
        }
        let samples = match shown_groups.into_iter().reduce(Expr::or) {
            Some(any) => self.rows_where(any).await?.samples,
            None => Vec::new(),
        };
        Ok(Failing { rows, samples })
    }
}

fn same_key(keys: &[Expr], batch: &RecordBatch, row: usize) -> Result<Expr, TableError> {
    let equals = |(key, column): (&Expr, &arrow::array::ArrayRef)| {
        let value = ScalarValue::try_from_array(column, row).map_err(|e| from_datafusion(&e))?;
        Ok(key.clone().eq(lit(value)))
    };
    let equals = keys.iter().zip(batch.columns()).map(equals).collect::<Result<Vec<_>, TableError>>()?;
    Ok(equals.into_iter().reduce(Expr::and).unwrap_or_else(|| lit(true)))
}

/// An accepted value as one of the column's type.
fn literal(value: &Value, field: &Field) -> Result<Expr, TableError> {
    let misfit = || invalid(format!("{value} is not {}, the type of column '{}'", field.dtype, field.name));
    let plain = match value {
        Value::Bool(flag) => ScalarValue::from(*flag),
        Value::String(text) => ScalarValue::from(text.as_str()),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => ScalarValue::from(whole),
            (_, Some(whole), _) => ScalarValue::from(whole),
            (_, _, Some(float)) => ScalarValue::from(float),
            _ => return Err(misfit()),
        },
        _ => return Err(misfit()),
    };
    let text_for_text = value.is_string() || field.dtype != tiegel_types::DType::Utf8;
    let cast = plain.cast_to(arrow_field(field).data_type()).ok();
    cast.filter(|cast| text_for_text && !cast.is_null()).map(lit).ok_or_else(misfit)
}

/// Counts the rows of a plan and keeps the first few.
async fn count_rows(rows: DataFrame) -> Result<Failing, TableError> {
    let mut stream = rows.execute_stream().await.map_err(|e| from_datafusion(&e))?;
    let mut failing = Failing::default();
    while let Some(batch) = stream.try_next().await.map_err(|e| from_datafusion(&e))? {
        let wanted = batch.num_rows().min(SAMPLES_MAX - failing.samples.len());
        if wanted > 0 {
            let closed = tiegel_engine::arrow_schema(&closed_schema(batch.schema_ref())?);
            let first =
                closed_batch(&batch.slice(0, wanted), &closed).map_err(|e| internal("showing failing rows", e))?;
            failing.samples.extend((0..wanted).map(|row| json_row(&first, row)));
        }
        failing.rows += batch.num_rows() as u64;
    }
    Ok(failing)
}

#[cfg(test)]
mod tests;
