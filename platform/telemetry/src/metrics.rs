mod names;
mod process;
mod series;

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric as Encoded, Registry};

pub use self::names::Metric;
use self::series::Series;

/// Seconds; from 100 us for a cached prediction to minutes for a step.
const SECONDS: [f64; 16] =
    [0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 60.0, 300.0];
/// Rows of one batch.
const ROWS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1_024.0, 10_000.0];

/// The server's metrics: one method for each thing that happens. A metric that nothing has happened to has no series.
pub struct Metrics {
    registry: Registry,
    http: Series<Histogram>,
    http_active: Gauge,
    jobs_open: Gauge,
    jobs_finished: Series<Counter>,
    step_seconds: Histogram,
    steps_cached: Counter,
    plugin_calls: Series<Histogram>,
    plugin_rows: Series<Counter>,
    plugin_bytes: Series<Counter>,
    plugin_memory: Series<Gauge>,
    plugin_faults: Series<Counter>,
    query_seconds: Histogram,
    query_rows: Counter,
    training_epochs: Counter,
    training_samples: Counter,
    predict_seconds: Series<Histogram>,
    predict_rows: Series<Counter>,
    predict_errors: Series<Counter>,
    predict_waiting: Series<Gauge>,
    predict_batch_rows: Series<Histogram>,
    replays: Series<Counter>,
    db: Series<Histogram>,
    resident_bytes: Gauge,
    start_seconds: Gauge<f64, AtomicU64>,
}

/// Counts a request as active until it is dropped.
#[must_use = "the request counts as ended when this is dropped"]
#[derive(Debug)]
pub struct ActiveRequest(Gauge);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts the calls of one plugin.
#[derive(Clone, Debug)]
pub struct PluginMeter {
    calls: Histogram,
    rows: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    memory: Gauge,
}

impl PluginMeter {
    pub fn called(&self, rows: u64, seconds: f64) {
        self.calls.observe(seconds);
        self.rows.inc_by(rows);
    }

    /// What the same call moved, and what its instance holds.
    pub fn moved(&self, bytes_in: u64, bytes_out: u64, memory_bytes: u64) {
        self.bytes_in.inc_by(bytes_in);
        self.bytes_out.inc_by(bytes_out);
        self.memory.set(i64::try_from(memory_bytes).unwrap_or(i64::MAX));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            http: seconds(Metric::HttpRequestSeconds),
            http_active: Gauge::default(),
            jobs_open: Gauge::default(),
            jobs_finished: counters(Metric::JobsFinished),
            step_seconds: Histogram::new(SECONDS),
            steps_cached: Counter::default(),
            plugin_calls: seconds(Metric::PluginCallSeconds),
            plugin_rows: counters(Metric::PluginRows),
            plugin_bytes: counters(Metric::PluginBytes),
            plugin_memory: Series::new(Metric::PluginMemoryBytes.labels(), Gauge::default),
            plugin_faults: counters(Metric::PluginFaults),
            query_seconds: Histogram::new(SECONDS),
            query_rows: Counter::default(),
            training_epochs: Counter::default(),
            training_samples: Counter::default(),
            predict_seconds: seconds(Metric::PredictSeconds),
            predict_rows: counters(Metric::PredictRows),
            predict_errors: counters(Metric::PredictErrors),
            predict_waiting: Series::new(Metric::PredictWaiting.labels(), Gauge::default),
            predict_batch_rows: Series::new(Metric::PredictBatchRows.labels(), || Histogram::new(ROWS)),
            replays: counters(Metric::Replays),
            db: seconds(Metric::DbSeconds),
            resident_bytes: Gauge::default(),
            start_seconds: Gauge::default(),
        };
        metrics.register_all();
        metrics
    }
}

fn seconds(metric: Metric) -> Series<Histogram> {
    Series::new(metric.labels(), || Histogram::new(SECONDS))
}

fn counters(metric: Metric) -> Series<Counter> {
    Series::new(metric.labels(), Counter::default)
}

fn add(registry: &mut Registry, metric: Metric, encoded: impl Encoded) {
    // The encoder adds `_total` to counters itself.
    registry.register(metric.name().trim_end_matches("_total"), metric.help(), encoded);
}

impl Metrics {
    fn register_all(&mut self) {
        let registry = &mut self.registry;
        add(registry, Metric::HttpRequestSeconds, self.http.family.clone());
        add(registry, Metric::HttpActiveRequests, self.http_active.clone());
        add(registry, Metric::JobsOpen, self.jobs_open.clone());
        add(registry, Metric::JobsFinished, self.jobs_finished.family.clone());
        add(registry, Metric::StepSeconds, self.step_seconds.clone());
        add(registry, Metric::StepsCached, self.steps_cached.clone());
        add(registry, Metric::PluginCallSeconds, self.plugin_calls.family.clone());
        add(registry, Metric::PluginRows, self.plugin_rows.family.clone());
        add(registry, Metric::PluginBytes, self.plugin_bytes.family.clone());
        add(registry, Metric::PluginMemoryBytes, self.plugin_memory.family.clone());
        add(registry, Metric::PluginFaults, self.plugin_faults.family.clone());
        add(registry, Metric::QuerySeconds, self.query_seconds.clone());
        add(registry, Metric::QueryRows, self.query_rows.clone());
        add(registry, Metric::TrainingEpochs, self.training_epochs.clone());
        add(registry, Metric::TrainingSamples, self.training_samples.clone());
        add(registry, Metric::PredictSeconds, self.predict_seconds.family.clone());
        add(registry, Metric::PredictRows, self.predict_rows.family.clone());
        add(registry, Metric::PredictErrors, self.predict_errors.family.clone());
        add(registry, Metric::PredictWaiting, self.predict_waiting.family.clone());
        add(registry, Metric::PredictBatchRows, self.predict_batch_rows.family.clone());
        add(registry, Metric::Replays, self.replays.family.clone());
        add(registry, Metric::DbSeconds, self.db.family.clone());
        add(registry, Metric::ResidentBytes, self.resident_bytes.clone());
        add(registry, Metric::StartSeconds, self.start_seconds.clone());
    }

    /// A response began. `route` is a template, so that it has few values.
    pub fn http_request(&self, method: &str, route: &str, status: u16, seconds: f64) {
        self.http.with(&[method, route, &status.to_string()]).observe(seconds);
    }

    /// A request began; it ends when the answer is dropped.
    pub fn http_active(&self) -> ActiveRequest {
        self.http_active.inc();
        ActiveRequest(self.http_active.clone())
    }

    pub fn set_open_jobs(&self, jobs: i64) {
        self.jobs_open.set(jobs);
    }

    /// `state` is a final `JobState`, as text.
    pub fn job_finished(&self, state: &str) {
        self.jobs_finished.with(&[state]).inc();
    }

    pub fn step_ran(&self, seconds: f64) {
        self.step_seconds.observe(seconds);
    }

    pub fn step_cached(&self) {
        self.steps_cached.inc();
    }

    /// The series of one plugin, `name@version`, to be kept: a call costs little more than these numbers.
    pub fn plugin(&self, plugin: &str) -> PluginMeter {
        PluginMeter {
            calls: self.plugin_calls.with(&[plugin]),
            rows: self.plugin_rows.with(&[plugin]),
            bytes_in: self.plugin_bytes.with(&[plugin, "in"]),
            bytes_out: self.plugin_bytes.with(&[plugin, "out"]),
            memory: self.plugin_memory.with(&[plugin]),
        }
    }

    /// `fault` is what went wrong, such as `timeout` or `memory`.
    pub fn plugin_failed(&self, plugin: &str, fault: &str) {
        self.plugin_faults.with(&[plugin, fault]).inc();
    }

    pub fn query_ran(&self, rows: u64, seconds: f64) {
        self.query_seconds.observe(seconds);
        self.query_rows.inc_by(rows);
    }

    /// One epoch over so many rows ended.
    pub fn epoch_fitted(&self, samples: u64) {
        self.training_epochs.inc();
        self.training_samples.inc_by(samples);
    }

    pub fn predicted(&self, endpoint: &str, rows: u64, seconds: f64) {
        self.predict_seconds.with(&[endpoint]).observe(seconds);
        self.predict_rows.with(&[endpoint]).inc_by(rows);
    }

    pub fn predict_failed(&self, endpoint: &str) {
        self.predict_errors.with(&[endpoint]).inc();
    }

    pub fn set_waiting_predicts(&self, endpoint: &str, requests: i64) {
        self.predict_waiting.with(&[endpoint]).set(requests);
    }

    /// A batch of rows, of one or more requests, went through a model.
    pub fn batch_predicted(&self, endpoint: &str, rows: u64) {
        self.predict_batch_rows.with(&[endpoint]).observe(rows as f64);
    }

    pub fn replayed(&self, passed: bool) {
        let outcome = if passed { "passed" } else { "refused" };
        self.replays.with(&[outcome]).inc();
    }

    /// `operation` is named as its span is, such as `runs.insert_metrics`.
    pub fn db_called(&self, operation: &str, seconds: f64) {
        self.db.with(&[operation]).observe(seconds);
    }

    /// All metrics in the OpenMetrics text format.
    pub fn render(&self) -> String {
        self.resident_bytes.set(process::resident_bytes().unwrap_or(0));
        self.start_seconds.set(process::start_seconds().unwrap_or(0.0));
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing into a string cannot fail");
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests;
