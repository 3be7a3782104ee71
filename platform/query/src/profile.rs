//! What a table's columns hold, in two streaming passes of bounded memory.
//!
//! The first pass counts, sketches and samples; the second fills histograms, whose ends are known by then, and recounts
//! the candidates for the most frequent values. The same table gives the same profile.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, Days, NaiveDate, SecondsFormat};
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectStore;
use tiegel_engine::{ScanOptions, TableError};
use tiegel_types::{ColumnProfile, DType, Field, Profile, Table, limits};

use crate::error::{internal, shown};
use crate::runtime::spawn;
use crate::scan::scan;
use column::{Measured, Numbers, Values};

mod column;
mod sketch;

/// Columns that one pass looks at, which bounds its memory.
const COLUMNS_PER_PASS: usize = 32;

pub(crate) async fn profile(blobs: Arc<dyn ObjectStore>, table: &Table, threads: usize) -> Result<Profile, TableError> {
    let per_pass = table.schema.fields.len().div_ceil(threads).clamp(1, COLUMNS_PER_PASS);
    let columns = stream::iter(table.schema.fields.chunks(per_pass).map(<[Field]>::to_vec))
        .map(|fields| {
            let work = spawn(profile_columns(Arc::clone(&blobs), table.clone(), fields));
            async move { work.await.map_err(|error| internal("a profile stopped", error))? }
        })
        .buffered(threads)
        .try_concat()
        .await?;
    Ok(Profile { rows: table.rows, columns })
}

async fn profile_columns(
    blobs: Arc<dyn ObjectStore>,
    table: Table,
    fields: Vec<Field>,
) -> Result<Vec<ColumnProfile>, TableError> {
    let mut columns: Vec<Column> = fields.into_iter().map(Column::new).collect();
    each_batch(&blobs, &table, &mut columns, Column::first_pass).await?;
    columns.iter_mut().for_each(Column::between);
    if columns.iter().any(Column::needs_second_pass) {
        each_batch(&blobs, &table, &mut columns, Column::second_pass).await?;
    }
    Ok(columns.into_iter().map(Column::finish).collect())
}

async fn each_batch(
    blobs: &Arc<dyn ObjectStore>,
    table: &Table,
    columns: &mut [Column],
    pass: fn(&mut Column, &ArrayRef),
) -> Result<(), TableError> {
    let options = ScanOptions {
        columns: Some(columns.iter().map(|column| column.field.name.clone()).collect()),
        batch_rows: limits::ROW_GROUP_ROWS,
        ..ScanOptions::default()
    };
    let mut batches = scan(Arc::clone(blobs), table.clone(), options).await?;
    while let Some(batch) = batches.try_next().await? {
        columns.iter_mut().zip(batch.columns()).for_each(|(column, values)| pass(column, values));
    }
    Ok(())
}

/// A column while it is looked at.
struct Column {
    field: Field,
    nulls: u64,
    kind: Kind,
}

enum Kind {
    /// Integers, booleans, dates and times, as whole numbers.
    Whole(Box<Measured<i128>>, Option<Box<Numbers>>),
    Float(Box<Measured<f64>>, Box<Numbers>),
    Text(Box<Measured<String>>),
    /// Bytes and lists: nulls only.
    Opaque,
}

impl Column {
    fn new(field: Field) -> Self {
        let kind = match field.dtype {
            _ if field.width > 1 => Kind::Opaque,
            DType::Binary => Kind::Opaque,
            DType::Utf8 => Kind::Text(Box::default()),
            dtype if dtype.is_float() => Kind::Float(Box::default(), Box::default()),
            dtype => Kind::Whole(Box::default(), dtype.is_integer().then(Box::default)),
        };
        Self { field, nulls: 0, kind }
    }

    fn first_pass(&mut self, values: &ArrayRef) {
        self.nulls += values.null_count() as u64;
        match &mut self.kind {
            Kind::Whole(measured, numbers) => each_whole(values, |value| {
                measured.see(&value);
                if let Some(numbers) = numbers {
                    numbers.see(value as f64);
                }
            }),
            Kind::Float(measured, numbers) => each_float(values, |value| {
                measured.see_uncounted(&value);
                numbers.see(value);
            }),
            Kind::Text(measured) => values.as_string::<i32>().iter().flatten().for_each(|text| measured.see(text)),
            Kind::Opaque => {}
        }
    }

    fn between(&mut self) {
        match &mut self.kind {
            Kind::Whole(measured, _) => measured.top.start_recount(),
            Kind::Text(measured) => measured.top.start_recount(),
            Kind::Float(..) | Kind::Opaque => {}
        }
    }

    fn needs_second_pass(&self) -> bool {
        match &self.kind {
            Kind::Whole(measured, numbers) => numbers.is_some() || measured.top.recounts(),
            Kind::Float(..) => true,
            Kind::Text(measured) => measured.top.recounts(),
            Kind::Opaque => false,
        }
    }

    fn second_pass(&mut self, values: &ArrayRef) {
        match &mut self.kind {
            Kind::Whole(measured, numbers) => each_whole(values, |value| {
                measured.top.recount(&value);
                if let Some(numbers) = numbers {
                    numbers.bin(value as f64);
                }
            }),
            Kind::Float(_, numbers) => each_float(values, |value| numbers.bin(value)),
            Kind::Text(measured) => {
                values.as_string::<i32>().iter().flatten().for_each(|text| measured.top.recount(text));
            }
            Kind::Opaque => {}
        }
    }

    fn finish(self) -> ColumnProfile {
        let dtype = self.field.dtype;
        let none = Numbers::default();
        let (values, numbers) = match self.kind {
            Kind::Whole(measured, numbers) => {
                (measured.finish(|value| whole_text(value, dtype)), numbers.unwrap_or_default())
            }
            Kind::Float(measured, numbers) => (measured.finish(|value| float_text(value, dtype)), numbers),
            Kind::Text(measured) => (measured.finish(|text| shown(&text)), Box::new(none)),
            Kind::Opaque => (Values::default(), Box::new(none)),
        };
        let (mean, quantiles, histogram) = numbers.finish();
        ColumnProfile {
            field: self.field,
            nulls: self.nulls,
            distinct_approx: values.distinct,
            min: values.min,
            max: values.max,
            mean,
            quantiles,
            histogram,
            top: values.top,
        }
    }
}

fn each_whole(values: &ArrayRef, mut see: impl FnMut(i128)) {
    macro_rules! primitive {
        ($arrow:ty) => {
            values.as_primitive::<$arrow>().iter().flatten().for_each(|value| see(i128::from(value)))
        };
    }
    match values.data_type() {
        DataType::Boolean => values.as_boolean().iter().flatten().for_each(|value| see(i128::from(value))),
        DataType::Int8 => primitive!(Int8Type),
        DataType::Int16 => primitive!(Int16Type),
        DataType::Int32 => primitive!(Int32Type),
        DataType::Int64 => primitive!(Int64Type),
        DataType::UInt8 => primitive!(UInt8Type),
        DataType::UInt16 => primitive!(UInt16Type),
        DataType::UInt32 => primitive!(UInt32Type),
        DataType::UInt64 => primitive!(UInt64Type),
        DataType::Date32 => primitive!(Date32Type),
        DataType::Timestamp(..) => primitive!(TimestampMicrosecondType),
        // `Column::new` sends no other type here.
        _ => {}
    }
}

fn each_float(values: &ArrayRef, see: impl FnMut(f64)) {
    if let Ok(wide) = cast(values, &DataType::Float64) {
        wide.as_primitive::<Float64Type>().iter().flatten().for_each(see);
    }
}

fn whole_text(value: i128, dtype: DType) -> String {
    let date = |days: i128| {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
        let days_away = Days::new(u64::try_from(days.unsigned_abs()).ok()?);
        if days < 0 { epoch.checked_sub_days(days_away) } else { epoch.checked_add_days(days_away) }
    };
    let text = match dtype {
        DType::Boolean => Some((value != 0).to_string()),
        DType::Date32 => date(value).map(|date| date.to_string()),
        DType::TimestampUs => i64::try_from(value)
            .ok()
            .and_then(DateTime::from_timestamp_micros)
            .map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        _ => None,
    };
    text.unwrap_or_else(|| value.to_string())
}

fn float_text(value: f64, dtype: DType) -> String {
    // The shortest text of a narrow float is shorter than that of the same value as a wide one.
    if dtype == DType::Float32 { (value as f32).to_string() } else { value.to_string() }
}

#[cfg(test)]
mod tests;
