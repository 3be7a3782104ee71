//! The harness: the real binary on a free port with a data folder of its own, driven over HTTP and its command line.
//!
//! Invariant: [`TestServer::finish`] fails on jobs left over, on WARN or ERROR log lines that the test did not announce, and
//! on a server that does not stop in time or leaves tasks behind.

mod data;
mod project;
mod server;

pub use data::{FLIGHTS_ROWS, flights_csv, weather_csv};
pub use project::ProjectFolder;
pub use server::{Answer, Database, Options, TestServer, tiegel_binary};
