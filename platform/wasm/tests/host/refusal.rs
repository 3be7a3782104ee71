use tiegel_engine::{FaultKind, PluginFailure, PluginHost};
use tiegel_types::limits::PLUGIN_BYTES_MAX;

use crate::binding::{Bench, component};

#[track_caller]
fn refused(wasm: &[u8]) -> String {
    match Bench::new().host.install(wasm).unwrap_err() {
        PluginFailure::Fault { kind, message, .. } => {
            assert_eq!(kind, FaultKind::NotAPlugin);
            message
        }
        other => panic!("{other}"),
    }
}

/// A component that imports one empty interface.
fn importing(name: &str) -> Vec<u8> {
    let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
    // Type section: one instance type without declarations.
    wasm.extend([7, 3, 1, 0x42, 0]);
    // Import section: the instance of type 0 by this name.
    let len = name.len() as u8;
    wasm.extend([10, len + 5, 1, 0, len]);
    wasm.extend(name.as_bytes());
    wasm.extend([5, 0]);
    wasm
}

#[test]
fn an_import_that_was_not_granted_is_named() {
    assert_eq!(
        refused(&importing("wasi:sockets/tcp@0.2.0")),
        "it imports 'wasi:sockets/tcp@0.2.0', which no plugin is given; there are log, random and artifacts of tiegel:plugin"
    );
    assert_eq!(
        refused(&importing("tiegel:plugin/log@0.1.0")),
        "it exports no 'tiegel:plugin/meta@0.1', which every plugin has"
    );
}

#[test]
fn bytes_that_are_no_component_are_refused_before_they_are_compiled() {
    assert_eq!(refused(b"\0asm\x01\0\0\0"), "it is a core module; `tiegel plugin build` wraps it into a component");
    assert!(refused(b"hello").starts_with("it is not a WebAssembly component: "));
    let too_long = vec![0; PLUGIN_BYTES_MAX + 1];
    assert_eq!(refused(&too_long), "it has 67108865 bytes; at most 64 MiB are allowed");
}

#[test]
fn a_damaged_component_is_refused_wherever_it_is_cut() {
    let bench = Bench::new();
    let whole = component("calendar");
    for part in 1..20 {
        let cut = whole.len() * part / 20;
        let error = bench.host.install(&whole[..cut]).unwrap_err();
        assert!(matches!(error, PluginFailure::Fault { kind: FaultKind::NotAPlugin, .. }), "{cut}: {error}");
    }
}

#[test]
fn a_plugin_describes_itself() {
    let descriptor = Bench::new().host.install(&component("one-hot")).unwrap();
    assert_eq!((descriptor.name.as_str(), descriptor.version.as_str()), ("one-hot", "0.1.0"));
    assert!(descriptor.fits && descriptor.row_wise);
    assert_eq!(descriptor.config_schema["properties"]["max_categories"]["maximum"], 65_536);
    assert!(!Bench::new().host.install(&component("calendar")).unwrap().fits);
}
