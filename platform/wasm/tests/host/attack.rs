use std::time::Duration;

use tiegel_types::{DType, Field, Schema};
use tiegel_wasm::attack::{self, Outcome, Target};
use tiegel_wasm::{CompileLimits, HostConfig};

use crate::binding::component;
use crate::compile::child;

fn config(dir: &tempfile::TempDir) -> HostConfig {
    let limits = CompileLimits { wall: Duration::from_secs(5), memory_bytes_max: 2 << 30, ..CompileLimits::default() };
    HostConfig { compiler: child(limits), ..HostConfig::new(dir.path()) }
}

#[track_caller]
fn check(outcomes: &[Outcome]) {
    let escaped: Vec<_> = outcomes.iter().filter(|outcome| !outcome.contained).collect();
    assert!(escaped.is_empty(), "{escaped:#?}");
}

#[test]
fn the_host_contains_every_hostile_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let outcomes = attack::host(&config(&dir)).unwrap();
    check(&outcomes);
    assert!(outcomes.len() > 60, "{}", outcomes.len());
    for outcome in &outcomes {
        assert!(!outcome.outcome.chars().any(char::is_control), "{outcome:?}");
    }
}

#[test]
fn first_party_plugins_answer_or_refuse_whatever_they_are_given() {
    let dir = tempfile::tempdir().unwrap();
    for plugin in ["standardize", "one-hot", "impute"] {
        let target = Target { wasm: &component(plugin), config: serde_json::json!({}), input: None };
        check(&attack::component(&config(&dir), &target).unwrap());
    }
}

#[test]
fn an_attack_on_a_plugin_that_traps_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let input = Some(Schema::new(vec![Field { nullable: true, ..Field::new("x", DType::Float32) }]));
    let target = Target { wasm: &component("hostile"), config: serde_json::json!({"mode": "panic"}), input };
    let outcomes = attack::component(&config(&dir), &target).unwrap();
    let ordinary = outcomes.iter().find(|outcome| outcome.attack.ends_with("ordinary values")).unwrap();
    assert!(!ordinary.contained && ordinary.outcome.contains("the plugin's own words"), "{ordinary:?}");
}
