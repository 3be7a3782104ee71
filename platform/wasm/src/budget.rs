use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

/// Elements of all tables of one instance.
const TABLE_ELEMENTS_MAX: usize = 200_000;
const CORE_INSTANCES_MAX: usize = 64;
const TABLES_MAX: usize = 64;
const MEMORIES_MAX: usize = 4;

/// What all instances of one plugin hold together.
#[derive(Debug)]
pub struct Ledger {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Ledger {
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), bytes_max }
    }

    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    fn charge(&self, bytes: usize) -> bool {
        let charged = |held: usize| held.checked_add(bytes).filter(|total| *total <= self.bytes_max);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Whose memory ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    Instance,
    Plugin,
}

/// What one plugin instance may hold, summed over its memories and tables. Its bytes are on the plugin's ledger too, until
/// it is dropped.
#[derive(Debug)]
pub struct Budget {
    memory_bytes_max: usize,
    memory_bytes: usize,
    table_elements: usize,
    shortage: Option<Shortage>,
    ledger: Arc<Ledger>,
}

impl Budget {
    pub fn new(memory_bytes_max: usize, ledger: Arc<Ledger>) -> Self {
        Self { memory_bytes_max, memory_bytes: 0, table_elements: 0, shortage: None, ledger }
    }

    /// What it holds now, which is the most it ever held: linear memory does not shrink.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    pub fn memory_bytes_max(&self) -> usize {
        self.memory_bytes_max
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether memory was refused since the last call of this; guests usually trap soon after.
    pub fn take_shortage(&mut self) -> Option<Shortage> {
        self.shortage.take()
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.ledger.give_back(self.memory_bytes);
    }
}

impl ResourceLimiter for Budget {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        let total = self.memory_bytes + more;
        if total > self.memory_bytes_max || maximum.is_some_and(|maximum| desired > maximum) {
            self.shortage = Some(Shortage::Instance);
            return Ok(false);
        }
        if !self.ledger.charge(more) {
            self.shortage = Some(Shortage::Plugin);
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements + desired.saturating_sub(current);
        if total > TABLE_ELEMENTS_MAX || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(bytes_max: usize, ledger: &Arc<Ledger>) -> Budget {
        Budget::new(bytes_max, Arc::clone(ledger))
    }

    #[test]
    fn memories_share_one_budget() {
        let mut budget = budget(100, &Arc::new(Ledger::new(1_000)));
        assert!(budget.memory_growing(0, 60, None).unwrap());
        assert!(!budget.memory_growing(0, 60, None).unwrap());
        assert_eq!(budget.take_shortage(), Some(Shortage::Instance));
        assert!(budget.memory_growing(60, 100, None).unwrap());
        assert_eq!(budget.take_shortage(), None);
        assert_eq!(budget.memory_bytes(), 100);
    }

    #[test]
    fn instances_of_a_plugin_share_its_ledger_and_give_back_what_they_held() {
        let ledger = Arc::new(Ledger::new(100));
        let (mut one, mut other) = (budget(80, &ledger), budget(80, &ledger));
        assert!(one.memory_growing(0, 60, None).unwrap());
        assert!(!other.memory_growing(0, 60, None).unwrap());
        assert_eq!(other.take_shortage(), Some(Shortage::Plugin));
        assert!(other.memory_growing(0, 40, None).unwrap());
        drop(one);
        assert_eq!(ledger.bytes(), 40);
        assert!(other.memory_growing(40, 80, None).unwrap());
    }
}
