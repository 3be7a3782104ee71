//! The servers that are compared, each over an empty folder of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bench::http::Connection;

const READY_SECONDS_MAX: u64 = 120;
const POLL: Duration = Duration::from_millis(1);

pub enum Peer {
    Tiegel { bin: PathBuf, database_url: Option<String> },
    Mlflow { bin: PathBuf, workers: u32 },
}

/// A running server and all its processes, ended when it is dropped.
pub struct Server {
    child: Child,
    /// HOST:PORT.
    pub host: String,
    pub ready_after: Duration,
}

impl Peer {
    pub fn tiegel(bin: &Path, database_url: Option<&str>) -> Self {
        Self::Tiegel { bin: bin.to_owned(), database_url: database_url.map(str::to_owned) }
    }

    pub fn mlflow(bin: &Path, workers: u32) -> Self {
        Self::Mlflow { bin: bin.to_owned(), workers }
    }

    pub fn start(&self, folder: &Path) -> Result<Server> {
        let host = TcpListener::bind("127.0.0.1:0").context("no free port")?.local_addr()?.to_string();
        let mut command = self.command(folder, &host);
        let started = Instant::now();
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let mut server = Server { child, host, ready_after: Duration::ZERO };
        while !server.answers() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{command:?} ended with {status} before it answered");
            }
            if started.elapsed().as_secs() > READY_SECONDS_MAX {
                bail!("{command:?} did not answer in {READY_SECONDS_MAX} s");
            }
            thread::sleep(POLL);
        }
        server.ready_after = started.elapsed();
        Ok(server)
    }

    fn command(&self, folder: &Path, host: &str) -> Command {
        match self {
            Self::Tiegel { bin, database_url } => {
                let mut command = Command::new(bin);
                command.args(["serve", "--listen", host, "--data-dir"]).arg(folder.join("tiegel"));
                if let Some(url) = database_url {
                    command.args(["--database-url", url]);
                }
                command
            }
            Self::Mlflow { bin, workers } => {
                let (address, port) = host.split_once(':').unwrap_or((host, "5000"));
                let mut command = Command::new(bin);
                command.args(["server", "--host", address, "--port", port, "--workers", &workers.to_string()]);
                command.arg("--backend-store-uri").arg(format!("sqlite:///{}", folder.join("mlflow.db").display()));
                command.arg("--artifacts-destination").arg(folder.join("artifacts"));
                // Its job runner is off: seven more processes that none of these requests uses.
                command.env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false");
                command
            }
        }
    }
}

impl Server {
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(&self.host)
    }

    fn answers(&self) -> bool {
        let ask = || {
            let mut connection = self.connect()?;
            let request = connection.request("GET", "/health", None);
            connection.send(&request)
        };
        ask().is_ok_and(|response| response.status == 200)
    }

    /// Memory that the server's processes hold, in MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        tree(self.child.id())?.into_iter().map(resident_mib).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let processes = tree(self.child.id()).unwrap_or_default();
        // Those that ended by themselves are what is wanted.
        _ = self.child.kill();
        _ = self.child.wait();
        for process in processes.into_iter().skip(1) {
            _ = Command::new("kill").arg(process.to_string()).stderr(Stdio::null()).status();
        }
    }
}

/// A process and all its descendants.
fn tree(root: u32) -> Result<Vec<u32>> {
    let mut all = vec![root];
    let mut at = 0;
    while let Some(process) = all.get(at).copied() {
        let path = format!("/proc/{process}/task/{process}/children");
        let children = std::fs::read_to_string(path).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        at += 1;
    }
    Ok(all)
}

fn resident_mib(process: u32) -> Result<f64> {
    let Ok(file) = std::fs::File::open(format!("/proc/{process}/status")) else {
        return Ok(0.0);
    };
    let line = BufReader::new(file).lines().map_while(Result::ok).find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    Ok(kib.unwrap_or(0.0) / 1024.0)
}
