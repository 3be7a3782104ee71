//! Compiling in a child process.

use std::time::Duration;

use serde_json::json;
use tiegel_engine::PluginHost;
use tiegel_wasm::{CompileLimits, Compiler, CompilerCommand, HostConfig, WasmHost};

use crate::binding::{Bench, bytes, component, floats};

pub fn child(limits: CompileLimits) -> Compiler {
    let program = env!("CARGO_BIN_EXE_compile-plugin").into();
    Compiler::Child(CompilerCommand { program, args: vec![], limits })
}

fn refusal(limits: CompileLimits) -> String {
    let dir = tempfile::tempdir().unwrap();
    let host = WasmHost::new(&HostConfig { compiler: child(limits), ..HostConfig::new(dir.path()) }).unwrap();
    host.install(&component("hostile")).unwrap_err().to_string()
}

#[test]
fn a_child_compiles_what_this_process_would() {
    let dir = tempfile::tempdir().unwrap();
    let (schema, rows) = floats([1.0, 2.0]);
    let binding = Bench::empty().bind("hostile", json!({"mode": "identity"}), &schema);
    let config = HostConfig { compiler: child(CompileLimits::default()), ..HostConfig::new(dir.path()) };
    let host = WasmHost::new(&config).unwrap();
    host.install(&component("hostile")).unwrap();
    assert_eq!(bytes(&host.transformer(&binding, None).unwrap().transform(&rows).unwrap()), bytes(&rows));
}

#[test]
fn a_child_is_held_to_its_time_memory_and_output() {
    let slow = refusal(CompileLimits { wall: Duration::from_millis(1), ..CompileLimits::default() });
    assert!(slow.ends_with("compiling it took longer than 0.001 s and was stopped"), "{slow}");
    let large = refusal(CompileLimits { output_bytes_max: 1 << 10, ..CompileLimits::default() });
    assert!(large.ends_with("it compiles to more than 1 KiB"), "{large}");
    let hungry = refusal(CompileLimits { memory_bytes_max: 16 << 20, ..CompileLimits::default() });
    assert!(hungry.ends_with("compiling it needs more than 16 MiB of memory"), "{hungry}");
}

#[test]
fn a_compiler_that_is_not_there_is_the_hosts_failure() {
    let dir = tempfile::tempdir().unwrap();
    let command =
        CompilerCommand { program: "/nowhere/compiler".into(), args: vec![], limits: CompileLimits::default() };
    let config = HostConfig { compiler: Compiler::Child(command), ..HostConfig::new(dir.path()) };
    let error = WasmHost::new(&config).unwrap().install(&component("hostile")).unwrap_err().to_string();
    assert!(error.contains("the compiler does not start: "), "{error}");
}
