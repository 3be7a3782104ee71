//! The one Parquet writer: whatever batches come in, the same rows give the same bytes.
//!
//! Row groups hold exactly `ROW_GROUP_ROWS` rows and pages are cut inside a row group only, so neither depends on how
//! the rows arrived. Metadata holds no time. The digest is taken while the bytes pass.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tiegel_engine::{ScratchFile, TableError, Written, arrow_schema};
use tiegel_types::{Hasher, Schema, limits};

use crate::error::internal;

pub(crate) use self::sink::Sink;
pub(crate) use self::unique::UniqueKey;

mod sink;
mod unique;

/// Rows in one file; a longer table is several files. A multiple of `ROW_GROUP_ROWS`.
const FILE_ROWS_MAX: usize = 1_024 * limits::ROW_GROUP_ROWS;
/// zstd's fastest level: tables are read far more often than their bytes are moved.
const ZSTD_LEVEL: i32 = 1;

/// Where scratch files go, and what they are called: no two of one process share a name.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    pub dir: PathBuf,
    pub counter: Arc<AtomicU64>,
}

impl Scratch {
    fn next(&self) -> PathBuf {
        self.dir.join(format!("part-{}.parquet", self.counter.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Cuts batches into row groups and encodes them into `W`.
pub(crate) struct RowGroups<W: Write + Send> {
    groups: BatchCoalescer,
    parquet: ArrowWriter<W>,
}

impl<W: Write + Send> RowGroups<W> {
    pub(crate) fn new(schema: &SchemaRef, out: W) -> Result<Self, TableError> {
        let parquet = ArrowWriter::try_new(out, Arc::clone(schema), Some(properties())).map_err(writing)?;
        Ok(Self { groups: BatchCoalescer::new(Arc::clone(schema), limits::ROW_GROUP_ROWS), parquet })
    }

    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), TableError> {
        self.groups.push_batch(batch).map_err(writing)?;
        self.encode()
    }

    /// The sink after the last row group and the footer.
    pub(crate) fn finish(mut self) -> Result<W, TableError> {
        self.groups.finish_buffered_batch().map_err(writing)?;
        self.encode()?;
        self.parquet.into_inner().map_err(writing)
    }

    fn encode(&mut self) -> Result<(), TableError> {
        while let Some(group) = self.groups.next_completed_batch() {
            self.parquet.write(&group).map_err(writing)?;
            self.parquet.flush().map_err(writing)?;
        }
        Ok(())
    }
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).expect("level 1 is a zstd level")))
        .set_max_row_group_row_count(Some(limits::ROW_GROUP_ROWS))
        // Row groups are as small as pages usually are: their statistics prune enough.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build()
}

/// Writes a table into scratch files, which are removed unless `finish` is reached.
pub(crate) struct TableWriter {
    schema: Schema,
    arrow: SchemaRef,
    scratch: Scratch,
    file_rows_max: usize,
    open: Option<OpenFile>,
    done: Vec<ScratchFile>,
}

struct OpenFile {
    path: PathBuf,
    groups: RowGroups<DigestedFile>,
    rows: usize,
}

impl TableWriter {
    pub(crate) fn new(schema: Schema, scratch: Scratch) -> Result<Self, TableError> {
        std::fs::create_dir_all(&scratch.dir).map_err(|e| internal("making the scratch folder", e))?;
        let arrow = arrow_schema(&schema);
        Ok(Self { schema, arrow, scratch, file_rows_max: FILE_ROWS_MAX, open: None, done: Vec::new() })
    }

    pub(crate) fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    pub(crate) fn push(&mut self, mut batch: RecordBatch) -> Result<(), TableError> {
        while batch.num_rows() > 0 {
            let room = self.file_rows_max - self.open.as_ref().map_or(0, |open| open.rows);
            let fits = room.min(batch.num_rows());
            let open = self.open()?;
            open.groups.push(batch.slice(0, fits))?;
            open.rows += fits;
            if fits == room {
                self.close()?;
            }
            batch = batch.slice(fits, batch.num_rows() - fits);
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Written, TableError> {
        if self.done.is_empty() {
            // A table of no rows is one file with a schema.
            self.open()?;
        }
        self.close()?;
        let files = std::mem::take(&mut self.done);
        Ok(Written { schema: std::mem::take(&mut self.schema), rows: files.iter().map(|f| f.rows).sum(), files })
    }

    fn open(&mut self) -> Result<&mut OpenFile, TableError> {
        if self.open.is_none() {
            let path = self.scratch.next();
            let file = DigestedFile::create(&path)?;
            self.open = Some(OpenFile { path, groups: RowGroups::new(&self.arrow, file)?, rows: 0 });
        }
        Ok(self.open.as_mut().expect("it was opened above"))
    }

    fn close(&mut self) -> Result<(), TableError> {
        if let Some(OpenFile { path, groups, rows }) = self.open.take() {
            let finished = groups.finish().and_then(DigestedFile::finish);
            let (digest, bytes) = finished.inspect_err(|_| remove(&path))?;
            self.done.push(ScratchFile { path, digest, bytes, rows: rows as u64 });
        }
        Ok(())
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        for path in self.open.iter().map(|open| &open.path).chain(self.done.iter().map(|file| &file.path)) {
            remove(path);
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "a scratch file was not removed");
    }
}

struct DigestedFile {
    file: BufWriter<File>,
    hasher: Hasher,
    bytes: u64,
}

impl DigestedFile {
    fn create(path: &Path) -> Result<Self, TableError> {
        let file = File::create(path).map_err(|e| internal("making a scratch file", e))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 16, file), hasher: Hasher::default(), bytes: 0 })
    }

    fn finish(mut self) -> Result<(tiegel_types::Digest, u64), TableError> {
        self.file.flush().map_err(writing)?;
        Ok((self.hasher.finish(), self.bytes))
    }
}

impl Write for DigestedFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn writing(error: impl std::fmt::Display) -> TableError {
    internal("writing a table", error)
}

#[cfg(test)]
mod tests;
