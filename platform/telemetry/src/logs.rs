use std::fmt;
use std::io::IsTerminal;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Lines for people, on standard error; in colour where that is a terminal.
pub fn text<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(true).compact()
}

/// One JSON object a line, on standard error.
pub fn json<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).event_format(JsonLine)
}

/// `timestamp`, `level`, `target`, `message`, the event's other `fields`, and `trace_id` and `span_id` inside a span.
pub(crate) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let Recorded { message, fields } = Recorded::of(event);
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), json!(timestamp));
        line.insert("level".to_owned(), json!(event.metadata().level().as_str()));
        line.insert("target".to_owned(), json!(event.metadata().target()));
        line.insert("message".to_owned(), json!(message));
        if !fields.is_empty() {
            line.insert("fields".to_owned(), Value::Object(fields));
        }
        if let Some((trace_id, span_id)) = crate::trace::current_ids() {
            line.insert("trace_id".to_owned(), json!(trace_id));
            line.insert("span_id".to_owned(), json!(span_id));
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// What an event says.
#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) message: String,
    pub(crate) fields: Map<String, Value>,
}

impl Recorded {
    pub(crate) fn of(event: &Event<'_>) -> Self {
        let mut recorded = Self::default();
        event.record(&mut recorded);
        recorded
    }

    fn insert(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Recorded {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, json!(value));
    }
}
