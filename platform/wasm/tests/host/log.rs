use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use tiegel_engine::PluginHost;
use tiegel_types::limits::{PLUGIN_LOG_LINE_BYTES_MAX, PLUGIN_LOG_LINES_MAX};

use crate::binding::{Bench, floats};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_plugins_lines_are_few_short_and_harmless() {
    let bench = Bench::new();
    let (schema, rows) = floats([1.0]);
    let binding = bench.bind("hostile", json!({"mode": "log-flood"}), &schema);
    let transformer = bench.host.transformer(&binding, None).unwrap();
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .finish();
    // Whether it ends or is stopped does not matter here.
    tracing::subscriber::with_default(subscriber, || drop(transformer.transform(&rows)));
    let text = String::from_utf8(written.0.lock().clone()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), PLUGIN_LOG_LINES_MAX);
    assert!(lines[0].contains("plugin: line 0  [31mxxx"), "{}", lines[0]);
    assert!(lines[0].contains("hostile@0.1.0"), "{}", lines[0]);
    assert!(lines.last().unwrap().contains("further lines of this instance are dropped"));
    assert!(lines.iter().all(|line| line.len() < PLUGIN_LOG_LINE_BYTES_MAX + 200 && !line.contains('\u{1b}')));
}
