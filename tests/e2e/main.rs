//! The platform through its public doors: HTTP and the command line of the real binary.

#![expect(clippy::unwrap_used, reason = "in a test an absent value is a failure")]

mod artifacts;
mod datasets;
mod distribution;
mod errors;
mod gc;
mod guests;
mod javascript;
mod kill;
mod main_job;
mod newcomer;
mod operations;
mod parity;
mod serving;
mod telemetry;
mod tracking;

/// The plugins of the main job.
const PLUGINS: [&str; 4] = ["impute", "calendar", "standardize", "one-hot"];

/// Applies a folder; panics with the command's message where it fails.
fn apply(server: &tiegel_tests::TestServer, folder: &tiegel_tests::ProjectFolder) {
    let output = server.cli_in(folder.path(), &["apply"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The error of a command that must fail with exit code 1.
fn refused(server: &tiegel_tests::TestServer, folder: &tiegel_tests::ProjectFolder, args: &[&str]) -> String {
    let output = server.cli_in(folder.path(), args);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("errors are text").trim().trim_start_matches("error: ").to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
