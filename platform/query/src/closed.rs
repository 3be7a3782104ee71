//! Arrow types as the closed set of column types.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use tiegel_engine::{TableError, UnsupportedColumn, dtype_of, schema_of};
use tiegel_types::{Schema, limits};

use crate::error::{invalid, unsupported};

/// Casts fail on a value that does not fit, instead of making it null.
pub(crate) const STRICT: CastOptions<'static> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// The type of the closed set that holds the values of `data_type`; none where nothing does.
pub(crate) fn closed_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(DataType::Utf8),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Some(DataType::Binary)
        }
        DataType::Dictionary(_, values) => closed_type(values),
        DataType::RunEndEncoded(_, values) => closed_type(values.data_type()),
        DataType::Timestamp(_, _) | DataType::Date64 => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
        }
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            Some(DataType::Float64)
        }
        DataType::FixedSizeList(item, width) => {
            let item = closed_type(item.data_type())?;
            let list = DataType::FixedSizeList(Arc::new(ArrowField::new("item", item, false)), *width);
            dtype_of(&list).map(|_| list)
        }
        other => dtype_of(other).map(|_| other.clone()),
    }
}

/// The table schema that holds columns of `schema` once they are cast. Names are unique and not empty.
pub(crate) fn closed_schema(schema: &ArrowSchema) -> Result<Schema, TableError> {
    check_names(schema.fields().iter().map(|f| f.name().as_str()))?;
    let closed = |field: &Arc<ArrowField>| {
        let closed = closed_type(field.data_type()).ok_or_else(|| {
            unsupported(UnsupportedColumn { column: field.name().clone(), data_type: field.data_type().clone() })
        })?;
        Ok(ArrowField::new(field.name(), closed, field.is_nullable()))
    };
    let fields = schema.fields().iter().map(closed).collect::<Result<Vec<_>, TableError>>()?;
    schema_of(&ArrowSchema::new(fields)).map_err(unsupported)
}

/// Refuses columns that could not be told apart.
pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), TableError> {
    let mut seen = std::collections::HashMap::new();
    for (index, name) in names.enumerate() {
        if name.is_empty() {
            return Err(invalid(format!("column {} has no name", index + 1)));
        }
        if let Some(first) = seen.insert(name, index) {
            return Err(invalid(format!("two columns are named '{name}': columns {} and {}", first + 1, index + 1)));
        }
    }
    if seen.len() > limits::COLUMNS_MAX {
        return Err(TableError::Limit(format!(
            "{} columns, but a table holds at most {}",
            seen.len(),
            limits::COLUMNS_MAX
        )));
    }
    Ok(())
}

/// Casts one column; a column of the right type costs nothing.
pub(crate) fn closed_column(column: &ArrayRef, target: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == target { Ok(Arc::clone(column)) } else { cast_with_options(column, target, &STRICT) }
}

/// Casts the columns of a batch, by position, to a schema of the closed set.
pub(crate) fn closed_batch(batch: &RecordBatch, target: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(target.fields()).map(|(c, f)| closed_column(c, f.data_type()));
    batch_of(Arc::clone(target), columns.collect::<Result<_, _>>()?, batch.num_rows())
}

/// A batch of `rows` rows, which may have no columns.
pub(crate) fn batch_of(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(rows)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timestamp_becomes_utc_microseconds_and_decimals_become_floats() {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for source in [
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::Timestamp(TimeUnit::Second, Some("+02:00".into())),
            DataType::Date64,
        ] {
            assert_eq!(closed_type(&source), Some(utc.clone()), "{source}");
        }
        assert_eq!(closed_type(&DataType::Decimal128(10, 2)), Some(DataType::Float64));
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8View));
        assert_eq!(closed_type(&dictionary), Some(DataType::Utf8));
    }

    #[test]
    fn a_column_that_no_table_can_hold_is_named() {
        let schema = ArrowSchema::new(vec![ArrowField::new("at", DataType::Time64(TimeUnit::Microsecond), true)]);
        let error = closed_schema(&schema).unwrap_err().to_string();
        assert!(error.starts_with("column 'at' has type Time64(µs), which no table can hold"), "{error}");
    }

    #[test]
    fn column_names_are_unique_and_not_empty() {
        assert_eq!(
            check_names(["a", "b", "a"].into_iter()).unwrap_err().to_string(),
            "two columns are named 'a': columns 1 and 3"
        );
        assert_eq!(check_names(["a", ""].into_iter()).unwrap_err().to_string(), "column 2 has no name");
    }
}
