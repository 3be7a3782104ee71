//! Reads a stored table straight from its Parquet files, row group by row group.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, RowFilter};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use tiegel_engine::{BatchStream, ScanOptions, ScanOrder, TableError, arrow_schema};
use tiegel_types::{FileRef, SPLIT_COLUMN, Schema, Split, Table, limits};

use crate::blobs::BlobReader;
use crate::closed::batch_of;
use crate::error::{internal, invalid};

/// Row groups that are read ahead of the consumer.
const GROUPS_AHEAD_MAX: usize = 2;
/// Rows in a batch where the caller does not say.
const BATCH_ROWS: usize = 8_192;

/// The rows that `options` ask for, as a stream of batches of at most `batch_rows` rows.
pub(crate) async fn scan(
    blobs: Arc<dyn ObjectStore>,
    table: Table,
    options: ScanOptions,
) -> Result<BatchStream, TableError> {
    let columns = Columns::new(&table.schema, &options)?;
    let mut files = Vec::new();
    for file in &table.files {
        files.push(Arc::new(StoredFile::open(&blobs, file).await?));
    }
    let mut offset = options.offset;
    let mut groups = row_groups(&files);
    match options.order {
        ScanOrder::Stored if options.splits.is_empty() => skip_groups(&mut groups, &mut offset),
        ScanOrder::Stored => {}
        ScanOrder::RowGroupsShuffled { seed } => shuffle(&mut groups, seed),
    }
    let reader = Arc::new(GroupReader { columns, splits: options.splits, batch_rows: batch_rows(options.batch_rows) });
    let read = stream::iter(groups)
        .map(move |group| {
            let reader = Arc::clone(&reader);
            async move { reader.read(group).await }
        })
        .buffered(GROUPS_AHEAD_MAX)
        .map_ok(|batches| stream::iter(batches.into_iter().map(Ok)))
        .try_flatten();
    Ok(cut(read.boxed(), offset, options.limit))
}

fn batch_rows(asked: usize) -> usize {
    if asked == 0 { BATCH_ROWS } else { asked.min(limits::ROW_GROUP_ROWS) }
}

/// The columns to answer, in the order asked for.
struct Columns {
    names: Vec<String>,
    schema: SchemaRef,
}

impl Columns {
    fn new(table: &Schema, options: &ScanOptions) -> Result<Self, TableError> {
        if !options.splits.is_empty() && table.field(SPLIT_COLUMN).is_none() {
            return Err(invalid(format!(
                "the table has no column '{SPLIT_COLUMN}' to choose rows by: add a split step before"
            )));
        }
        let names = options.columns.clone().unwrap_or_else(|| table.names().map(str::to_owned).collect());
        let field = |name: &String| table.field(name).cloned().ok_or_else(|| no_column(name, table));
        let fields = names.iter().map(field).collect::<Result<_, _>>()?;
        Ok(Self { names, schema: arrow_schema(&Schema::new(fields)) })
    }
}

pub(crate) fn no_column(name: &str, table: &Schema) -> TableError {
    invalid(format!("there is no column '{name}': the columns are {}", table.names().collect::<Vec<_>>().join(", ")))
}

/// A Parquet file and its footer.
struct StoredFile {
    reader: BlobReader,
    metadata: ArrowReaderMetadata,
}

impl StoredFile {
    async fn open(blobs: &Arc<dyn ObjectStore>, file: &FileRef) -> Result<Self, TableError> {
        let mut reader =
            BlobReader { blobs: Arc::clone(blobs), path: file.digest.blob_path().into(), bytes: file.bytes };
        let metadata = ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::new()).await;
        Ok(Self { reader, metadata: metadata.map_err(|e| internal(&format!("opening blob {}", file.digest), e))? })
    }
}

struct Group {
    file: Arc<StoredFile>,
    index: usize,
}

impl Group {
    fn rows(&self) -> usize {
        self.file.metadata.metadata().row_group(self.index).num_rows() as usize
    }
}

fn row_groups(files: &[Arc<StoredFile>]) -> Vec<Group> {
    let groups = |file: &Arc<StoredFile>| {
        let file = Arc::clone(file);
        (0..file.metadata.metadata().num_row_groups()).map(move |index| Group { file: Arc::clone(&file), index })
    };
    files.iter().flat_map(groups).collect()
}

/// Leaves out the row groups that end before `offset`, so that a late page costs no more than an early one.
fn skip_groups(groups: &mut Vec<Group>, offset: &mut usize) {
    let mut skipped = 0;
    while let Some(group) = groups.get(skipped)
        && group.rows() <= *offset
    {
        *offset -= group.rows();
        skipped += 1;
    }
    groups.drain(..skipped);
}

/// Fisher and Yates, driven by SplitMix64 (Steele, Lea and Flood 2014): the same order on every machine.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let draw = z ^ (z >> 31);
        items.swap(last, ((u128::from(draw) * (last as u128 + 1)) >> 64) as usize);
    }
}

struct GroupReader {
    columns: Columns,
    splits: Vec<Split>,
    batch_rows: usize,
}

impl GroupReader {
    async fn read(&self, group: Group) -> Result<Vec<RecordBatch>, TableError> {
        let reading = |e: parquet::errors::ParquetError| internal("reading a stored table", e);
        let file = &group.file;
        let mut builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(file.reader.clone(), file.metadata.clone())
                .with_row_groups(vec![group.index])
                .with_batch_size(self.batch_rows);
        let mask = ProjectionMask::roots(builder.parquet_schema(), self.positions(&file.metadata)?);
        builder = builder.with_projection(mask);
        if !self.splits.is_empty() {
            let split = ProjectionMask::columns(builder.parquet_schema(), [SPLIT_COLUMN]);
            let wanted: BTreeSet<&'static str> = self.splits.iter().map(|split| split.as_str()).collect();
            let predicate = ArrowPredicateFn::new(split, move |batch| in_splits(&batch, &wanted));
            builder = builder.with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
        }
        let batches: Vec<RecordBatch> = builder.build().map_err(reading)?.try_collect().await.map_err(reading)?;
        batches.iter().map(|batch| self.arrange(batch)).collect()
    }

    fn positions(&self, metadata: &ArrowReaderMetadata) -> Result<Vec<usize>, TableError> {
        let position = |name: &String| {
            metadata.schema().index_of(name).map_err(|e| internal("a stored file lacks a column of its table", e))
        };
        self.columns.names.iter().map(position).collect()
    }

    /// Parquet answers columns in the file's order; this is the order asked for.
    fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
        let column =
            |name: &String| batch.column_by_name(name).cloned().ok_or_else(|| internal("a column was not read", name));
        let columns = self.columns.names.iter().map(column).collect::<Result<_, _>>()?;
        batch_of(Arc::clone(&self.columns.schema), columns, batch.num_rows())
            .map_err(|e| internal("a stored file does not fit its table's schema", e))
    }
}

fn in_splits(batch: &RecordBatch, wanted: &BTreeSet<&'static str>) -> Result<BooleanArray, ArrowError> {
    let splits = batch.column(0).as_any().downcast_ref::<StringArray>();
    let splits = splits.ok_or_else(|| ArrowError::SchemaError(format!("column '{SPLIT_COLUMN}' is not utf8")))?;
    Ok(splits.iter().map(|split| Some(split.is_some_and(|text| wanted.contains(text)))).collect())
}

/// Drops the first `offset` rows and stops after `limit`.
fn cut(batches: BatchStream, offset: usize, limit: Option<usize>) -> BatchStream {
    let state = (batches, offset, limit.unwrap_or(usize::MAX));
    stream::try_unfold(state, |(mut batches, mut offset, mut left)| async move {
        while left > 0 {
            let Some(batch) = batches.try_next().await? else { return Ok(None) };
            let skipped = offset.min(batch.num_rows());
            offset -= skipped;
            let kept = left.min(batch.num_rows() - skipped);
            if kept > 0 {
                left -= kept;
                return Ok(Some((batch.slice(skipped, kept), (batches, offset, left))));
            }
        }
        Ok(None)
    })
    .boxed()
}

#[cfg(test)]
mod tests;
