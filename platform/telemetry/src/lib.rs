//! Traces, logs and metrics: set up once by the binary, used by every crate.
//!
//! Invariants: every span has a trace id, whether or not traces are exported; log lines carry it; metric names live in one
//! enum; nothing here reads the environment.

mod capture;
mod export;
mod logs;
mod metrics;
mod trace;

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

pub use capture::{CapturedLogs, LogRecord, init_for_test};
pub use metrics::{ActiveRequest, Metric, Metrics};
pub use trace::{current_trace_id, current_traceparent, set_parent};

/// How long the last spans may take to leave when the process stops.
const FLUSH_SECONDS_MAX: u64 = 5;

#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// Directives such as `info,tiegel_query=debug`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Where OTLP over HTTP is taken, such as `http://127.0.0.1:4318`.
    pub otlp_endpoint: Option<String>,
    /// Share of traces that are exported, 0 to 1.
    pub sample_ratio: f64,
    pub service_version: &'static str,
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter '{filter}' is not readable: {reason}; write it as in info,tiegel_query=debug")]
    Filter { filter: String, reason: String },
    #[error("traces cannot be exported to {endpoint}: {reason}")]
    Export { endpoint: String, reason: String },
    #[error("telemetry was set up before in this process")]
    Twice,
}

/// Exports the last spans when dropped.
pub struct Guard(SdkTracerProvider);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(Duration::from_secs(FLUSH_SECONDS_MAX)) {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }
}

/// Sets up the process's logs and traces. Call it once, inside the tokio runtime that exports.
pub fn init(config: &TelemetryConfig) -> Result<Guard, TelemetryError> {
    let provider = provider(config)?;
    let tracer = provider.tracer("tiegel");
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|e| TelemetryError::Filter { filter: config.filter.clone(), reason: e.to_string() })?;
    let logs = if config.json { logs::json().boxed() } else { logs::text().boxed() };
    // Spans are recorded whatever the log level: a trace must not lose its middle.
    let spans = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(EnvFilter::new(TRACED));
    let set = tracing_subscriber::registry().with(spans).with(logs.with_filter(filter)).try_init();
    set.map_err(|_| TelemetryError::Twice)?;
    Ok(Guard(provider))
}

/// Our own spans at debug level, by the prefix of their crates; other crates' only at info. The exporter's own requests
/// must not make spans that are exported again.
const TRACED: &str = "info,tiegel=debug,h2=off,hyper=off,reqwest=off";

fn provider(config: &TelemetryConfig) -> Result<SdkTracerProvider, TelemetryError> {
    let resource = opentelemetry_sdk::Resource::builder()
        .with_service_name("tiegel")
        .with_attribute(opentelemetry::KeyValue::new("service.version", config.service_version))
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &config.otlp_endpoint else {
        return Ok(builder.build());
    };
    let exporter =
        export::otlp(endpoint).map_err(|reason| TelemetryError::Export { endpoint: endpoint.clone(), reason })?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio)));
    Ok(builder.with_sampler(sampler).with_batch_exporter(exporter).build())
}

#[cfg(test)]
mod tests;
