//! CSV as in RFC 4180, with a header. Lines are counted as an editor counts them.

use std::io::BufRead;

use arrow::array::{ArrayRef, RecordBatch};
use csv_core::{ReadRecordResult, Reader};
use tiegel_engine::{IngestRequest, SourceFile, TableError};
use tiegel_types::{DType, Field, Schema};

use super::bytes::{reading, with_bytes};
use super::guess::Guess;
use super::values::{BadText, parse_column};
use super::{BLOCK_ROWS, GUESS_ROWS, Push, Target};
use crate::closed::{batch_of, check_names};
use crate::error::{internal, invalid, shown};

/// Bytes of one record. Longer ones come from a quote that is never closed.
const RECORD_BYTES_MAX: usize = 16 << 20;
/// Bytes, or fields, that a buffer has room for before the reader is asked for more.
const ROOM_MIN: usize = 512;

/// The columns of a file and the types that its first rows have.
pub(super) fn guess(file: &SourceFile, request: &IngestRequest) -> Result<Schema, TableError> {
    with_bytes(file, |bytes| {
        let mut records = Records::new(&file.label, bytes);
        let names = records.header()?;
        let mut guesses = vec![Guess::new(); names.len()];
        let mut rows = 0;
        while rows < GUESS_ROWS {
            let block = records.block(names.len(), BLOCK_ROWS.min(GUESS_ROWS - rows))?;
            if block.rows() == 0 {
                break;
            }
            for (column, guess) in guesses.iter_mut().enumerate() {
                // A text that is not UTF-8 fails when it is read as a value.
                let texts = (0..block.rows()).filter_map(|row| block.text(row, column).ok());
                texts.filter(|text| !is_null(text, &request.null_values)).for_each(|text| guess.text(text));
            }
            rows += block.rows();
        }
        let fields = names.into_iter().zip(guesses).map(|(name, guess)| Field::new(name, guess.dtype()));
        Ok(Schema::new(fields.collect()))
    })
}

/// Reads a file whose header must name the table's columns in their order.
pub(super) fn read(file: &SourceFile, target: &Target, push: Push<'_>) -> Result<(), TableError> {
    if let Some(binary) = target.schema.fields.iter().find(|field| field.dtype == DType::Binary) {
        return Err(invalid(format!("column '{}' is declared as binary, which CSV cannot hold", binary.name)));
    }
    with_bytes(file, |bytes| {
        let mut records = Records::new(&file.label, bytes);
        let names = records.header()?;
        if !names.iter().map(String::as_str).eq(target.schema.names()) {
            let expected = target.schema.names().collect::<Vec<_>>().join(", ");
            return Err(invalid(format!(
                "{}: the columns are {}, but those of the first file are {expected}",
                file.label,
                names.join(", ")
            )));
        }
        loop {
            let block = records.block(names.len(), BLOCK_ROWS)?;
            if block.rows() == 0 {
                return Ok(());
            }
            push(batch(&file.label, &block, target)?)?;
        }
    })
}

fn batch(label: &str, block: &Block, target: &Target) -> Result<RecordBatch, TableError> {
    let column = |(index, field): (usize, &Field)| -> Result<ArrayRef, TableError> {
        if let Some(row) = (0..block.rows()).find(|&row| block.text(row, index).is_err()) {
            return Err(not_utf8(label, block, row, &field.name));
        }
        let text = |row| block.text(row, index).ok().filter(|text| !is_null(text, &target.null_values));
        parse_column(field.dtype, (0..block.rows()).map(text)).map_err(|BadText { row, text }| {
            invalid(format!(
                "{label}, line {}, column '{}': '{}' is not {}, {}",
                block.lines[row],
                field.name,
                shown(&text),
                field.dtype,
                target.advice(&field.name)
            ))
        })
    };
    let columns = target.schema.fields.iter().enumerate().map(column).collect::<Result<_, _>>()?;
    batch_of(target.arrow.clone(), columns, block.rows()).map_err(|e| internal("building a batch", e))
}

fn is_null(text: &str, null_values: &[String]) -> bool {
    text.is_empty() || null_values.iter().any(|null| null == text)
}

fn not_utf8(label: &str, block: &Block, row: usize, column: &str) -> TableError {
    invalid(format!(
        "{label}, line {}, column '{column}': the text is not UTF-8: convert the file first",
        block.lines[row]
    ))
}

/// Records packed one after the other: an allocation for a block, not for a field.
#[derive(Default)]
struct Block {
    /// Filled up to `bytes_used`; the rest is room.
    bytes: Vec<u8>,
    bytes_used: usize,
    /// The end of each field in `bytes`, record after record; filled up to `fields`.
    ends: Vec<usize>,
    fields: usize,
    /// The line on which each record starts.
    lines: Vec<u64>,
    columns: usize,
}

impl Block {
    fn rows(&self) -> usize {
        self.lines.len()
    }

    fn text(&self, row: usize, column: usize) -> Result<&str, ()> {
        let field = row * self.columns + column;
        let start = if field == 0 { 0 } else { self.ends[field - 1] };
        std::str::from_utf8(&self.bytes[start..self.ends[field]]).map_err(drop)
    }
}

struct Records<'a> {
    label: &'a str,
    input: &'a mut dyn BufRead,
    reader: Reader,
    /// Line ends between records, which are taken before the reader could count them.
    lines_skipped: u64,
}

impl<'a> Records<'a> {
    fn new(label: &'a str, input: &'a mut dyn BufRead) -> Self {
        Self { label, input, reader: Reader::new(), lines_skipped: 0 }
    }

    fn header(&mut self) -> Result<Vec<String>, TableError> {
        let mut block = Block::default();
        if !self.record(&mut block)? {
            return Err(invalid(format!("{}: is empty: the first line must name the columns", self.label)));
        }
        block.columns = block.fields;
        let name = |column| match block.text(0, column) {
            Ok(name) => Ok(name.trim().to_owned()),
            Err(()) => Err(invalid(format!("{}: the header is not UTF-8: convert the file first", self.label))),
        };
        let names = (0..block.columns).map(name).collect::<Result<Vec<_>, _>>()?;
        check_names(names.iter().map(String::as_str)).map_err(|error| invalid(format!("{}: {error}", self.label)))?;
        Ok(names)
    }

    /// The next records, at most `rows`, each of `columns` fields.
    fn block(&mut self, columns: usize, rows: usize) -> Result<Block, TableError> {
        let mut block = Block { columns, ..Block::default() };
        while block.rows() < rows {
            let before = block.fields;
            if !self.record(&mut block)? {
                break;
            }
            let found = block.fields - before;
            if found != columns {
                let line = block.lines[block.rows() - 1];
                return Err(invalid(format!(
                    "{}, line {line}: {found} fields, but the header names {columns} columns",
                    self.label
                )));
            }
        }
        Ok(block)
    }

    /// Appends one record; false at the end of the file.
    fn record(&mut self, block: &mut Block) -> Result<bool, TableError> {
        self.skip_line_ends()?;
        let line = self.reader.line() + self.lines_skipped;
        let (base, first_field) = (block.bytes_used, block.fields);
        let (mut used, mut fields) = (base, first_field);
        loop {
            let input = self.input.fill_buf().map_err(|error| reading(self.label, &error))?;
            if used - base > RECORD_BYTES_MAX {
                return Err(too_long(self.label, line));
            }
            make_room(&mut block.bytes, used);
            make_room(&mut block.ends, fields);
            let (result, taken, written, ended) =
                self.reader.read_record(input, &mut block.bytes[used..], &mut block.ends[fields..]);
            self.input.consume(taken);
            used += written;
            fields += ended;
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(false),
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
            }
        }
        // The reader counts from the record's start.
        block.ends[first_field..fields].iter_mut().for_each(|end| *end += base);
        (block.bytes_used, block.fields) = (used, fields);
        block.lines.push(line);
        Ok(true)
    }

    fn skip_line_ends(&mut self) -> Result<(), TableError> {
        loop {
            let input = self.input.fill_buf().map_err(|error| reading(self.label, &error))?;
            let ends = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.lines_skipped += input[..ends].iter().filter(|byte| **byte == b'\n').count() as u64;
            self.input.consume(ends);
            if ends == 0 {
                return Ok(());
            }
        }
    }
}

/// Makes room behind what is used, doubling so that the cost stays even.
fn make_room<T: Clone + Default>(buffer: &mut Vec<T>, used: usize) {
    if buffer.len() < used + ROOM_MIN {
        buffer.resize(2 * (used + ROOM_MIN), T::default());
    }
}

fn too_long(label: &str, line: u64) -> TableError {
    invalid(format!(
        "{label}, line {line}: the record is longer than {RECORD_BYTES_MAX} bytes: is a quote never closed?"
    ))
}
