use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;

use super::*;

/// The process's one subscriber, which writes JSON lines here.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn set_up() -> (CapturedLogs, Lines) {
    static LINES: OnceLock<Lines> = OnceLock::new();
    let lines = LINES.get_or_init(Lines::default).clone();
    let writer = lines.clone();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).event_format(logs::JsonLine);
    (capture::install(Some(layer)), lines)
}

/// The JSON line with this message.
fn line(lines: &Lines, message: &str) -> Value {
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let parsed = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    parsed.into_iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{message}\n{text}"))
}

#[test]
fn a_log_line_is_one_json_object_with_the_ids_of_its_span() {
    let (_, lines) = set_up();
    let span = tracing::info_span!("outer");
    let ids = span.in_scope(|| {
        tracing::info!(rows = 3, ratio = 0.5, late = true, origin = "JFK", level = "x", "rows \"read\"\nfrom file");
        trace::current_ids().unwrap()
    });
    tracing::info!("outside of any span");
    let inside = line(&lines, "rows \"read\"\nfrom file");
    assert_eq!(
        inside["fields"],
        serde_json::json!({"rows": 3, "ratio": 0.5, "late": true, "origin": "JFK", "level": "x"})
    );
    assert_eq!((inside["level"].as_str(), inside["target"].as_str()), (Some("INFO"), Some("tiegel_telemetry::tests")));
    assert_eq!((inside["trace_id"].as_str(), inside["span_id"].as_str()), (Some(&*ids.0), Some(&*ids.1)));
    assert!(inside["timestamp"].as_str().unwrap().ends_with('Z'), "{inside}");
    assert!(line(&lines, "outside of any span").get("trace_id").is_none());
}

#[test]
fn a_trace_goes_on_from_the_callers_traceparent_without_any_export() {
    set_up();
    let span = tracing::info_span!("http.request");
    set_parent(&span, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    span.in_scope(|| {
        assert_eq!(current_trace_id().as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let onward = current_traceparent().unwrap();
        assert!(onward.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && onward.ends_with("-01"), "{onward}");
        assert!(!onward.contains("00f067aa0ba902b7"), "the next hop's parent is this span: {onward}");
        let inner = tracing::info_span!("step");
        assert_eq!(inner.in_scope(current_trace_id).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    });
    let (one, two) = (tracing::info_span!("one"), tracing::info_span!("two"));
    assert_ne!(one.in_scope(current_trace_id).unwrap(), two.in_scope(current_trace_id).unwrap());
    assert_eq!(current_trace_id(), None);
    let ignored = tracing::info_span!("three");
    set_parent(&ignored, "not a traceparent");
    assert!(ignored.in_scope(current_trace_id).is_some());
}

#[test]
fn warnings_and_errors_are_captured_and_nothing_milder() {
    let (logs, _) = set_up();
    tracing::info!("fine");
    tracing::warn!(queue.len = 3, "queue is long");
    tracing::error!("disk is full");
    let records: Vec<_> = logs.take().into_iter().filter(|r| r.target == module_path!()).collect();
    let said: Vec<_> = records.iter().map(|r| (r.level, r.message.as_str())).collect();
    assert_eq!(said, [(tracing::Level::WARN, "queue is long"), (tracing::Level::ERROR, "disk is full")]);
    assert_eq!(records[0].fields["queue.len"], 3);
    assert!(!init_for_test().take().iter().any(|r| r.target == module_path!()));
}

/// A collector that answers one request with 200 and gives its bytes back.
fn collector() -> (String, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let mut chunk = [0; 4_096];
        while !is_whole(&bytes) {
            let read = stream.read(&mut chunk).unwrap();
            assert!(read > 0, "the exporter hung up");
            bytes.extend_from_slice(&chunk[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        bytes
    });
    (endpoint, thread)
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length: usize = text.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    bytes.len() >= head + 4 + length
}

fn config(otlp_endpoint: Option<String>) -> TelemetryConfig {
    TelemetryConfig {
        filter: "info".to_owned(),
        json: true,
        otlp_endpoint,
        sample_ratio: 1.0,
        service_version: "0.1.0",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_last_spans_reach_the_collector_when_the_guard_is_dropped() {
    let (endpoint, collector) = collector();
    let provider = provider(&config(Some(endpoint))).unwrap();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tiegel"));
    let guard = Guard(provider);
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    tracing::dispatcher::with_default(&dispatch, || {
        let outer = tracing::info_span!("train.epoch", epoch = 7);
        outer.in_scope(|| drop(tracing::info_span!("forward.pass").entered()));
    });
    drop(guard);
    let request = collector.join().unwrap();
    let text = String::from_utf8_lossy(&request);
    assert!(text.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{text}");
    assert!(text.to_lowercase().contains("content-type: application/x-protobuf"), "{text}");
    for word in ["train.epoch", "forward.pass", "service.name", "tiegel", "service.version", "0.1.0"] {
        assert!(text.contains(word), "{word}\n{text}");
    }
}

#[test]
fn what_cannot_be_set_up_says_why() {
    let export = provider(&config(Some("http://127.0.0.1:4318".to_owned()))).unwrap_err();
    let begins = "traces cannot be exported to http://127.0.0.1:4318: ";
    assert!(export.to_string().starts_with(begins), "{export}");
    let filter = init(&TelemetryConfig { filter: "info,tiegel=loud".to_owned(), ..config(None) }).err().unwrap();
    assert_eq!(
        filter.to_string(),
        "the log filter 'info,tiegel=loud' is not readable: error parsing level filter: expected one of \"off\", \"error\", \
         \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5; write it as in info,tiegel_query=debug"
    );
    set_up();
    assert_eq!(init(&config(None)).err().unwrap().to_string(), "telemetry was set up before in this process");
}
