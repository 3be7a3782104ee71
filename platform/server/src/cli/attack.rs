use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use tiegel_types::Schema;
use tiegel_wasm::HostConfig;
use tiegel_wasm::attack::{self, Outcome, Target};

use super::output::{self, Format};
use crate::compose;

#[derive(Args)]
pub struct AttackArgs {
    /// A component; without one, plugins that come with this program attack the host.
    component: Option<PathBuf>,
    /// The component's config, as JSON.
    #[arg(long, default_value = "{}", requires = "component")]
    config: String,
    /// An input column that the component takes, as NAME:TYPE; without one, columns of several types are tried.
    #[arg(long = "column", value_name = "NAME:TYPE", requires = "component")]
    columns: Vec<String>,
    /// Seconds that compiling one of the plugins may take.
    #[arg(long, default_value_t = 60)]
    compile_seconds: u64,
}

/// What is printed of an outcome.
#[derive(Serialize)]
struct Row<'a> {
    attack: &'a str,
    expected: &'a str,
    outcome: &'a str,
    milliseconds: u64,
    contained: bool,
}

pub fn attack(format: Format, args: &AttackArgs) -> anyhow::Result<ExitCode> {
    let dir = tempfile::tempdir().context("cannot make a folder for compiled plugins")?;
    let compiler = compose::plugin_compiler(Duration::from_secs(args.compile_seconds))?;
    let config = HostConfig { compiler, ..HostConfig::new(dir.path()) };
    let outcomes = match &args.component {
        Some(path) => {
            let wasm = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let config_json = serde_json::from_str(&args.config).context("--config is not JSON")?;
            let target = Target { wasm: &wasm, config: config_json, input: columns(&args.columns)? };
            attack::component(&config, &target).with_context(|| format!("{} cannot be attacked", path.display()))?
        }
        None => attack::host(&config).context("the host does not start")?,
    };
    print(format, &outcomes)
}

fn columns(args: &[String]) -> anyhow::Result<Option<Schema>> {
    if args.is_empty() {
        return Ok(None);
    }
    let field = |column: &String| {
        let (name, dtype) = column.split_once(':').with_context(|| format!("'{column}' is not NAME:TYPE"))?;
        let dtype = serde_json::from_value(dtype.into()).with_context(|| format!("'{dtype}' is no column type"))?;
        anyhow::Ok(tiegel_types::Field::new(name, dtype))
    };
    Ok(Some(Schema::new(args.iter().map(field).collect::<anyhow::Result<_>>()?)))
}

fn print(format: Format, outcomes: &[Outcome]) -> anyhow::Result<ExitCode> {
    let rows: Vec<Row<'_>> = outcomes.iter().map(row).collect();
    let escaped = rows.iter().filter(|row| !row.contained).count();
    if format == Format::Json {
        output::json(&rows)?;
    } else {
        let title = ["ATTACK", "EXPECTED", "TIME", "OUTCOME"].map(str::to_owned).to_vec();
        let line = |row: &Row<'_>| {
            let mark = if row.contained { "" } else { "ESCAPED: " };
            let outcome = format!("{mark}{}", row.outcome);
            vec![row.attack.to_owned(), row.expected.to_owned(), format!("{} ms", row.milliseconds), outcome]
        };
        output::table(&std::iter::once(title).chain(rows.iter().map(line)).collect::<Vec<_>>());
        println!("{} attacks, {escaped} escaped", rows.len());
    }
    Ok(ExitCode::from(u8::from(escaped > 0)))
}

fn row(outcome: &Outcome) -> Row<'_> {
    Row {
        attack: &outcome.attack,
        expected: outcome.expected,
        outcome: &outcome.outcome,
        milliseconds: u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
        contained: outcome.contained,
    }
}
