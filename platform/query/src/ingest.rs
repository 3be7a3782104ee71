//! Source files into Parquet: formats, one schema over all files, and errors that name file, row and column.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tiegel_engine::{IngestRequest, SourceFile, TableError, Written, arrow_schema};
use tiegel_types::{DType, Field, Schema, SourceFormat};
use tokio_util::sync::CancellationToken;

use crate::closed::check_names;
use crate::error::invalid;
use crate::write::{Scratch, Sink, TableWriter};

mod bytes;
mod columnar;
mod csv;
mod guess;
mod json;
mod values;

/// Rows of the first file that the types of a text format are guessed from.
const GUESS_ROWS: usize = 20_000;
/// Rows read at a time.
const BLOCK_ROWS: usize = 8_192;

/// Receives one batch of the table's schema; fails where the ingestion is over.
type Push<'a> = &'a mut dyn FnMut(RecordBatch) -> Result<(), TableError>;

/// Reads all files in their order. Blocks; the writer runs beside it.
pub(crate) async fn ingest(
    request: IngestRequest,
    scratch: Scratch,
    cancel: CancellationToken,
) -> Result<Written, TableError> {
    let (request, schema) = crate::runtime::blocking(move || {
        let schema = schema_of_files(&request)?;
        Ok((request, schema))
    })
    .await?;
    let sink = Sink::start(TableWriter::new(schema.clone(), scratch)?, None);
    // A caller who stops waiting stops the reading thread as well.
    let cancel = cancel.child_token();
    let _stop = cancel.clone().drop_guard();
    let read = crate::runtime::blocking(move || {
        let target = Target::new(&request, schema);
        let mut push = |batch| match cancel.is_cancelled() {
            true => Err(Stopped::Cancelled.into()),
            false if sink.push_blocking(batch) => Ok(()),
            false => Err(Stopped::WriterFailed.into()),
        };
        let read = request.files.iter().try_for_each(|file| read_file(file, &request, &target, &mut push));
        Ok((sink, read))
    });
    match read.await? {
        (sink, Ok(())) => sink.finish().await,
        // The writer knows better why it stopped.
        (sink, Err(TableError::Internal(message))) if message == WRITER_FAILED => sink.finish().await,
        (sink, Err(error)) => {
            sink.abandon().await;
            Err(error)
        }
    }
}

const WRITER_FAILED: &str = "the table writer failed";

enum Stopped {
    Cancelled,
    WriterFailed,
}

impl From<Stopped> for TableError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Cancelled => TableError::Cancelled,
            Stopped::WriterFailed => TableError::Internal(WRITER_FAILED.into()),
        }
    }
}

/// The table that the files become.
struct Target {
    schema: Schema,
    arrow: SchemaRef,
    /// Columns whose type the user declared.
    declared: BTreeMap<String, DType>,
    null_values: Vec<String>,
}

impl Target {
    fn new(request: &IngestRequest, schema: Schema) -> Self {
        let arrow = arrow_schema(&schema);
        Self { schema, arrow, declared: request.columns.clone(), null_values: request.null_values.clone() }
    }

    /// The end of a message about a value that does not fit its column.
    fn advice(&self, column: &str) -> String {
        if self.declared.contains_key(column) {
            return "the type declared under `columns:`".into();
        }
        format!(
            "the type of the first {GUESS_ROWS} rows; if the column holds anything else, declare it under `columns:`, such as `{column}: utf8`"
        )
    }
}

fn schema_of_files(request: &IngestRequest) -> Result<Schema, TableError> {
    let Some(first) = request.files.first() else {
        return Err(invalid("there are no files to read"));
    };
    let format = format_of(first, request)?;
    let found = match format {
        SourceFormat::Csv => csv::guess(first, request)?,
        SourceFormat::JsonLines => json::guess(first, request)?,
        SourceFormat::Parquet | SourceFormat::ArrowIpc => columnar::schema_of_files(request)?,
    };
    let schema = declared(found, request).map_err(|error| invalid(format!("{}: {error}", first.label)))?;
    check_names(schema.names()).map_err(|error| invalid(format!("{}: {error}", first.label)))?;
    Ok(schema)
}

/// Puts the declared types in place of those found.
fn declared(mut schema: Schema, request: &IngestRequest) -> Result<Schema, String> {
    for (name, dtype) in &request.columns {
        if *dtype == DType::Bfloat16 {
            return Err(format!("column '{name}' is declared as bfloat16, which no table can hold: use float32"));
        }
        let known = schema.names().collect::<Vec<_>>().join(", ");
        let field = schema.fields.iter_mut().find(|field| field.name == *name);
        let field: &mut Field = field
            .ok_or_else(|| format!("`columns:` declares '{name}', which is not a column; the columns are {known}"))?;
        field.dtype = *dtype;
        field.width = 1;
    }
    Ok(schema)
}

fn read_file(file: &SourceFile, request: &IngestRequest, target: &Target, push: Push<'_>) -> Result<(), TableError> {
    match format_of(file, request)? {
        SourceFormat::Csv => csv::read(file, target, push),
        SourceFormat::JsonLines => json::read(file, target, push),
        SourceFormat::Parquet | SourceFormat::ArrowIpc => columnar::read(file, format_of(file, request)?, target, push),
    }
}

fn format_of(file: &SourceFile, request: &IngestRequest) -> Result<SourceFormat, TableError> {
    if let Some(format) = request.format {
        return Ok(format);
    }
    let label = file.label.to_lowercase();
    let name = label.strip_suffix(".gz").or(label.strip_suffix(".zip")).unwrap_or(&label);
    match name.rsplit('.').next() {
        Some("csv") => Ok(SourceFormat::Csv),
        Some("parquet" | "pq") => Ok(SourceFormat::Parquet),
        Some("jsonl" | "ndjson") => Ok(SourceFormat::JsonLines),
        Some("arrow" | "arrows" | "feather" | "ipc") => Ok(SourceFormat::ArrowIpc),
        _ if label.ends_with(".zip") => Ok(SourceFormat::Csv),
        _ => Err(invalid(format!(
            "{}: its ending tells no format: use .csv, .csv.gz, .zip, .parquet, .jsonl or .arrow, or declare `format:`",
            file.label
        ))),
    }
}

#[cfg(test)]
mod tests;
