use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::{Map, Value};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::logs::Recorded;

/// Records that are kept until they are taken; the oldest stay.
const RECORDS_MAX: usize = 10_000;

/// One WARN or ERROR of this process.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    pub level: Level,
    pub target: String,
    pub message: String,
    pub fields: Map<String, Value>,
}

/// The WARN and ERROR records of a test process, so that a harness can fail on those that no test announced.
#[derive(Clone, Debug, Default)]
pub struct CapturedLogs(Arc<Mutex<Vec<LogRecord>>>);

impl CapturedLogs {
    /// What was logged since the last call, in order.
    pub fn take(&self) -> Vec<LogRecord> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, record: LogRecord) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() < RECORDS_MAX {
            records.push(record);
        }
    }
}

/// Sets up a test process instead of `init`: spans have trace ids, nothing is printed or exported, WARN and ERROR are
/// kept. Every call answers the same records.
///
/// # Panics
/// When `init` or someone else set up tracing before.
pub fn init_for_test() -> CapturedLogs {
    install(None::<Capture>)
}

/// `extra` is a further layer, for this crate's own tests.
pub(crate) fn install<L>(extra: Option<L>) -> CapturedLogs
where
    L: Layer<Base> + Send + Sync,
{
    static LOGS: OnceLock<CapturedLogs> = OnceLock::new();
    let set_up = || {
        let logs = CapturedLogs::default();
        let tracer = SdkTracerProvider::builder().build().tracer("tiegel");
        let base = tracing_subscriber::registry().with(Capture(logs.clone()));
        let subscriber = base.with(extra).with(tracing_opentelemetry::layer().with_tracer(tracer));
        tracing::subscriber::set_global_default(subscriber).expect("nothing else sets up tracing in a test process");
        logs
    };
    LOGS.get_or_init(set_up).clone()
}

pub(crate) type Base = tracing_subscriber::layer::Layered<Capture, tracing_subscriber::Registry>;

pub(crate) struct Capture(CapturedLogs);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN {
            return;
        }
        let Recorded { message, fields } = Recorded::of(event);
        self.0.push(LogRecord { level: *metadata.level(), target: metadata.target().to_owned(), message, fields });
    }
}
