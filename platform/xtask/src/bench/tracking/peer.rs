//! The servers that are compared, each over a folder of its own.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bench::http::Connection;

/// Before the memory of a server that nobody asked anything is read.
pub const SETTLE: Duration = Duration::from_secs(2);
const READY_SECONDS_MAX: u64 = 120;
const POLL: Duration = Duration::from_millis(1);
const SAMPLE: Duration = Duration::from_millis(10);

/// Ends the server's processes once its standard input does, which is when the benchmark ends, however it does.
const WATCHDOG: &str = r#"cat >/dev/null; kill -s KILL -- "-$1" 2>/dev/null"#;

pub enum Peer {
    Tiegel { bin: PathBuf, database_url: Option<String> },
    Mlflow { bin: PathBuf, workers: u32 },
}

/// A running server and all its processes, ended when it is dropped.
pub struct Server {
    /// The first of a process group.
    child: Child,
    watchdog: Child,
    lifeline: Option<ChildStdin>,
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
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let mut server = Server::guarded(child, host)?;
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
    fn guarded(mut child: Child, host: String) -> Result<Self> {
        let group = child.id().to_string();
        let mut watchdog = Command::new("sh");
        let watchdog = watchdog.args(["-c", WATCHDOG, "sh", &group]).stdin(Stdio::piped()).process_group(0).spawn();
        let mut watchdog = match watchdog {
            Ok(watchdog) => watchdog,
            Err(error) => {
                // Nobody else would end it.
                _ = child.kill();
                return Err(error).context("cannot run sh");
            }
        };
        let lifeline = watchdog.stdin.take();
        Ok(Self { child, watchdog, lifeline, host, ready_after: Duration::ZERO })
    }

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

    /// The most memory that it holds while something is done, in MiB.
    pub fn resident_mib_during<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
        let is_over = AtomicBool::new(false);
        let watch = || {
            let mut most = 0.0_f64;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(self.resident_mib().unwrap_or(0.0));
                thread::sleep(SAMPLE);
            }
            most
        };
        thread::scope(|scope| {
            let watcher = scope.spawn(watch);
            let done = work();
            is_over.store(true, Ordering::Relaxed);
            let most = watcher.join().unwrap_or(0.0);
            Ok((done?, most))
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // Those that ended by themselves are what is wanted.
        _ = self.watchdog.wait();
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A process and all its descendants.
fn tree(root: u32) -> Result<Vec<u32>> {
    let mut all = vec![root];
    let mut at = 0;
    while let Some(process) = all.get(at).copied() {
        for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
        at += 1;
    }
    Ok(all)
}

/// Of a process that is gone, none.
fn resident_mib(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    Ok(kib.unwrap_or(0.0) / 1024.0)
}
