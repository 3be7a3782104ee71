use super::*;

/// How a name may end: in a unit, or in what is counted.
const ENDINGS: [&str; 6] = ["_total", "_seconds", "_bytes", "_rows", "_requests", "_open"];

#[test]
fn names_are_unique_in_snake_case_and_end_in_a_unit() {
    let mut names: Vec<_> = Metric::ALL.iter().map(|m| m.name()).collect();
    for metric in Metric::ALL {
        let name = metric.name();
        assert!(name.starts_with("tiegel_"), "{name}");
        assert!(ENDINGS.iter().any(|ending| name.ends_with(ending)), "{name}");
        for word in [&[name], metric.labels()].concat() {
            let plain = word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(plain && !word.contains("__") && !word.ends_with('_'), "{word}");
        }
        assert!(!metric.help().is_empty() && !metric.help().ends_with('.'), "{name}");
    }
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// One of everything.
fn busy() -> Metrics {
    let metrics = Metrics::default();
    metrics.http_request("GET", "/health/ready", 200, 0.001);
    metrics.set_open_jobs(2);
    metrics.job_finished("succeeded");
    metrics.step_ran(0.5);
    metrics.step_cached();
    let plugin = metrics.plugin("one-hot@0.1.0");
    plugin.called(16, 0.001);
    plugin.moved(64, 128, 1 << 16);
    metrics.plugin_failed("one-hot@0.1.0", "timeout");
    metrics.query_ran(10, 0.01);
    metrics.epoch_fitted(1_000);
    metrics.predicted("delay", 3, 0.001);
    metrics.predict_failed("delay");
    metrics.set_waiting_predicts("delay", 4);
    metrics.batch_predicted("delay", 16);
    metrics.replayed(true);
    metrics.db_called("runs.insert", 0.001);
    metrics
}

#[test]
fn everything_that_happens_can_be_read() {
    let text = busy().render();
    for line in [
        "tiegel_http_request_duration_seconds_count{method=\"GET\",route=\"/health/ready\",status=\"200\"} 1",
        "tiegel_http_active_requests 0",
        "tiegel_jobs_open 2",
        "tiegel_jobs_finished_total{state=\"succeeded\"} 1",
        "tiegel_step_duration_seconds_sum 0.5",
        "tiegel_steps_cached_total 1",
        "tiegel_plugin_call_duration_seconds_count{plugin=\"one-hot@0.1.0\"} 1",
        "tiegel_plugin_rows_total{plugin=\"one-hot@0.1.0\"} 16",
        "tiegel_plugin_bytes_total{plugin=\"one-hot@0.1.0\",direction=\"out\"} 128",
        "tiegel_plugin_memory_bytes{plugin=\"one-hot@0.1.0\"} 65536",
        "tiegel_plugin_faults_total{plugin=\"one-hot@0.1.0\",fault=\"timeout\"} 1",
        "tiegel_query_rows_total 10",
        "tiegel_training_epochs_total 1",
        "tiegel_training_samples_total 1000",
        "tiegel_predict_duration_seconds_count{endpoint=\"delay\"} 1",
        "tiegel_predict_rows_total{endpoint=\"delay\"} 3",
        "tiegel_predict_errors_total{endpoint=\"delay\"} 1",
        "tiegel_predict_waiting_requests{endpoint=\"delay\"} 4",
        "tiegel_predict_batch_rows_bucket{le=\"16.0\",endpoint=\"delay\"} 1",
        "tiegel_replays_total{outcome=\"passed\"} 1",
        "tiegel_db_operation_duration_seconds_count{operation=\"runs.insert\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn every_metric_is_registered_with_its_help_and_nothing_else_is() {
    let text = busy().render();
    let mut described: Vec<_> = text.lines().filter_map(|l| l.strip_prefix("# HELP ")).collect();
    let with_help = |m: &Metric| format!("{} {}.", m.name().trim_end_matches("_total"), m.help());
    let mut wanted: Vec<_> = Metric::ALL.iter().map(with_help).collect();
    described.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(described, wanted);
}

#[test]
fn a_request_is_active_until_it_is_dropped() {
    let metrics = Metrics::default();
    let (one, two) = (metrics.http_active(), metrics.http_active());
    assert!(metrics.render().contains("\ntiegel_http_active_requests 2\n"));
    drop(one);
    assert!(metrics.render().contains("\ntiegel_http_active_requests 1\n"));
    drop(two);
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_says_how_large_and_how_old_it_is() {
    let text = Metrics::default().render();
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_else(|| panic!("{name}\n{text}"));
        line.trim().parse().unwrap()
    };
    assert!(value("tiegel_process_resident_bytes ") > 100_000.0);
    assert!(value("tiegel_process_start_time_seconds ") > 1.6e9);
}
