//! What plugins cost, against what they may: run by `cargo xtask bench plugins`, after `make plugins`.

#![expect(clippy::print_stdout, reason = "a command-line tool prints its result")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use tiegel_wasm::bench::{self, Starts};
use tiegel_wasm::package::Package;
use tiegel_wasm::{HostConfig, WasmHost};

const ROWS: usize = 1_000_000;
const REPEATS: usize = 100;
const WARM_CALLS: usize = 100_000;
const STARTS: usize = 200;
const RUNAWAYS: usize = 1_000;

/// One line of the table.
struct Figure {
    what: String,
    measured: String,
    target: String,
    met: Option<bool>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist");
    let wasm = fs::read(dist.join("standardize.wasm"))
        .map_err(|_| "plugins/dist/standardize.wasm is missing: run `make plugins` first")?;
    let cache = tempfile::tempdir()?;
    let config = HostConfig::new(cache.path());
    let host = WasmHost::new(&config)?;
    let mut figures = rows(&host, &wasm)?;
    for path in components(&dist, env::args().skip(1))? {
        let wasm = fs::read(&path)?;
        match bench::starts(&config, &wasm, STARTS) {
            Ok(starts) => figures.extend(start_figures(&starts, first_call_max(&wasm))),
            Err(error) => figures.push(note(format!("{}: start", path.display()), error.to_string())),
        }
    }
    figures.extend(runaway_figures(&config)?);
    print(&figures);
    Ok(())
}

fn rows(host: &WasmHost, wasm: &[u8]) -> Result<Vec<Figure>, Box<dyn Error>> {
    let rows = bench::standardize(host, wasm, ROWS, REPEATS)?;
    let ipc = bench::arrow_ipc(host, ROWS, REPEATS)?;
    let warm = bench::warm_calls(host, wasm, WARM_CALLS)?;
    Ok(vec![
        note("z-score of 1M float32, native".to_owned(), format!("{:?}", rows.native)),
        note("z-score of 1M float32, plugin".to_owned(), format!("{:?}", rows.plugin)),
        Figure {
            what: "the plugin's time over the native one".to_owned(),
            measured: format!("{:.2}", rows.ratio()),
            target: "<= 2.00".to_owned(),
            met: Some(rows.ratio() <= 2.0),
        },
        note("1M float32 as Arrow IPC, copies and host side only".to_owned(), format!("{ipc:?}")),
        at_most("1 row x 10 columns, warm, p50".to_owned(), warm.p50, Duration::from_micros(4)),
        at_most("1 row x 10 columns, warm, p99".to_owned(), warm.p99, Duration::from_micros(10)),
    ])
}

/// The components of the folder, then those that were named.
fn components(dist: &Path, named: impl Iterator<Item = String>) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let is_component = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wasm");
    let entries = fs::read_dir(dist)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    let mut components: Vec<_> = entries.into_iter().filter(is_component).collect();
    components.sort();
    components.retain(|path| !path.ends_with("hostile.wasm"));
    components.extend(named.map(PathBuf::from));
    Ok(components)
}

/// By the language that the component was built from.
fn first_call_max(wasm: &[u8]) -> Duration {
    let package = Package::read(wasm).ok();
    let language = package.as_ref().and_then(|package| package.manifest()).map(|manifest| manifest.build.language);
    match language.map(|language| format!("{language:?}")).as_deref() {
        Some("Python") => Duration::from_millis(3),
        Some("JavaScript" | "Javascript" | "Js") => Duration::from_millis(1),
        _ => Duration::from_micros(40),
    }
}

fn start_figures(starts: &Starts, first_call_max: Duration) -> [Figure; 2] {
    let Starts { plugin, load, first_call } = starts;
    [
        at_most(format!("{plugin}: instance, configure, first call, p50"), first_call.p50, first_call_max),
        at_most(format!("{plugin}: load from the cache, p50"), load.p50, Duration::from_millis(5)),
    ]
}

fn runaway_figures(config: &HostConfig) -> Result<[Figure; 2], Box<dyn Error>> {
    let over = bench::runaways(config, RUNAWAYS)?;
    let what = format!("{} runaway calls on {} threads", over.calls, over.threads);
    Ok([
        at_most(format!("{what}: over budget on the clock, p99.9"), over.wall_over.p999, Duration::from_millis(100)),
        at_most(format!("{what}: over budget on a processor, p99.9"), over.cpu_over.p999, Duration::from_millis(10)),
    ])
}

fn at_most(what: String, measured: Duration, most: Duration) -> Figure {
    Figure { what, measured: format!("{measured:.2?}"), target: format!("<= {most:?}"), met: Some(measured <= most) }
}

fn note(what: String, measured: String) -> Figure {
    Figure { what, measured, target: String::new(), met: None }
}

fn print(figures: &[Figure]) {
    for Figure { what, measured, target, met } in figures {
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        println!("{what:<64} {measured:>12}  {target:<12} {verdict}");
    }
}
