use std::process::ExitCode;

fn main() -> ExitCode {
    tiegel_server::cli::main()
}
