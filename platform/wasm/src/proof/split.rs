//! Tables in pieces, and what makes two of them the same.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

/// The table cut at these places; a place twice makes an empty piece.
pub fn cut(table: &RecordBatch, places: &[usize]) -> Vec<RecordBatch> {
    let rows = table.num_rows();
    let mut ends: Vec<usize> = places.iter().map(|place| (*place).min(rows)).chain([rows]).collect();
    ends.sort_unstable();
    let mut from = 0;
    let piece = |end: usize| {
        let start = std::mem::replace(&mut from, end);
        table.slice(start, end - start)
    };
    ends.into_iter().map(piece).collect()
}

/// The bytes of all batches as one; none of none.
pub fn joined(batches: &[RecordBatch]) -> Vec<u8> {
    let Some(first) = batches.first() else { return Vec::new() };
    bytes(&concat_batches(first.schema_ref(), batches).expect("answers of one plugin have one schema"))
}

/// The bytes of every buffer that a batch shows, whatever memory it shares.
pub fn bytes(batch: &RecordBatch) -> Vec<u8> {
    let write = || {
        let mut bytes = Vec::new();
        let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, batch.schema_ref())?;
        writer.write(batch)?;
        writer.finish()?;
        drop(writer);
        Ok::<_, arrow::error::ArrowError>(bytes)
    };
    write().expect("a batch can be written to memory")
}
