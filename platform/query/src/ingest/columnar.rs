//! Parquet and Arrow IPC files, whose types are given.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tiegel_engine::{IngestRequest, SourceFile, TableError, arrow_field};
use tiegel_types::{Field, Schema, SourceFormat};

use super::bytes::open;
use super::{BLOCK_ROWS, Push, Target, format_of};
use crate::closed::{batch_of, closed_column, closed_schema};
use crate::error::{internal, invalid, shown};

/// An IPC file starts with this; a stream does not.
const IPC_FILE_MAGIC: &[u8; 6] = b"ARROW1";

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// The schema that all files share; a column that may be null in one may be null in the table.
pub(super) fn schema_of_files(request: &IngestRequest) -> Result<Schema, TableError> {
    let mut table: Option<(Schema, &str)> = None;
    for file in &request.files {
        let (schema, _) = batches(file, format_of(file, request)?)?;
        let found = schema_of_file(&schema, request).map_err(|error| invalid(format!("{}: {error}", file.label)))?;
        match &mut table {
            None => table = Some((found, &file.label)),
            Some((first, label)) => agree(first, label, &found, &file.label)?,
        }
    }
    table.map(|(schema, _)| schema).ok_or_else(|| invalid("there are no files to read"))
}

/// Declared columns may come as a type that no table can hold, such as a list that is cast to text.
fn schema_of_file(schema: &SchemaRef, request: &IngestRequest) -> Result<Schema, TableError> {
    let field = |field: &Arc<ArrowField>| match request.columns.get(field.name()) {
        Some(dtype) => {
            let declared = Field { nullable: field.is_nullable(), ..Field::new(field.name(), *dtype) };
            arrow_field(&declared)
        }
        None => field.as_ref().clone(),
    };
    closed_schema(&ArrowSchema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn agree(first: &mut Schema, first_label: &str, found: &Schema, label: &str) -> Result<(), TableError> {
    let words = |field: Option<&Field>| match field {
        Some(Field { name, dtype, width: 1, .. }) => format!("'{name}' {dtype}"),
        Some(Field { name, dtype, width, .. }) => format!("'{name}' {dtype} x {width}"),
        None => "missing".to_owned(),
    };
    for index in 0..first.fields.len().max(found.fields.len()) {
        let (a, b) = (words(first.fields.get(index)), words(found.fields.get(index)));
        if a != b {
            return Err(invalid(format!("{label}: column {} is {b}, but it is {a} in {first_label}", index + 1)));
        }
    }
    for (field, other) in first.fields.iter_mut().zip(&found.fields) {
        field.nullable |= other.nullable;
    }
    Ok(())
}

/// Reads a file and casts its columns, by position.
pub(super) fn read(file: &SourceFile, format: SourceFormat, target: &Target, push: Push<'_>) -> Result<(), TableError> {
    let (_, batches) = batches(file, format)?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch.map_err(|error| broken(file, &error, rows))?;
        let columns = batch.columns().iter().zip(&target.schema.fields).enumerate().map(|(index, (column, field))| {
            let data_type = target.arrow.field(index).data_type();
            closed_column(column, data_type).map_err(|error| misfit(file, field, column, (rows, &error)))
        });
        let columns = columns.collect::<Result<_, _>>()?;
        push(batch_of(target.arrow.clone(), columns, batch.num_rows()).map_err(|e| internal("building a batch", e))?)?;
        rows += batch.num_rows();
    }
    Ok(())
}

fn batches(file: &SourceFile, format: SourceFormat) -> Result<(SchemaRef, Batches), TableError> {
    let opened = open(file)?;
    if format == SourceFormat::Parquet {
        let not_parquet = |error| invalid(format!("{}: is not a Parquet file that can be read: {error}", file.label));
        let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(not_parquet)?;
        let schema = Arc::clone(builder.schema());
        let reader = builder.with_batch_size(BLOCK_ROWS).build().map_err(not_parquet)?;
        return Ok((schema, Box::new(reader)));
    }
    let not_ipc =
        |error| invalid(format!("{}: is not an Arrow IPC file or stream that can be read: {error}", file.label));
    if starts_with_magic(&opened).map_err(|error| not_ipc(error.into()))? {
        let reader = FileReader::try_new(BufReader::new(opened), None).map_err(not_ipc)?;
        return Ok((reader.schema(), Box::new(reader)));
    }
    let reader = StreamReader::try_new(BufReader::new(opened), None).map_err(not_ipc)?;
    Ok((reader.schema(), Box::new(reader)))
}

fn starts_with_magic(mut file: &File) -> std::io::Result<bool> {
    let mut start = Vec::with_capacity(IPC_FILE_MAGIC.len());
    file.take(IPC_FILE_MAGIC.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start == IPC_FILE_MAGIC)
}

fn broken(file: &SourceFile, error: &ArrowError, rows: usize) -> TableError {
    let advice =
        if error.to_string().contains("compression") { ": write it without compression, or as Parquet" } else { "" };
    invalid(format!("{}: cannot be read after row {rows}: {error}{advice}", file.label))
}

/// Finds the value that a cast refused: its row counts from 1 over the file.
fn misfit(file: &SourceFile, field: &Field, column: &ArrayRef, (rows, error): (usize, &ArrowError)) -> TableError {
    let target = arrow_field(field);
    let lenient = cast(column, target.data_type()).ok();
    let lost = lenient.and_then(|cast| (0..cast.len()).find(|&row| cast.is_null(row) && !column.is_null(row)));
    let Some(row) = lost else {
        return invalid(format!("{}, column '{}': cannot be {}: {error}", file.label, field.name, field.dtype));
    };
    let text = array_value_to_string(column, row).unwrap_or_default();
    invalid(format!(
        "{}, row {}, column '{}': '{}' is not {}, the type declared under `columns:`",
        file.label,
        rows + row + 1,
        field.name,
        shown(&text),
        field.dtype
    ))
}
