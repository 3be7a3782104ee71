//! `tiegel plugin test`: a plugin's cases, what every plugin promises, and the attacks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use tiegel_wasm::attack::{self, Target};
use tiegel_wasm::proof::{self, Case, Check};
use tiegel_wasm::{HostConfig, WasmHost};

use super::output::{self, Format};
use crate::compose;

const COMPILE_SECONDS_MAX: u64 = 120;

#[derive(Args)]
pub struct TestArgs {
    /// A plugin's folder, which is built first, or a component.
    plugin: PathBuf,
    /// The folder of cases; by default `cases` beside the manifest or the component.
    #[arg(long)]
    cases: Option<PathBuf>,
    /// Write what the plugin answers now into the cases, as what they expect.
    #[arg(long)]
    update: bool,
    /// Leave the attacks out.
    #[arg(long)]
    quick: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    case: &'a str,
    check: &'a str,
    failure: Option<&'a str>,
    replay: Option<&'a Case>,
}

pub fn test(format: Format, args: &TestArgs) -> anyhow::Result<ExitCode> {
    let wasm = component(&args.plugin)?;
    let dir = tempfile::tempdir().context("cannot make a folder for compiled plugins")?;
    let compiler = compose::plugin_compiler(Duration::from_secs(COMPILE_SECONDS_MAX))?;
    let config = HostConfig { compiler, ..HostConfig::new(dir.path()) };
    let host = WasmHost::new(&config).context("the plugin host does not start")?;
    let files = cases(args)?;
    if args.update {
        return update(&host, &wasm, &files);
    }
    let named: Vec<(String, Case)> = match files.is_empty() {
        true => vec![("-".to_owned(), proof::default_case(&host, &wasm)?)],
        false => files.into_iter().map(|(path, case)| (stem(&path), case)).collect(),
    };
    let mut checks = Vec::new();
    for (name, case) in &named {
        checks.extend(proof::check(&host, &wasm, name, case).with_context(|| format!("case {name}"))?);
    }
    if !args.quick {
        checks.extend(attacks(&config, &wasm, &named)?);
    }
    print(format, &checks)
}

/// The bytes of a component, built where a folder is given.
pub fn component(plugin: &Path) -> anyhow::Result<Vec<u8>> {
    if !plugin.is_dir() {
        return fs::read(plugin).with_context(|| format!("cannot read {}", plugin.display()));
    }
    let out = tempfile::tempdir().context("cannot make a folder for the component")?;
    Ok(tiegel_wasm::build::build_plugin(plugin, &out.path().join("plugin.wasm"))?)
}

/// The cases with their files, by name.
fn cases(args: &TestArgs) -> anyhow::Result<Vec<(PathBuf, Case)>> {
    let beside = if args.plugin.is_dir() { &args.plugin } else { args.plugin.parent().unwrap_or(Path::new(".")) };
    let folder = args.cases.clone().unwrap_or_else(|| beside.join("cases"));
    if !folder.is_dir() {
        anyhow::ensure!(args.cases.is_none(), "there is no folder {}", folder.display());
        return Ok(vec![]);
    }
    let listed = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = listed.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let case = serde_json::from_str(&text).with_context(|| format!("{} is no case", path.display()))?;
        Ok((path, case))
    };
    files.into_iter().map(read).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn update(host: &WasmHost, wasm: &[u8], files: &[(PathBuf, Case)]) -> anyhow::Result<ExitCode> {
    for (path, case) in files {
        let text = serde_json::to_string_pretty(&proof::update(host, wasm, case)?)?;
        fs::write(path, format!("{text}\n")).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn attacks(config: &HostConfig, wasm: &[u8], named: &[(String, Case)]) -> anyhow::Result<Vec<Check>> {
    let Some((name, case)) = named.iter().find(|(_, case)| case.error.is_none()) else { return Ok(vec![]) };
    let target = Target { wasm, config: case.config.clone(), input: Some(case.schema()) };
    let outcomes = attack::component(config, &target).context("the plugin cannot be attacked")?;
    let check = |outcome: attack::Outcome| Check {
        case: name.clone(),
        check: format!("attack: {}", outcome.attack),
        failure: (!outcome.contained).then_some(outcome.outcome),
        replay: None,
    };
    Ok(outcomes.into_iter().map(check).collect())
}

fn print(format: Format, checks: &[Check]) -> anyhow::Result<ExitCode> {
    let failed = checks.iter().filter(|check| check.failure.is_some()).count();
    if format == Format::Json {
        let row = |check: &Check| {
            let Check { case, check, failure, replay } = check;
            serde_json::json!(Row { case, check, failure: failure.as_deref(), replay: replay.as_ref() })
        };
        output::json(&checks.iter().map(row).collect::<Vec<_>>())?;
    } else {
        let title = ["CASE", "CHECK", "RESULT"].map(str::to_owned).to_vec();
        let line = |check: &Check| {
            let result = check.failure.as_ref().map_or("ok".to_owned(), |failure| format!("FAILED: {failure}"));
            vec![check.case.clone(), check.check.clone(), result]
        };
        output::table(&std::iter::once(title).chain(checks.iter().map(line)).collect::<Vec<_>>());
        for case in checks.iter().filter_map(|check| check.replay.as_ref()) {
            println!("\nfails again as a file of `cases`:\n{}", serde_json::to_string(case)?);
        }
        println!("{} checks, {failed} failed", checks.len());
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}
