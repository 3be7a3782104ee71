use wasmtime::ResourceLimiter;

/// Elements of all tables of one instance.
const TABLE_ELEMENTS_MAX: usize = 200_000;
const CORE_INSTANCES_MAX: usize = 64;
const TABLES_MAX: usize = 64;
const MEMORIES_MAX: usize = 4;

/// What one plugin instance may hold, summed over its memories and tables.
#[derive(Debug)]
pub struct Budget {
    memory_bytes_max: usize,
    memory_bytes: usize,
    table_elements: usize,
    refused_bytes: Option<usize>,
}

impl Budget {
    pub fn new(memory_bytes_max: usize) -> Self {
        Self { memory_bytes_max, memory_bytes: 0, table_elements: 0, refused_bytes: None }
    }

    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    pub fn memory_bytes_max(&self) -> usize {
        self.memory_bytes_max
    }

    /// Whether memory was refused since the last call of this; guests usually trap soon after.
    pub fn take_refused(&mut self) -> bool {
        self.refused_bytes.take().is_some()
    }
}

impl ResourceLimiter for Budget {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes + desired.saturating_sub(current);
        if total > self.memory_bytes_max || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused_bytes = Some(total);
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

    #[test]
    fn memories_share_one_budget() {
        let mut budget = Budget::new(100);
        assert!(budget.memory_growing(0, 60, None).unwrap());
        assert!(!budget.memory_growing(0, 60, None).unwrap());
        assert!(budget.take_refused());
        assert!(budget.memory_growing(60, 100, None).unwrap());
        assert!(!budget.take_refused());
        assert_eq!(budget.memory_bytes(), 100);
    }
}
