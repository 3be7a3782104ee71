use std::sync::Arc;
use std::time::Duration;

use tiegel_engine::FaultKind;

use crate::bindings::meta::Descriptor;
use crate::bindings::types::{BatchResult, SchemaResult};

/// One call into a guest, once it ended.
#[derive(Clone, Debug)]
pub struct Call {
    pub export: &'static str,
    pub rows: usize,
    pub bytes_in: usize,
    pub bytes_out: usize,
    pub took: Duration,
    /// The most memory that the instance ever held.
    pub memory_bytes: usize,
    /// None where the guest answered, an error of its own included.
    pub fault: Option<FaultKind>,
}

/// Told of every call of one plugin.
pub type Meter = Arc<dyn Fn(&Call) + Send + Sync>;

/// Makes the meter of a plugin by its `name@version`; asked once for each instance.
pub type Meters = Arc<dyn Fn(&str) -> Meter + Send + Sync>;

/// What goes into a call.
#[derive(Clone, Copy, Default)]
pub struct Load {
    pub rows: usize,
    pub bytes: usize,
}

/// How much of an answer counts as bytes: columns and states.
pub trait Weight {
    fn bytes(&self) -> usize;
}

impl Weight for BatchResult {
    fn bytes(&self) -> usize {
        let buffer = |buffer: &Option<Vec<u8>>| buffer.as_ref().map_or(0, Vec::len);
        self.columns.iter().map(|c| c.data.len() + buffer(&c.validity) + buffer(&c.offsets)).sum()
    }
}

impl<T: Weight> Weight for Option<T> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, T::bytes)
    }
}

impl Weight for Vec<u8> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Weight for (SchemaResult, Vec<u8>) {
    fn bytes(&self) -> usize {
        self.1.len()
    }
}

/// Answers without rows and states weigh nothing.
macro_rules! weightless {
    ($($answer:ty),+) => { $(impl Weight for $answer { fn bytes(&self) -> usize { 0 } })+ };
}

weightless!((), Descriptor, SchemaResult);
