//! How soon an empty server is ready, and what it holds when nobody asks.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::figures::Figures;
use super::server::Server;

const STARTS: usize = 20;
const IDLE: Duration = Duration::from_secs(5);

pub fn measure(bin: &Path) -> Result<Vec<Figures>> {
    let mut ready_ms = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let folder = tempfile::tempdir()?;
        ready_ms.push(Server::start(bin, folder.path())?.ready_after.as_secs_f64() * 1e3);
    }
    let folder = tempfile::tempdir()?;
    let server = Server::start(bin, folder.path())?;
    thread::sleep(IDLE);
    let resident = vec![server.resident_mib()?];
    Ok(vec![
        Figures::new("ready on an empty folder", "ms", ready_ms),
        Figures::new("resident after 5 s idle", "MiB", resident),
    ])
}
