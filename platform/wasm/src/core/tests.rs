use std::sync::Arc;
use std::thread;

use arrow::array::{ArrayRef, Float32Array, RecordBatch};
use tiegel_engine::{PluginHost, Transformer, arrow_schema};

use super::*;
use crate::attack::arena::{bind, manifest, schema};
use crate::attack::guest::{Act, Export, Guest};
use crate::manifest::{Limits, Manifest};
use crate::{HostConfig, WasmHost};

struct House {
    host: WasmHost,
    _dir: tempfile::TempDir,
}

fn house(change: impl FnOnce(&mut HostConfig)) -> House {
    let dir = tempfile::tempdir().unwrap();
    let mut config = HostConfig::new(dir.path());
    change(&mut config);
    House { host: WasmHost::new(&config).unwrap(), _dir: dir }
}

fn transformer(house: &House, guest: &Guest, change: impl FnOnce(&mut Manifest)) -> Arc<dyn Transformer> {
    let mut manifest = manifest(guest);
    change(&mut manifest);
    let wasm = Package::new(manifest, [].into()).unwrap().embed(&guest.component());
    house.host.transformer(&bind(&house.host, &wasm, &schema()).unwrap(), None).unwrap()
}

fn rows() -> RecordBatch {
    let column: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 2.0]));
    RecordBatch::try_new(arrow_schema(&schema()), vec![column]).unwrap()
}

fn acting(act: Act) -> Guest {
    Guest { act: Some((Export::Transform, act)), ..Guest::default() }
}

#[test]
fn a_manifest_lowers_limits_and_never_raises_them() {
    let mut said = manifest(&Guest::default());
    said.limits = Limits { memory_mib: Some(8), wall_ms: Some(60_000), output_mib: Some(1), log_kib: Some(2) };
    let package = Package::new(said, [].into()).unwrap();
    let asked = PluginLimits { call: Duration::from_millis(50), ..PluginLimits::default() };
    let limits = lowered(&package, &asked);
    assert_eq!((limits.call, limits.memory_bytes_max, limits.output_bytes_max), (asked.call, 8 << 20, 1 << 20));
    assert_eq!(log_bytes_max(&package), 2 << 10);
    let free = lowered(&Package::default(), &asked);
    assert_eq!((free.memory_bytes_max, free.output_bytes_max), (asked.memory_bytes_max, asked.output_bytes_max));
}

#[test]
fn a_plugin_is_held_to_the_memory_of_its_manifest() {
    let house = house(|_| {});
    let greedy = transformer(&house, &acting(Act::GrowMemory), |manifest| manifest.limits.memory_mib = Some(8));
    let error = greedy.transform(&rows()).unwrap_err().to_string();
    assert_eq!(error, "plugin guest@0.1.0: transform needs more memory than its 8 MiB");
}

#[test]
fn all_instances_of_a_plugin_share_one_budget_of_memory() {
    let house = house(|config| config.plugin_memory_bytes_max = 4 << 20);
    let greedy = transformer(&house, &acting(Act::GrowMemory), |_| {});
    let error = greedy.transform(&rows()).unwrap_err().to_string();
    let expected = "plugin guest@0.1.0: transform needs more memory than the 4 MiB that all its instances share";
    assert_eq!(error, expected);
    // What the instance held is given back with it.
    assert_eq!(greedy.transform(&rows()).unwrap_err().to_string(), expected);
}

#[test]
fn an_ephemeral_plugin_sees_every_call_on_a_fresh_instance() {
    let house = house(|_| {});
    let warm = transformer(&house, &acting(Act::ServeOnce), |_| {});
    assert_eq!(warm.transform(&rows()).unwrap(), rows());
    assert!(warm.transform(&rows()).is_err());
    let ephemeral = transformer(&house, &acting(Act::ServeOnce), |m| m.reuse.policy = Policy::Ephemeral);
    for _ in 0..3 {
        assert_eq!(ephemeral.transform(&rows()).unwrap(), rows());
    }
    let mut inputs = [Ok(rows()), Ok(rows())].into_iter();
    ephemeral.transform_all(&mut inputs, &mut |_| Ok(())).unwrap();
}

#[test]
fn an_instance_that_nobody_calls_is_dropped() {
    let house = house(|config| config.idle_max = Duration::from_millis(40));
    let once = transformer(&house, &acting(Act::ServeOnce), |_| {});
    for _ in 0..3 {
        assert_eq!(once.transform(&rows()).unwrap(), rows());
        thread::sleep(Duration::from_millis(400));
    }
}

#[test]
fn a_plugin_is_what_its_manifest_calls_it() {
    let house = house(|_| {});
    let refused = |change: fn(&mut Manifest)| {
        let mut manifest = manifest(&Guest::default());
        change(&mut manifest);
        let wasm = Package::new(manifest, [].into()).unwrap().embed(&Guest::default().component());
        house.host.install(&wasm).unwrap_err().to_string()
    };
    let version = refused(|manifest| manifest.version = "2.0.0".to_owned());
    assert!(version.ends_with("describes itself as guest@0.1.0, but its manifest says guest@2.0.0"), "{version}");
    let world = refused(|manifest| manifest.world = crate::manifest::World::Transform);
    assert!(world.ends_with("its manifest calls it a transform, but it exports a fitter"), "{world}");
}

#[test]
fn every_call_is_metered() {
    let calls: Arc<Mutex<Vec<crate::Call>>> = Arc::default();
    let seen = Arc::clone(&calls);
    let house = house(|config| {
        config.meters = Some(Arc::new(move |plugin: &str| {
            assert_eq!(plugin, "guest@0.1.0");
            let seen = Arc::clone(&seen);
            Arc::new(move |call: &crate::Call| seen.lock().push(call.clone()))
        }));
    });
    transformer(&house, &Guest::default(), |_| {}).transform(&rows()).unwrap();
    let calls = calls.lock();
    let [configure, transform] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((configure.export, configure.rows, configure.fault), ("configure", 0, None));
    assert_eq!((transform.export, transform.rows, transform.bytes_in, transform.bytes_out), ("transform", 2, 8, 8));
    assert!(transform.memory_bytes >= 2 << 16);
}
