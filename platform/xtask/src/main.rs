//! `cargo xtask`: what the build needs besides cargo itself.
//!
//! - `tidy` checks the rules that no compiler checks: dependency direction, sizes, names, frozen files.
//! - `gen` writes every generated file that is committed, and with `--check` says which one is out of date.
//! - `bench` measures what the documents promise and prints it.
//!
//! Invariant: no crate of the platform depends on this one, and it uses only what the workspace uses anyway.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool answers on the terminal")]

mod bench;
mod generate;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks, generated files and measurements of this repository")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the rules of the repository; exit code 1 where one is broken.
    Tidy,
    /// Write the generated files: digests of frozen files, OpenAPI, JSON Schemas, the web client.
    Gen {
        /// Change nothing; exit code 1 where a file is out of date.
        #[arg(long)]
        check: bool,
        /// The `tiegel` to ask; by default a debug build made now.
        #[arg(long)]
        bin: Option<PathBuf>,
        /// Only the digests of frozen files, which need no binary.
        #[arg(long)]
        frozen: bool,
    },
    /// Measure and print a table: startup, predict, steps, standardize, or all.
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// False where the command ran and found something wrong.
fn run(command: Command) -> Result<bool> {
    let workspace = Workspace::load()?;
    match command {
        Command::Tidy => tidy::run(&workspace),
        Command::Gen { check, bin, frozen } => generate::run(&workspace, generate::Options { check, bin, frozen }),
        Command::Bench(args) => bench::run(&workspace, &args),
    }
}
