//! What holds for every plugin, on the columns of a case: ordinary, extreme, null and no values, in all pieces.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type};
use tiegel_engine::{PluginFailure, PluginHost, Transformer};

use super::case::to_rows;
use super::{Case, Check, Subject, bytes, cut, joined, state};
use crate::attack::inputs;

/// The bytes of an answer, or that it was refused: messages name rows, whose numbers depend on the pieces.
type Answer = Result<Vec<u8>, String>;

pub(super) fn check(subject: &Subject<'_>, name: &str, case: &Case) -> Result<Vec<Check>, PluginFailure> {
    let input = &subject.binding.input;
    let mut tables = vec![("ordinary values", inputs::plain(input)), ("extreme values", inputs::extreme(input))];
    tables.extend(inputs::nulls(input).map(|nulls| ("nulls only", nulls)));
    tables.push(("the case's rows", case.input_rows(&subject.binding)?));
    tables.push(("no rows", inputs::plain(input).slice(0, 0)));
    let row_wise = subject.fresh()?.row_wise();
    let mut checks = Vec::new();
    for (what, table) in &tables {
        let mut keep = |check: &str, failure: Option<String>| {
            let replay = failure.is_some().then(|| replay(case, &format!("{what}: {check}"), table));
            checks.push(Check { case: name.to_owned(), check: format!("{what}: {check}"), failure, replay });
        };
        keep("the same answer twice", twice(subject, table));
        if row_wise {
            keep("one row at a time, as all at once", row_by_row(subject, table));
            keep("any two pieces, fresh and warm", pieces(subject, table));
        } else {
            keep("any two pieces in order", ordered_pieces(subject, table));
        }
        if subject.fits && table.num_rows() > 0 {
            keep("the same chunks, the same state", same_chunks(subject, table));
            keep("any two chunks, within the tolerance", any_chunks(subject, table, case.tolerance));
        }
    }
    Ok(checks)
}

/// The rows of the failure as a case, as far as JSON can say them.
fn replay(case: &Case, about: &str, table: &RecordBatch) -> Case {
    let input = to_rows(table).unwrap_or_default();
    Case { about: about.to_owned(), input, output: None, error: None, ..case.clone() }
}

/// All batches in order through one fresh instance.
pub(super) fn in_order(subject: &Subject<'_>, inputs: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, PluginFailure> {
    let mut outputs = Vec::new();
    let mut keep = |output| {
        outputs.push(output);
        Ok(())
    };
    subject.fresh()?.transform_all(&mut inputs.into_iter().map(Ok), &mut keep)?;
    Ok(outputs)
}

fn answer(outputs: Result<Vec<RecordBatch>, PluginFailure>) -> Answer {
    let mut outputs = outputs.map_err(|failure| failure.to_string())?;
    // Ordered plugins answer batches without rows where they have nothing to say yet.
    outputs.retain(|batch| batch.num_rows() > 0);
    Ok(joined(&outputs))
}

fn on(transformer: &Arc<dyn Transformer>, parts: &[RecordBatch]) -> Answer {
    answer(parts.iter().map(|part| transformer.transform(part)).collect())
}

fn differ(expected: &Answer, found: &Answer, how: &str) -> Option<String> {
    match (expected, found) {
        (Ok(expected), Ok(found)) if expected == found => None,
        (Err(_), Err(_)) => None,
        (Ok(_), Ok(_)) => Some(format!("{how}: other bytes than all at once")),
        (Ok(_), Err(error)) => Some(format!("{how}: refused, though not all at once: {error}")),
        (Err(error), Ok(_)) => Some(format!("{how}: answered, though refused all at once: {error}")),
    }
}

fn twice(subject: &Subject<'_>, table: &RecordBatch) -> Option<String> {
    let first = answer(in_order(subject, vec![table.clone()]));
    differ(&first, &answer(in_order(subject, vec![table.clone()])), "a second time")
}

fn row_by_row(subject: &Subject<'_>, table: &RecordBatch) -> Option<String> {
    let places: Vec<usize> = (1..table.num_rows()).collect();
    let together = together(subject, table);
    let singly = subject.fresh().map_err(|failure| failure.to_string()).and_then(|it| on(&it, &cut(table, &places)));
    differ(&together, &singly, "one row at a time")
}

fn together(subject: &Subject<'_>, table: &RecordBatch) -> Answer {
    subject.fresh().map_err(|failure| failure.to_string()).and_then(|it| on(&it, std::slice::from_ref(table)))
}

fn pieces(subject: &Subject<'_>, table: &RecordBatch) -> Option<String> {
    let together = together(subject, table);
    let warm = subject.fresh().ok()?;
    (0..=table.num_rows()).find_map(|place| {
        let parts = cut(table, &[place]);
        let on_warm = differ(&together, &on(&warm, &parts), &format!("cut at row {place}, warm"));
        on_warm.or_else(|| {
            let fresh: Result<Vec<_>, _> = parts.iter().map(|part| subject.fresh()?.transform(part)).collect();
            differ(&together, &answer(fresh), &format!("cut at row {place}, fresh"))
        })
    })
}

fn ordered_pieces(subject: &Subject<'_>, table: &RecordBatch) -> Option<String> {
    let together = answer(in_order(subject, vec![table.clone()]));
    (0..=table.num_rows()).find_map(|place| {
        differ(&together, &answer(in_order(subject, cut(table, &[place]))), &format!("cut at row {place}"))
    })
}

fn same_chunks(subject: &Subject<'_>, table: &RecordBatch) -> Option<String> {
    let chunks = cut(table, &[table.num_rows() / 2]);
    match (subject.learn(&chunks), subject.learn(&chunks)) {
        (Ok(first), Ok(second)) if first.state != second.state => Some("the second fit has another state".to_owned()),
        (Ok(_), Err(failure)) | (Err(failure), Ok(_)) => Some(format!("one of two fits is refused: {failure}")),
        _ => None,
    }
}

fn any_chunks(subject: &Subject<'_>, table: &RecordBatch, tolerance: f64) -> Option<String> {
    let whole = outputs_after(subject, std::slice::from_ref(table), table).ok()?;
    (0..=table.num_rows()).find_map(|place| match outputs_after(subject, &cut(table, &[place]), table) {
        Ok(parts) => apart(&whole, &parts, tolerance).map(|what| format!("chunks cut at row {place}: {what}")),
        Err(failure) => Some(format!("chunks cut at row {place}: {failure}")),
    })
}

/// What a state from these chunks makes of the rows.
fn outputs_after(
    subject: &Subject<'_>,
    chunks: &[RecordBatch],
    rows: &RecordBatch,
) -> Result<RecordBatch, PluginFailure> {
    let learned = state(&subject.learn(chunks)?);
    let transformer = subject.host.transformer(&subject.binding, Some(learned))?;
    let mut outputs = Vec::new();
    let mut keep = |output| {
        outputs.push(output);
        Ok(())
    };
    transformer.transform_all(&mut std::iter::once(Ok(rows.clone())), &mut keep)?;
    let schema = tiegel_engine::arrow_schema(transformer.output());
    Ok(concat_batches(&schema, &outputs).expect("answers of one plugin have one schema"))
}

fn apart(expected: &RecordBatch, found: &RecordBatch, tolerance: f64) -> Option<String> {
    if bytes(expected) == bytes(found) {
        return None;
    }
    if expected.schema() != found.schema() || expected.num_rows() != found.num_rows() {
        return Some("other columns or another number of rows".to_owned());
    }
    expected.columns().iter().zip(found.columns()).zip(expected.schema().fields()).find_map(|((a, b), field)| {
        let numbers = |column: &ArrayRef| match column.data_type().is_numeric() {
            true => cast(column, &DataType::Float64).ok(),
            false => None,
        };
        let (Some(a), Some(b)) = (numbers(a), numbers(b)) else {
            return (a.to_data() != b.to_data()).then(|| format!("column '{}' differs", field.name()));
        };
        let (a, b) = (a.as_primitive::<Float64Type>(), b.as_primitive::<Float64Type>());
        let close =
            |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * a.abs().max(1.0);
        let row = a.iter().zip(b).position(|pair| match pair {
            (Some(a), Some(b)) => !close(a, b),
            (a, b) => a.is_some() != b.is_some(),
        })?;
        Some(format!("column '{}', row {row}: {:?}, not {:?}", field.name(), b.value(row), a.value(row)))
    })
}
