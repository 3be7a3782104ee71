use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric as Encoded, Registry};

macro_rules! metrics {
    ($($variant:ident = $name:literal, $help:literal;)+) => {
        /// Every metric's name. Counters end in `_total` when they are read; the others end in their unit or in what they count.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric { $($variant),+ }

        impl Metric {
            pub const ALL: &[Metric] = &[$(Metric::$variant),+];

            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name),+ }
            }

            pub fn help(self) -> &'static str {
                match self { $(Metric::$variant => $help),+ }
            }
        }
    };
}

metrics! {
    HttpRequestSeconds = "tiegel_http_request_duration_seconds", "Time until a response's head, by route";
    JobsOpen = "tiegel_jobs_open", "Jobs that are queued or running";
    StepSeconds = "tiegel_step_duration_seconds", "Time of steps that ran";
    StepsCached = "tiegel_steps_cached", "Steps whose output was there already";
    PredictSeconds = "tiegel_predict_duration_seconds", "Time of a prediction, decoding included, by endpoint";
    PredictRows = "tiegel_predict_rows", "Rows predicted, by endpoint";
    PredictErrors = "tiegel_predict_errors", "Predict requests that failed, by endpoint";
    Replays = "tiegel_replays", "Skew replays, by outcome";
    TrainingEpochs = "tiegel_training_epochs", "Epochs fitted";
    ResidentBytes = "tiegel_process_resident_bytes", "Resident memory of the server";
}

/// Seconds; from 100 us for a cached prediction to minutes for a step.
const BUCKETS: [f64; 16] =
    [0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 60.0, 300.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The server's metrics: one method for each thing that happens.
pub struct Metrics {
    registry: Registry,
    http: Histograms<Route>,
    jobs_open: Gauge,
    step_seconds: Histogram,
    steps_cached: Counter,
    predict_seconds: Histograms<Endpoint>,
    predict_rows: Family<Endpoint, Counter>,
    predict_errors: Family<Endpoint, Counter>,
    replays: Family<Outcome, Counter>,
    training_epochs: Counter,
    resident_bytes: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            http: Family::new_with_constructor(histogram),
            jobs_open: Gauge::default(),
            step_seconds: histogram(),
            steps_cached: Counter::default(),
            predict_seconds: Family::new_with_constructor(histogram),
            predict_rows: Family::default(),
            predict_errors: Family::default(),
            replays: Family::default(),
            training_epochs: Counter::default(),
            resident_bytes: Gauge::default(),
        };
        metrics.register_all();
        metrics
    }
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Metrics {
    fn register_all(&mut self) {
        let mut add = |metric: Metric, encoded: Box<dyn Encoded>| self.registry.register(metric.name(), metric.help(), encoded);
        add(Metric::HttpRequestSeconds, Box::new(self.http.clone()));
        add(Metric::JobsOpen, Box::new(self.jobs_open.clone()));
        add(Metric::StepSeconds, Box::new(self.step_seconds.clone()));
        add(Metric::StepsCached, Box::new(self.steps_cached.clone()));
        add(Metric::PredictSeconds, Box::new(self.predict_seconds.clone()));
        add(Metric::PredictRows, Box::new(self.predict_rows.clone()));
        add(Metric::PredictErrors, Box::new(self.predict_errors.clone()));
        add(Metric::Replays, Box::new(self.replays.clone()));
        add(Metric::TrainingEpochs, Box::new(self.training_epochs.clone()));
        add(Metric::ResidentBytes, Box::new(self.resident_bytes.clone()));
    }

    /// A response began. `route` is a template, so that it has few values.
    pub fn http_request(&self, method: &str, route: &str, status: u16, seconds: f64) {
        let labels = Route { method: method.to_owned(), route: route.to_owned(), status };
        self.http.get_or_create(&labels).observe(seconds);
    }

    pub fn set_open_jobs(&self, jobs: i64) {
        self.jobs_open.set(jobs);
    }

    pub fn step_ran(&self, seconds: f64) {
        self.step_seconds.observe(seconds);
    }

    pub fn step_cached(&self) {
        self.steps_cached.inc();
    }

    pub fn predicted(&self, endpoint: &str, rows: u64, seconds: f64) {
        let labels = Endpoint { endpoint: endpoint.to_owned() };
        self.predict_seconds.get_or_create(&labels).observe(seconds);
        self.predict_rows.get_or_create(&labels).inc_by(rows);
    }

    pub fn predict_failed(&self, endpoint: &str) {
        self.predict_errors.get_or_create(&Endpoint { endpoint: endpoint.to_owned() }).inc();
    }

    pub fn replayed(&self, passed: bool) {
        let outcome = if passed { "passed" } else { "refused" };
        self.replays.get_or_create(&Outcome { outcome }).inc();
    }

    pub fn epoch_fitted(&self) {
        self.training_epochs.inc();
    }

    /// All metrics in the OpenMetrics text format.
    pub fn render(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            self.resident_bytes.set(bytes);
        }
        let mut text = String::new();
        // Writing into a string cannot fail.
        drop(encode(&mut text, &self.registry));
        text
    }
}

/// Linux only; elsewhere the gauge stays 0.
fn resident_bytes() -> Option<i64> {
    const PAGE_BYTES: i64 = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_snake_case_with_one_prefix() {
        let mut names: Vec<_> = Metric::ALL.iter().map(|m| m.name()).collect();
        for name in &names {
            assert!(name.starts_with("tiegel_"), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_metric_can_be_read() {
        let metrics = Metrics::default();
        metrics.http_request("GET", "/health/ready", 200, 0.001);
        metrics.predicted("delay", 3, 0.001);
        metrics.predict_failed("delay");
        metrics.replayed(true);
        let text = metrics.render();
        for metric in Metric::ALL {
            assert!(text.contains(metric.name()), "{}", metric.name());
        }
        assert!(text.contains("tiegel_predict_rows_total{endpoint=\"delay\"} 3"), "{text}");
    }
}
