use tiegel_types::Digest;
use tiegel_types::transfer::{Counts, Record};

/// Bytes of one request, about; a request may have 16 MiB.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// What a record takes beside its texts, and what a point takes, about.
const RECORD_BYTES: usize = 500;
const POINT_BYTES: usize = 45;
/// Things whose files wait.
const ENDED_MAX: usize = 200;

/// Records that wait to be written together.
#[derive(Default)]
pub struct Batch {
    records: Vec<Record>,
    bytes: usize,
    ended: Vec<Ended>,
}

/// A thing whose records are all in a batch, or were in one before.
pub struct Ended {
    pub unit: String,
    pub mark: Digest,
    pub counts: Counts,
    /// Of its files, at the source.
    pub uri: String,
    pub run: Option<String>,
}

impl Batch {
    pub fn push(&mut self, record: Record) {
        self.bytes += RECORD_BYTES + bytes_of(&record);
        self.records.push(record);
    }

    pub fn end(&mut self, ended: Ended) {
        self.ended.push(ended);
    }

    pub fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES_MAX || self.ended.len() >= ENDED_MAX
    }

    pub fn take(&mut self) -> (Vec<Record>, Vec<Ended>) {
        self.bytes = 0;
        (std::mem::take(&mut self.records), std::mem::take(&mut self.ended))
    }
}

fn bytes_of(record: &Record) -> usize {
    match record {
        Record::Series(series) => series.points.len() * POINT_BYTES,
        // Texts may need escapes, and so more than their length.
        other => serde_json::to_string(other).map_or(0, |text| text.len()),
    }
}
