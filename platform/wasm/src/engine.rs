use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tiegel_types::limits;
use wasmtime::{Config, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy};

use crate::call::Meters;
use crate::compile::Compiler;

/// Milliseconds between two looks at the clock while guests run: how far past its deadline a call may go.
const TICK_MS: u64 = 5;

/// Bytes of stack that a guest's calls may take.
const STACK_BYTES_MAX: usize = 512 << 10;

/// Frames of a trap's backtrace.
const BACKTRACE_FRAMES_MAX: usize = 32;

/// What one component may be made of. Python guests need the most: some 50 core modules and large tables.
const CORE_INSTANCES_MAX: u32 = 64;
const MEMORIES_MAX: u32 = 4;
const TABLES_MAX: u32 = 64;
const TABLE_ELEMENTS_MAX: usize = 30_000;
const INSTANCE_BYTES_MAX: usize = 4 << 20;

/// Where compiled code is kept, who compiles it, and how many instances live at once.
#[derive(Clone)]
pub struct HostConfig {
    /// Must be writable by this server only: what lies there is run as machine code.
    pub cache_dir: PathBuf,
    pub compiler: Compiler,
    /// Instances alive at once, busy and idle, of all plugins together.
    pub instances_max: usize,
    /// How long a call waits for an instance while all are busy.
    pub instance_wait: Duration,
    /// Calls after which a warm instance is replaced.
    pub invocations_max: u32,
    /// How long an instance that nobody calls is kept.
    pub idle_max: Duration,
    /// Bytes of linear memory of all instances of one plugin.
    pub plugin_memory_bytes_max: usize,
    /// Told of every call.
    pub meters: Option<Meters>,
}

impl HostConfig {
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            compiler: Compiler::InProcess,
            instances_max: 64,
            instance_wait: Duration::from_secs(30),
            invocations_max: 10_000,
            idle_max: Duration::from_secs(300),
            plugin_memory_bytes_max: 2 << 30,
            meters: None,
        }
    }
}

/// An engine whose instances come from a pool of reserved address space, or where that cannot be had, from the system.
pub fn engine(instances_max: usize) -> wasmtime::Result<Engine> {
    let mut config = base_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances_max)));
    Engine::new(&config).or_else(|error| {
        tracing::warn!(error = format!("{error:#}"), "no pool for plugin instances, each will be allocated on its own");
        Engine::new(&base_config())
    })
}

/// An engine that only compiles. Its code is that of [`engine`]: where instances live does not show in it.
pub fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&base_config())
}

fn base_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        // Threads, garbage collection and exceptions are compiled out of wasmtime by its features.
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .shared_memory(false);
    config
}

fn pool(instances_max: usize) -> PoolingAllocationConfig {
    let instances = u32::try_from(instances_max).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(8).max(CORE_INSTANCES_MAX))
        .total_memories(instances.saturating_mul(2).max(MEMORIES_MAX))
        .total_tables(instances.saturating_mul(8).max(TABLES_MAX))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memory_size(limits::PLUGIN_MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10);
    pool
}

/// The ticks after which to look at the clock, when this much time is left.
pub fn ticks(left: Duration) -> u64 {
    let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX / 2);
    millis.div_ceil(TICK_MS).max(1)
}

/// A thread that advances the engine's epoch, on which the deadlines of guest calls rest. Dropping it ends the thread.
pub struct Ticker {
    _stop: Sender<()>,
}

impl Ticker {
    pub fn start(engine: &Engine) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let engine = engine.weak();
        thread::Builder::new().name("plugin-deadlines".to_owned()).spawn(move || tick(&engine, &stopped))?;
        Ok(Self { _stop: stop })
    }
}

fn tick(engine: &EngineWeak, stopped: &mpsc::Receiver<()>) {
    let started = Instant::now();
    let mut ticks = 0;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(TICK_MS)) {
        let Some(engine) = engine.upgrade() else { return };
        // A busy machine wakes this thread late: catching up keeps deadlines in wall time. A call that began meanwhile
        // sees the ticks it missed, looks at the clock and goes on.
        let due = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX) / TICK_MS;
        (ticks..due).for_each(|_| engine.increment_epoch());
        ticks = due;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_next_look_at_the_clock() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(Duration::from_millis(6)), 2);
        assert_eq!(ticks(Duration::from_millis(500)), 100);
    }

    #[test]
    fn an_engine_comes_up_even_where_the_pool_does_not_fit() {
        // 4 GiB of address space a memory: more than any machine has.
        assert!(engine(1 << 24).is_ok());
    }
}
