//! Rows on their way out: JSON, JSON lines, CSV, an Arrow IPC stream or Parquet, piece by piece.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use futures::StreamExt;
use futures::stream;
use tiegel_engine::{BatchStream, EncodedStream, RowsFormat, TableError, arrow_schema};
use tiegel_types::Schema;

use crate::closed::closed_batch;
use crate::error::internal;
use crate::write::RowGroups;

pub(crate) use text::json_row;

mod text;

/// Encodes a stream. The first piece comes before the first batch where the format has a heading.
pub(crate) fn encode(schema: &Schema, batches: BatchStream, format: RowsFormat) -> EncodedStream {
    let encoder = match Encoder::new(schema, format) {
        Ok(encoder) => encoder,
        Err(error) => return stream::once(async { Err(error) }).boxed(),
    };
    stream::try_unfold(Some((encoder, batches)), |live| async {
        let Some((mut encoder, mut batches)) = live else { return Ok(None) };
        match batches.next().await {
            Some(batch) => {
                let piece = encoder.batch(&batch?)?;
                Ok(Some((piece, Some((encoder, batches)))))
            }
            None => Ok(Some((encoder.finish()?, None))),
        }
    })
    // Parquet holds rows back until a row group is full.
    .filter(|piece| std::future::ready(!piece.as_ref().is_ok_and(Vec::is_empty)))
    .boxed()
}

struct Encoder {
    schema: SchemaRef,
    format: Format,
    /// Bytes that no piece has carried yet.
    pending: Vec<u8>,
    rows: usize,
}

enum Format {
    Json,
    JsonLines,
    Csv,
    Arrow(Box<StreamWriter<Vec<u8>>>),
    Parquet(Box<RowGroups<Shared>>, Shared),
}

impl Encoder {
    fn new(schema: &Schema, format: RowsFormat) -> Result<Self, TableError> {
        let schema = arrow_schema(schema);
        let mut pending = Vec::new();
        let format = match format {
            RowsFormat::Json => {
                pending.push(b'[');
                Format::Json
            }
            RowsFormat::JsonLines => Format::JsonLines,
            RowsFormat::Csv => {
                text::csv_header(&schema, &mut pending);
                Format::Csv
            }
            RowsFormat::ArrowStream => {
                let writer = StreamWriter::try_new(Vec::new(), &schema).map_err(encoding)?;
                Format::Arrow(Box::new(writer))
            }
            RowsFormat::Parquet => {
                let out = Shared::default();
                Format::Parquet(Box::new(RowGroups::new(&schema, out.clone())?), out)
            }
        };
        Ok(Self { schema, format, pending, rows: 0 })
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, TableError> {
        let batch = closed_batch(batch, &self.schema).map_err(encoding)?;
        let mut piece = std::mem::take(&mut self.pending);
        match &mut self.format {
            Format::Json => {
                for row in 0..batch.num_rows() {
                    piece.extend_from_slice(if self.rows + row == 0 { b"\n" } else { b",\n" });
                    text::json_object(&batch, row, &mut piece);
                }
            }
            Format::JsonLines => {
                for row in 0..batch.num_rows() {
                    text::json_object(&batch, row, &mut piece);
                    piece.push(b'\n');
                }
            }
            Format::Csv => {
                for row in 0..batch.num_rows() {
                    text::csv_record(&batch, row, &mut piece);
                }
            }
            Format::Arrow(writer) => {
                writer.write(&batch).map_err(encoding)?;
                piece.append(writer.get_mut());
            }
            Format::Parquet(groups, out) => {
                groups.push(batch.clone())?;
                piece.append(&mut out.take());
            }
        }
        self.rows += batch.num_rows();
        Ok(piece)
    }

    fn finish(self) -> Result<Vec<u8>, TableError> {
        let mut piece = self.pending;
        match self.format {
            Format::Json => piece.extend_from_slice(b"\n]\n"),
            Format::JsonLines | Format::Csv => {}
            Format::Arrow(writer) => piece.append(&mut { *writer }.into_inner().map_err(encoding)?),
            Format::Parquet(groups, _) => piece.append(&mut groups.finish()?.take()),
        }
        Ok(piece)
    }
}

/// Bytes that the Parquet writer has given out and no piece has carried yet.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn encoding(error: impl std::fmt::Display) -> TableError {
    internal("encoding rows", error)
}

#[cfg(test)]
mod tests;
