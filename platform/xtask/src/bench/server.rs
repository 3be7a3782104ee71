//! A `tiegel serve` of our own, ended when it is dropped.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::http::Connection;

const READY_MS_MAX: u128 = 30_000;
const POLL: Duration = Duration::from_millis(1);

pub struct Server {
    child: Child,
    /// HOST:PORT.
    pub host: String,
    /// From the start of the process until it said that it is ready.
    pub ready_after: Duration,
}

impl Server {
    /// Starts on a free port and waits until it is ready.
    pub fn start(bin: &Path, data_dir: &Path) -> Result<Self> {
        let host = free_address()?;
        let start = Instant::now();
        let child = Command::new(bin)
            .args(["serve", "--listen", &host, "--data-dir"])
            .arg(data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", bin.display()))?;
        let mut server = Self { child, host, ready_after: Duration::ZERO };
        while !is_ready(&server.host) {
            if let Some(status) = server.child.try_wait()? {
                bail!("tiegel serve ended with {status} before it was ready");
            }
            if start.elapsed().as_millis() > READY_MS_MAX {
                bail!("tiegel serve was not ready after {READY_MS_MAX} ms");
            }
            thread::sleep(POLL);
        }
        server.ready_after = start.elapsed();
        Ok(server)
    }

    /// Memory that the process holds, in MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(kib.context("no VmRSS in the process status")?.parse::<f64>()? / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn is_ready(host: &str) -> bool {
    let ask = || {
        let mut connection = Connection::open(host)?;
        let request = connection.request("GET", "/health/ready", None);
        connection.send(&request)
    };
    ask().is_ok_and(|response| response.status == 200)
}

/// The port is free now; another process could take it before we do, and then starting fails loudly.
fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.to_string())
}
