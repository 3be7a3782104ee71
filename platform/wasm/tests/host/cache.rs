use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;
use tiegel_engine::PluginHost;
use tiegel_types::Digest;
use tiegel_wasm::{HostConfig, WasmHost};

use crate::binding::{Bench, bytes, component, floats};

fn compiled(bench: &Bench) -> Vec<PathBuf> {
    let files = fs::read_dir(&bench.dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

#[test]
fn a_restarted_host_runs_installed_plugins_without_their_bytes() {
    let bench = Bench::empty();
    let (schema, rows) = floats([1.0, 2.0]);
    let binding = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let again = WasmHost::new(&HostConfig::new(&bench.dir)).unwrap();
    assert!(again.is_installed(&binding.image.digest));
    let output = again.transformer(&binding, None).unwrap().transform(&rows).unwrap();
    assert_eq!(bytes(&output), bytes(&rows));
    assert!(!again.is_installed(&Digest::of(b"something else")));
}

#[test]
fn compiled_code_that_was_changed_on_disk_is_not_run() {
    let bench = Bench::empty();
    let (schema, _) = floats([1.0]);
    let binding = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let [file] = compiled(&bench).try_into().unwrap();
    let honest = fs::read(&file).unwrap();
    let mut tampered = honest.clone();
    let middle = tampered.len() / 2;
    tampered[middle] ^= 1;
    fs::write(&file, &tampered).unwrap();
    let again = WasmHost::new(&HostConfig::new(&bench.dir)).unwrap();
    assert!(!again.is_installed(&binding.image.digest));
    let error = again.transformer(&binding, None).err().unwrap().to_string();
    assert!(error.contains("is not installed on this server"), "{error}");
    again.install(&component("hostile")).unwrap();
    assert_eq!(fs::read(&file).unwrap(), honest);
    assert!(again.is_installed(&binding.image.digest));
}

#[test]
fn one_plugins_code_is_not_taken_for_anothers() {
    let bench = Bench::empty();
    let (schema, _) = floats([1.0]);
    let victim = bench.bind("standardize", json!({}), &schema);
    bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let (victims, others): (Vec<_>, Vec<_>) =
        compiled(&bench).into_iter().partition(|p| p.to_string_lossy().contains(&victim.image.digest.hex()));
    fs::copy(&others[0], &victims[0]).unwrap();
    fs::copy(others[0].with_extension("mac"), victims[0].with_extension("mac")).unwrap();
    let again = WasmHost::new(&HostConfig::new(&bench.dir)).unwrap();
    assert!(!again.is_installed(&victim.image.digest));
}

#[test]
fn the_key_is_for_the_owner_only() {
    let bench = Bench::empty();
    let mode = fs::metadata(bench.dir.join("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
