use std::process::ExitCode;

/// The system's allocator keeps the pages of a burst in one arena per thread; this one gives them back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tiegel_server::cli::main()
}
