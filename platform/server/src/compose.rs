use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tiegel_blobs::Blobs;
use tiegel_config::{Config, Synchronous};
use tiegel_context::{Context, Ctx};
use tiegel_engine::{PluginHost, PluginLimits};
use tiegel_jobs::{SystemClock, Wake};
use tiegel_model::{CandleEngine, ModelConfig};
use tiegel_query::{QueryConfig, QueryEngine};
use tiegel_signing::{SigningError, Trust};
use tiegel_store::{Durability, Store};
use tiegel_telemetry::Metrics;
use tiegel_types::limits;
use tiegel_wasm::{Call, CompileLimits, Compiler, CompilerCommand, HostConfig, Meter, Meters, WasmHost};
use uuid::Uuid;

use crate::places;

/// Joins store, blobs and engines.
pub async fn context(config: &Config) -> anyhow::Result<Ctx> {
    let data_dir = std::path::absolute(&config.data_dir)?;
    let durability = match config.database_synchronous {
        Synchronous::Normal => Durability::Process,
        Synchronous::Full => Durability::Power,
    };
    let store = Store::open_with(&database_url(config, &data_dir), durability).await;
    let store = store.context("cannot open the metadata database")?;
    let blobs = open_blobs(config, &data_dir)?;
    let metrics = Arc::new(Metrics::default());
    let plugins = plugin_host(config, &data_dir, &metrics)?;
    let query = QueryConfig {
        memory_bytes_max: config.query.memory_bytes_max,
        spill_dir: data_dir.join("spill"),
        partitions: threads(config),
    };
    let tables =
        QueryEngine::new(query, blobs.object_store(), plugins.clone()).context("cannot start the table engine")?;
    let model = ModelConfig { threads: config.threads.unwrap_or(0), device: config.device.clone() };
    let models = CandleEngine::new(&model).context("cannot start the model engine")?;
    let seed = Uuid::new_v4();
    let mut seed_bytes = [0; 32];
    seed_bytes[..16].copy_from_slice(seed.as_bytes());
    seed_bytes[16..].copy_from_slice(Uuid::new_v4().as_bytes());
    Ok(Arc::new(Context {
        store,
        blobs,
        clock: Arc::new(SystemClock),
        tables: Arc::new(tables),
        plugins,
        models: Arc::new(models),
        metrics,
        plugin_limits: PluginLimits {
            call: Duration::from_millis(config.plugins.call_ms_max),
            memory_bytes_max: config.plugins.memory_bytes_max,
            output_bytes_max: limits::PLUGIN_OUTPUT_BYTES_MAX,
        },
        trust: trust(config)?,
        wake: Wake::new(),
        rng: Mutex::new(ChaCha20Rng::from_seed(seed_bytes)),
    }))
}

fn trust(config: &Config) -> anyhow::Result<Trust> {
    let keys = config.plugins.trusted_keys.iter().map(|(name, key)| Ok((name.clone(), key.parse()?)));
    let keys: Vec<_> = keys.collect::<Result<_, SigningError>>().context("plugins.trusted_keys")?;
    Ok(Trust::new(keys, config.plugins.require_signed_plugins.iter().cloned()))
}

fn threads(config: &Config) -> usize {
    config.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, |n| n.get()))
}

fn database_url(config: &Config, data_dir: &Path) -> String {
    match &config.database_url {
        Some(url) => url.expose().to_owned(),
        None => tiegel_store::sqlite_url(&data_dir.join("tiegel.db")),
    }
}

fn open_blobs(config: &Config, data_dir: &Path) -> anyhow::Result<Blobs> {
    let place = places::blobs(config, data_dir)?;
    let grace = Duration::from_secs(config.gc.blob_grace_seconds);
    let blobs = Blobs::open_with(&place, places::options(config), grace);
    let blobs = blobs.with_context(|| format!("cannot open the blob store {place}"))?;
    places::remember_blobs(data_dir, &place)?;
    // What an interrupted write left. Elsewhere another node may be writing; here the lock says that nobody is.
    if places::is_own(data_dir, &place) {
        blobs.clear_scratch().context("cannot clear the scratch folder")?;
    }
    Ok(blobs)
}

fn plugin_host(config: &Config, data_dir: &Path, metrics: &Arc<Metrics>) -> anyhow::Result<Arc<dyn PluginHost>> {
    let plugins = &config.plugins;
    let host = HostConfig {
        compiler: plugin_compiler(Duration::from_secs(plugins.compile_seconds_max))?,
        instances_max: plugins.instances_max,
        idle_max: Duration::from_secs(plugins.idle_seconds_max),
        plugin_memory_bytes_max: plugins.shared_memory_bytes_max,
        meters: Some(plugin_meters(metrics)),
        ..HostConfig::new(data_dir.join("plugins"))
    };
    Ok(Arc::new(WasmHost::new(&host).context("cannot start the plugin host")?))
}

/// This very program as a child: what it runs as, even where its file was replaced since.
pub fn plugin_compiler(wall: Duration) -> anyhow::Result<Compiler> {
    let running = std::path::PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let program = if running.exists() { running } else { std::env::current_exe()? };
    let limits = CompileLimits { wall, ..CompileLimits::default() };
    Ok(Compiler::Child(CompilerCommand { program, args: vec!["compile-plugin".to_owned()], limits }))
}

fn plugin_meters(metrics: &Arc<Metrics>) -> Meters {
    let metrics = Arc::clone(metrics);
    Arc::new(move |plugin: &str| {
        let (series, metrics, plugin) = (metrics.plugin(plugin), Arc::clone(&metrics), plugin.to_owned());
        let meter: Meter = Arc::new(move |call: &Call| {
            series.called(call.rows as u64, call.took.as_secs_f64());
            series.moved(call.bytes_in as u64, call.bytes_out as u64, call.memory_bytes as u64);
            if let Some(fault) = call.fault {
                metrics.plugin_failed(&plugin, fault.as_str());
            }
        });
        meter
    })
}
