//! Every crime of `plugins/hostile`: what the user reads, and that the host goes on.

use std::time::{Duration, Instant};

use serde_json::json;
use tiegel_engine::{FaultKind, FitRows, PluginFailure, PluginHost, State};
use tiegel_types::{Digest, StateRef};

use crate::binding::{Bench, bytes, floats};

/// How far past its deadline a runaway call may go.
const OVERRUN_MS_MAX: u128 = 50;

/// Four rows through a mode: the failure.
fn crime(bench: &Bench, mode: &str) -> PluginFailure {
    let (schema, rows) = floats([1.0, 2.0, 3.0, 4.0]);
    let mut binding = bench.bind("hostile", json!({ "mode": mode }), &schema);
    // Only runaway calls are waited for; the others may take their time on a busy machine.
    binding.limits.call = Duration::from_millis(if mode.starts_with("spin") { 300 } else { 30_000 });
    let transformed = bench.host.transformer(&binding, None).and_then(|t| t.transform(&rows));
    transformed.expect_err(mode)
}

fn message(bench: &Bench, mode: &str) -> (Option<FaultKind>, String) {
    match crime(bench, mode) {
        PluginFailure::Fault { plugin, kind, message } => {
            assert_eq!(plugin, "hostile@0.1.0");
            (Some(kind), message)
        }
        PluginFailure::Refused { message, .. } => (None, message),
    }
}

#[track_caller]
fn check(mode: &str, kind: FaultKind, expected: &str) {
    let bench = Bench::new();
    assert_eq!(message(&bench, mode), (Some(kind), expected.to_owned()), "{mode}");
    // The next one is served as if nothing had been.
    let (schema, rows) = floats([1.0, 2.0]);
    let honest = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let output = bench.host.transformer(&honest, None).unwrap().transform(&rows).unwrap();
    assert_eq!(bytes(&output), bytes(&rows));
}

#[test]
fn buffers_that_do_not_fit_the_schema_are_refused() {
    use FaultKind::BadOutput;
    check("short-data", BadOutput, "output column 'x': has 1 bytes where 4 rows of float32 need 16");
    check("long-data", BadOutput, "output column 'x': has 17 bytes where 4 rows of float32 need 16");
    check("bad-offsets", BadOutput, "output column 'text': has an offset that goes back from 3 to 0 in row 1");
    check(
        "offsets-beyond-data",
        BadOutput,
        "output column 'text': has offsets that end at 4000000, beyond its 3 bytes of data",
    );
    check("bad-utf8", BadOutput, "output column 'text': is not valid UTF-8, or cuts a character in two");
    check("wrong-row-count", BadOutput, "answered 5 rows for 4, though it is row-wise");
    check(
        "null-in-non-nullable",
        BadOutput,
        "output column 'number': is null in row 2, though it is declared without nulls",
    );
    check("short-validity", BadOutput, "output column 'number': has 0 bytes of validity where 4 rows need 1");
    check("missing-column", BadOutput, "answered 0 columns where it declared 1");
}

#[test]
fn output_columns_that_make_no_table_are_refused() {
    use FaultKind::BadOutput;
    check("duplicate-output", BadOutput, "declared the output column 'x' twice");
    check("zero-width", BadOutput, "declared the output column 'zero' with width 0; the width is 1 to 1048576");
    check(
        "bad-name",
        BadOutput,
        "declared an output column named ' [2Jgone'; names are 1 to 256 bytes without control characters",
    );
}

#[test]
fn runaway_calls_are_stopped() {
    use FaultKind::Timeout;
    check("spin-in-transform", Timeout, "transform took longer than 300 ms and was stopped");
    check("spin-in-configure", Timeout, "configure took longer than 300 ms and was stopped");
}

#[test]
fn crashes_say_the_plugins_last_words() {
    use FaultKind::Trap;
    check("recurse", Trap, "transform crashed: its calls are nested too deep");
    check("recurse-with-frames", Trap, "transform crashed: it reached outside its memory, as calls nested too deep do");
    check(
        "draw-random",
        Trap,
        "transform crashed: it drew a random number in a row-wise transform, whose output may depend on its row alone",
    );
    let (kind, message) = message(&Bench::new(), "panic");
    assert_eq!(kind, Some(Trap));
    assert!(message.starts_with("transform crashed: panicked at "), "{message}");
    assert!(message.ends_with(" the plugin's own words, row 4"), "{message}");
}

#[test]
fn memory_and_output_are_capped() {
    check("allocate", FaultKind::MemoryLimit, "transform needs more memory than its 256 MiB");
    check("huge-output", FaultKind::OutputLimit, "transform handed over more than 128 MiB at once");
}

#[test]
fn a_partial_fit_and_a_state_have_the_same_limits() {
    let bench = Bench::new();
    let (schema, rows) = floats([1.0]);
    let rows = FitRows { batches: vec![rows], targets: None };
    let mut spin = bench.bind("hostile", json!({"mode": "spin-in-partial-fit"}), &schema);
    spin.limits.call = Duration::from_millis(100);
    let error = bench.host.partial(&spin, 0, &rows).unwrap_err();
    assert_eq!(error.to_string(), "plugin hostile@0.1.0: partial-fit took longer than 100 ms and was stopped");
    let mut huge = bench.bind("hostile", json!({"mode": "huge-state"}), &schema);
    huge.limits.call = Duration::from_millis(30_000);
    let error = bench.host.finish(&huge, &[]).unwrap_err();
    assert_eq!(error.to_string(), "plugin hostile@0.1.0: answered a state of 68157440 bytes; at most 64 MiB are kept");
}

#[test]
fn errors_that_the_plugin_answers_are_cut_and_keep_column_and_row() {
    let PluginFailure::Refused { message, column, row, .. } = crime(&Bench::new(), "huge-error") else {
        panic!("a refusal is no fault");
    };
    assert!(message.len() < 5_000 && message.starts_with("long long "), "{}", message.len());
    assert_eq!((column.as_deref(), row), (Some("x"), Some(4)));
}

#[test]
fn a_file_that_was_not_granted_cannot_be_read() {
    let expected = "no file named '../../etc/passwd' was granted to this plugin";
    assert_eq!(message(&Bench::new(), "read-artifact"), (None, expected.to_owned()));
}

#[test]
fn a_flood_of_log_lines_costs_the_plugin_its_own_time_only() {
    let bench = Bench::new();
    let started = Instant::now();
    let (schema, rows) = floats([1.0]);
    let mut binding = bench.bind("hostile", json!({"mode": "log-flood"}), &schema);
    binding.limits.call = Duration::from_millis(1_000);
    // 100,000 lines of 10 KB: dropped quickly, or stopped at the deadline.
    match bench.host.transformer(&binding, None).unwrap().transform(&rows) {
        Ok(output) => assert_eq!(bytes(&output), bytes(&rows)),
        Err(PluginFailure::Fault { kind, .. }) => assert_eq!(kind, FaultKind::Timeout),
        Err(other) => panic!("{other}"),
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn deadlines_are_kept_to_the_tick() {
    let bench = Bench::new();
    let (schema, rows) = floats([1.0]);
    for millis in [20u64, 100, 250] {
        let mut binding = bench.bind("hostile", json!({"mode": "spin-in-transform"}), &schema);
        binding.limits.call = Duration::from_millis(millis);
        let transformer = bench.host.transformer(&binding, None).unwrap();
        // The best of a few: on a busy machine any one of them may be scheduled late.
        let overrun = (0..5).map(|_| {
            let started = Instant::now();
            transformer.transform(&rows).unwrap_err();
            let took = started.elapsed().as_millis();
            assert!(took >= u128::from(millis), "stopped after {took} ms of {millis}");
            took - u128::from(millis)
        });
        let best = overrun.min().unwrap();
        assert!(best <= OVERRUN_MS_MAX, "a call of {millis} ms ran {best} ms over");
    }
}

#[test]
fn a_foreign_state_is_refused_by_the_plugin() {
    let bench = Bench::new();
    let (schema, _) = floats([1.0]);
    let binding = bench.bind("standardize", json!({}), &schema);
    let bytes = b"\x01not a state".to_vec();
    let reference = StateRef { digest: Digest::of(&bytes), version: 1, bytes: bytes.len() as u64 };
    let error = bench.host.transformer(&binding, Some(State { reference, bytes: bytes.into() })).err().unwrap();
    assert_eq!(error.to_string(), "plugin standardize@0.1.0: the state ends early");
}
