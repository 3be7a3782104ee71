use std::thread;
use std::time::Duration;

use serde_json::json;
use tiegel_engine::{FaultKind, PluginFailure, PluginHost};

use crate::binding::{Bench, bytes, floats};

#[test]
fn a_warm_instance_answers_what_a_fresh_one_does() {
    let bench = Bench::new();
    let (schema, train) = floats((0..1_000).map(|i| i as f32));
    let (_, a) = floats([5.0, 6.0]);
    let (_, b) = floats([7.0, 8.0, 9.0]);
    let binding = bench.bind("standardize", json!({}), &schema);
    let warm = bench.fitted(&binding, &train);
    warm.transform(&a).unwrap();
    let after_a = warm.transform(&b).unwrap();
    let fresh = Bench::new();
    fresh.bind("standardize", json!({}), &schema);
    let first = fresh.fitted(&binding, &train).transform(&b).unwrap();
    assert_eq!(bytes(&after_a), bytes(&first));
}

#[test]
fn a_plugin_that_remembers_shows_that_instances_are_warm_until_they_are_retired() {
    let bench = Bench::with(|config| config.invocations_max = 4);
    let (schema, rows) = floats([0.0]);
    let binding = bench.bind("hostile", json!({"mode": "remember"}), &schema);
    let transformer = bench.host.transformer(&binding, None).unwrap();
    let answers: Vec<_> = (0..6).map(|_| bytes(&transformer.transform(&rows).unwrap())).collect();
    let expected: Vec<_> = [0.0, 1.0, 2.0, 0.0, 1.0, 2.0].map(|value| bytes(&floats([value]).1)).to_vec();
    // Configure is a call too: the fourth call is the third transform.
    assert_eq!(answers, expected);
}

#[test]
fn a_skew_between_one_row_and_many_can_be_seen() {
    let bench = Bench::new();
    let (schema, rows) = floats([1.0, 2.0]);
    let binding = bench.bind("hostile", json!({"mode": "single-row-skew"}), &schema);
    let transformer = bench.host.transformer(&binding, None).unwrap();
    assert!(transformer.row_wise());
    assert_eq!(bytes(&transformer.transform(&rows).unwrap()), bytes(&rows));
    assert_eq!(bytes(&transformer.transform(&rows.slice(0, 1)).unwrap()), bytes(&floats([2.0]).1));
}

#[test]
fn the_same_binding_shares_its_instances() {
    let bench = Bench::new();
    let (schema, rows) = floats([0.0]);
    let binding = bench.bind("hostile", json!({"mode": "remember"}), &schema);
    let first = bench.host.transformer(&binding, None).unwrap();
    first.transform(&rows).unwrap();
    let second = bench.host.transformer(&binding, None).unwrap();
    assert_eq!(bytes(&second.transform(&rows).unwrap()), bytes(&floats([1.0]).1));
    let other = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let other = bench.host.transformer(&other, None).unwrap();
    assert_eq!(bytes(&other.transform(&rows).unwrap()), bytes(&rows));
}

#[test]
fn more_callers_than_instances_wait_their_turn() {
    let bench = Bench::with(|config| config.instances_max = 2);
    let (schema, rows) = floats((0..1_000).map(|i| i as f32));
    let binding = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let transformer = bench.host.transformer(&binding, None).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(transformer.transform(&rows).unwrap(), rows)));
        }
    });
}

#[test]
fn idle_instances_make_room_for_other_plugins() {
    let bench = Bench::with(|config| config.instances_max = 1);
    let (schema, rows) = floats([1.0]);
    let one = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let two = bench.bind("hostile", json!({"mode": "remember"}), &schema);
    let (one, two) = (bench.host.transformer(&one, None).unwrap(), bench.host.transformer(&two, None).unwrap());
    for _ in 0..3 {
        assert_eq!(bytes(&one.transform(&rows).unwrap()), bytes(&rows));
        // Pushed out each time, so it never remembers.
        assert_eq!(bytes(&two.transform(&rows).unwrap()), bytes(&rows));
    }
}

#[test]
fn a_full_house_is_an_error_after_a_bounded_wait() {
    let bench = Bench::with(|config| {
        config.instances_max = 1;
        config.instance_wait = Duration::from_millis(100);
    });
    let (schema, rows) = floats([1.0]);
    let mut spin = bench.bind("hostile", json!({"mode": "spin-in-transform"}), &schema);
    spin.limits.call = Duration::from_millis(2_000);
    let transformer = bench.host.transformer(&spin, None).unwrap();
    thread::scope(|scope| {
        let busy = scope.spawn(|| transformer.transform(&rows));
        thread::sleep(Duration::from_millis(500));
        match transformer.transform(&rows).unwrap_err() {
            PluginFailure::Fault { kind, message, .. } => {
                assert_eq!(kind, FaultKind::Host);
                assert_eq!(message, "all 1 plugin instances of this server were busy for 0.1 s");
            }
            other => panic!("{other}"),
        }
        assert!(busy.join().unwrap().is_err());
    });
}
