use tiegel_wasm::{HostConfig, bench};

#[test]
fn runaway_calls_stop_in_time_on_a_machine_with_eight_times_its_load() {
    // The figures for a machine of its own come from `cargo xtask bench plugins`; beside other tests there is slack.
    let dir = tempfile::tempdir().unwrap();
    let result = bench::runaways(&HostConfig::new(dir.path()), 160).unwrap();
    assert_eq!(result.calls, 160);
    assert!(result.wall_over.p90.as_millis() <= 250, "{result:?}");
    assert!(result.cpu_over.p90.as_millis() <= 25, "{result:?}");
}
