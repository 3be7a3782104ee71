//! The compiler of plugins as a program of its own, as the tests start it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut limits = std::env::args().skip(1).map(|number| number.parse().unwrap_or(0));
    let mut next = || limits.next().unwrap_or(0);
    ExitCode::from(tiegel_wasm::compile_stdin(next(), next()))
}
