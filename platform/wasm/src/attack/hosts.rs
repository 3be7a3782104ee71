//! What hostile plugins do to a host.

use std::fs;

use arrow::array::AsArray;
use arrow::datatypes::Float32Type;
use tiegel_engine::{FaultKind, PluginFailure, PluginHost};
use tiegel_types::{DType, Digest};

use super::arena::{Arena, bind, manifest, packaged, schema, timed};
use super::bombs;
use super::guest::{Act, Answer, Buffers, Declared, Export, Guest};
use super::{Attack, Expect, Ran, fresh_host, wrong};
use crate::HostConfig;
use crate::package::Package;

/// Calls of a trap storm.
const STORM_CALLS: usize = 200;

pub fn attacks() -> Vec<Attack<'static>> {
    let mut attacks = runaways();
    attacks.extend(hogs());
    attacks.extend(answers());
    attacks.extend(schemas());
    attacks.extend(descriptors());
    attacks.extend(components());
    attacks.extend(bombs());
    attacks.push(Attack::new("storm of traps", Expect::Harmless, storm));
    attacks.push(Attack::new("payloads of NaN and -0", Expect::Harmless, payloads));
    attacks.push(Attack::new("config of 2 MiB", Expect::Contained, huge_config));
    attacks.push(Attack::new("tampered compiled code", Expect::Harmless, tampered_cache));
    attacks
}

fn call(name: &str, expect: Expect, export: Export, guest: Guest) -> Attack<'static> {
    Attack::new(name, expect, move |arena| arena.call(&guest, export))
}

fn install(name: &str, expect: Expect, wasm: impl Fn() -> Vec<u8> + 'static) -> Attack<'static> {
    Attack::new(name, expect, move |arena| arena.install(&wasm()))
}

fn acting(export: Export, act: Act) -> Guest {
    Guest { act: Some((export, act)), row_wise: export != Export::Flush, ..Guest::default() }
}

/// A spin in every export and before the first.
fn runaways() -> Vec<Attack<'static>> {
    let exports = [
        ("spin in configure", Export::Configure),
        ("spin in transform", Export::Transform),
        ("spin in flush", Export::Flush),
        ("spin in partial-fit", Export::PartialFit),
        ("spin in partial", Export::Partial),
        ("spin in merge", Export::Merge),
        ("spin in finish", Export::Finish),
        ("spin in load", Export::Load),
    ];
    let spin = |(name, export)| call(name, Expect::Timeout, export, acting(export, Act::Spin));
    let mut attacks: Vec<_> = exports.into_iter().map(spin).collect();
    attacks.push(install("spin in describe", Expect::Timeout, || packaged(&acting(Export::Describe, Act::Spin))));
    attacks.push(install("spin in start", Expect::Timeout, || {
        packaged(&Guest { start: Some(Act::Spin), ..Guest::default() })
    }));
    attacks
}

/// More stack, memory, tables, time or log than there is.
fn hogs() -> Vec<Attack<'static>> {
    let transform = |name, expect, act| call(name, expect, Export::Transform, acting(Export::Transform, act));
    let large = |pages| Guest { memory_pages: pages, ..acting(Export::Transform, Act::FillMemory) };
    vec![
        transform("deep recursion", Expect::Trap, Act::Recurse),
        install("deep recursion in start", Expect::Trap, || {
            packaged(&Guest { start: Some(Act::Recurse), ..Guest::default() })
        }),
        transform("memory bomb", Expect::MemoryLimit, Act::GrowMemory),
        transform("table bomb", Expect::Trap, Act::GrowTable),
        call("bulk stores over all of memory", Expect::Timeout, Export::Transform, large(3_000)),
        transform("flood of log lines with terminal escapes", Expect::Contained, Act::FloodLog),
        transform("trap in transform", Expect::Trap, Act::Trap),
        call("trap in load of a forged state", Expect::Trap, Export::Load, acting(Export::Load, Act::Trap)),
        install("4 GiB of memory at the start", Expect::Refused, || {
            packaged(&Guest { memory_pages: 65_536, ..Guest::default() })
        }),
        install("10 million table elements at the start", Expect::Refused, || {
            packaged(&Guest { table_elements: 10_000_000, ..Guest::default() })
        }),
    ]
}

/// Answers that do not fit what was declared.
fn answers() -> Vec<Attack<'static>> {
    let numbers = |rows: usize| vec![0; rows * 4];
    let data = |data: Vec<u8>| Buffers { data, ..Buffers::default() };
    let offsets = |values: [i32; 5]| Some(values.map(i32::to_le_bytes).concat());
    let text = |data: &[u8], values| Buffers { data: data.to_vec(), validity: None, offsets: offsets(values) };
    let fixed = |name, dtype, buffers| {
        let output = vec![Declared { nullable: false, ..Declared::new("x", dtype) }];
        let guest = Guest { output, answer: Answer::Columns(vec![buffers]), ..Guest::default() };
        call(name, Expect::BadOutput, Export::Transform, guest)
    };
    let rows = |more_rows| Guest { answer: Answer::Echo { more_rows }, ..Guest::default() };
    let long = Guest { answer: Answer::Long { bytes: 180 << 20 }, memory_pages: 3_000, ..Guest::default() };
    let outside = Guest { answer: Answer::Long { bytes: u32::MAX }, ..Guest::default() };
    let none = Guest { answer: Answer::Columns(vec![]), ..Guest::default() };
    vec![
        call("one row too many", Expect::BadOutput, Export::Transform, rows(1)),
        call("four billion rows", Expect::BadOutput, Export::Transform, rows(-5)),
        call("no column where one was declared", Expect::BadOutput, Export::Transform, none),
        call("180 MiB of output", Expect::OutputLimit, Export::Transform, long),
        call("output from outside of memory", Expect::Contained, Export::Transform, outside),
        fixed("data that is too short", DType::Float32, data(numbers(3))),
        fixed("data that is too long", DType::Float32, data(numbers(5))),
        fixed("a null where none may be", DType::Float32, Buffers { validity: Some(vec![7]), ..data(numbers(4)) }),
        fixed("validity without bytes", DType::Float32, Buffers { validity: Some(vec![]), ..data(numbers(4)) }),
        fixed("offsets on numbers", DType::Float32, Buffers { offsets: Some(vec![0; 20]), ..data(numbers(4)) }),
        fixed("text without offsets", DType::Utf8, data(b"abcd".to_vec())),
        fixed("offsets that go back", DType::Utf8, text(b"abcd", [0, 3, 1, 2, 4])),
        fixed("offsets beyond the data", DType::Utf8, text(b"abcd", [0, 1, 2, 3, 1 << 30])),
        fixed("offsets below zero", DType::Utf8, text(b"abcd", [i32::MIN, 0, 1, 2, 3])),
        fixed("text that is not UTF-8", DType::Utf8, text(&[0xff; 4], [0, 1, 2, 3, 4])),
        fixed("a character cut in two", DType::Utf8, text("ææ".as_bytes(), [0, 1, 2, 3, 4])),
    ]
}

/// Output columns that make no table.
fn schemas() -> Vec<Attack<'static>> {
    let declaring = |name: &str, output: Vec<Declared>| {
        call(name, Expect::BadOutput, Export::Configure, Guest { output, ..Guest::default() })
    };
    let named = |name: String| Declared::new(name, DType::Float32);
    let wide = |width| Declared { width, ..Declared::new("x", DType::Float32) };
    vec![
        declaring("two columns of one name", vec![named("x".to_owned()), named("x".to_owned())]),
        declaring("a name of 1 MiB", vec![named("n".repeat(1 << 20))]),
        declaring("a name with terminal escapes", vec![named("\u{1b}[2J\u{202e}x".to_owned())]),
        declaring("a column without a name", vec![named(String::new())]),
        declaring("no columns", vec![]),
        declaring("20,000 columns", (0..20_000).map(|i| named(format!("x{i}"))).collect()),
        declaring("a column of width 0", vec![wide(0)]),
        declaring("a column of width 4 billion", vec![wide(u32::MAX)]),
        declaring("a text of width 2", vec![Declared { width: 2, ..Declared::new("x", DType::Utf8) }]),
    ]
}

/// Plugins that say of themselves what cannot be.
fn descriptors() -> Vec<Attack<'static>> {
    let saying = |name: &str, guest: fn() -> Guest| install(name, Expect::Refused, move || guest().component());
    vec![
        saying("a plugin's name of 1 MiB", || Guest { name: "n".repeat(1 << 20), ..Guest::default() }),
        saying("a plugin's name that is a path", || Guest { name: "../../etc".to_owned(), ..Guest::default() }),
        saying("a version that is markup", || Guest { version: "1<script>".to_owned(), ..Guest::default() }),
        saying("a config schema nested 100,000 deep", || Guest {
            config_schema: "[".repeat(100_000),
            ..Guest::default()
        }),
        install("another name in the manifest", Expect::Refused, || {
            let manifest = manifest(&Guest { name: "trusted".to_owned(), ..Guest::default() });
            let package = Package::new(manifest, [].into()).expect("the manifest names no files");
            package.embed(&Guest::default().component())
        }),
    ]
}

/// Bytes that are no plugin.
fn components() -> Vec<Attack<'static>> {
    let honest = || packaged(&Guest::default());
    vec![
        install("an import that is not granted", Expect::Refused, || bombs::importing("wasi:sockets/tcp@0.2.0")),
        install("a core module", Expect::Refused, || b"\0asm\x01\0\0\0".to_vec()),
        install("a zip file", Expect::Refused, || b"PK\x03\x04 ../../etc/passwd".to_vec()),
        install("a component that is cut off", Expect::Refused, move || {
            let whole = honest();
            whole[..whole.len() / 2].to_vec()
        }),
        install("two manifests", Expect::Refused, || {
            let package = Package::new(manifest(&Guest::default()), [].into()).expect("the manifest names no files");
            package.embed(&packaged(&Guest::default()))
        }),
        install("a file that the manifest does not name", Expect::Refused, || {
            bombs::with_section(packaged(&Guest::default()), "tiegel:artifact/../../etc/passwd", b"root")
        }),
        install("a manifest of 1 MiB", Expect::Refused, || {
            bombs::with_section(Guest::default().component(), "tiegel:manifest", &vec![b' '; 1 << 20])
        }),
    ]
}

/// Components that are hard to look at, to compile or to start.
fn bombs() -> Vec<Attack<'static>> {
    let base = || Guest::default().component();
    let ballast = |name: &str, functions: fn() -> Vec<wasm_encoder::Function>| {
        install(name, Expect::Contained, move || packaged(&Guest { ballast: functions(), ..Guest::default() }))
    };
    vec![
        ballast("50,000 functions", bombs::many_functions),
        ballast("blocks nested 50,000 deep", bombs::nested_blocks),
        ballast("10,000 locals in nested loops", bombs::many_locals),
        install("10,000 core instances", Expect::Refused, move || bombs::with_instances(&base(), 10_000)),
        install("900 core instances", Expect::Refused, move || bombs::with_instances(&base(), 900)),
        install("90 memories", Expect::Refused, move || bombs::with_memories(&base(), 90)),
        install("components nested 1,000 deep", Expect::Refused, || bombs::nested_components(1_000)),
    ]
}

/// Each trap costs one instance; the next call has another.
fn storm(arena: &Arena) -> Ran {
    let guest = acting(Export::Transform, Act::Trap);
    let run = || {
        let binding = bind(&arena.host, &packaged(&guest), &schema())?;
        let transformer = arena.host.transformer(&binding, None)?;
        let calls = (0..STORM_CALLS).map(|_| transformer.transform(&arena.rows));
        let is_trap = |e: &PluginFailure| matches!(e, PluginFailure::Fault { kind: FaultKind::Trap, .. });
        let traps = calls.filter(|answer| answer.as_ref().is_err_and(is_trap)).count();
        if traps == STORM_CALLS { Ok(()) } else { Err(wrong(format!("{traps} of {STORM_CALLS} calls trapped"))) }
    };
    Ran::untimed(run())
}

fn payloads(arena: &Arena) -> Ran {
    let sent = [0x7fa0_0001u32, 0xffff_ffff, 0x8000_0000, 0x3f80_0000];
    let kept = [0x7fc0_0000u32, 0x7fc0_0000, 0x8000_0000, 0x3f80_0000];
    let column = Buffers { data: sent.map(u32::to_le_bytes).concat(), ..Buffers::default() };
    let guest = Guest { answer: Answer::Columns(vec![column]), ..Guest::default() };
    let run = || {
        let binding = bind(&arena.host, &packaged(&guest), &schema())?;
        let answer = arena.host.transformer(&binding, None)?.transform(&arena.rows)?;
        let found = answer.column(0).as_primitive::<Float32Type>().values().iter().map(|x| x.to_bits());
        if found.eq(kept) { Ok(()) } else { Err(wrong("NaN keep the bits that a guest gave them, or -0 does not")) }
    };
    Ran::untimed(run())
}

fn huge_config(arena: &Arena) -> Ran {
    let mut binding = match bind(&arena.host, &packaged(&Guest::default()), &schema()) {
        Ok(binding) => binding,
        Err(failure) => return Ran::untimed(Err(failure)),
    };
    binding.config = serde_json::json!({ "x": "y".repeat(2 << 20) });
    timed(|| match arena.host.output_schema(&binding) {
        Err(failure) if failure.to_string().contains("config is larger") => Ok(()),
        Err(failure) => Err(failure),
        Ok(_) => Err(wrong("a config of 2 MiB reached the plugin")),
    })
}

/// Compiled code that was changed on disk is not run.
fn tampered_cache(arena: &Arena) -> Ran {
    let run = || {
        let dir = tempfile::tempdir().map_err(|error| wrong(error.to_string()))?;
        let config = HostConfig { cache_dir: dir.path().to_owned(), ..arena.config.clone() };
        let wasm = packaged(&Guest::default());
        fresh_host(&config)?.install(&wasm)?;
        for entry in fs::read_dir(dir.path()).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "cwasm") {
                let mut code = fs::read(entry.path()).map_err(|error| wrong(error.to_string()))?;
                let middle = code.len() / 2;
                code[middle] ^= 1;
                fs::write(entry.path(), code).map_err(|error| wrong(error.to_string()))?;
            }
        }
        let trusted = fresh_host(&config)?.is_installed(&Digest::of(&wasm));
        if trusted { Err(wrong("code that was changed on disk is taken for compiled code")) } else { Ok(()) }
    };
    Ran::untimed(run())
}
