use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a debug build may take to answer its first request.
const START_MS_MAX: u64 = 30_000;
const STOP_MS_MAX: u64 = 15_000;
const JOB_SECONDS_MAX: u64 = 240;

#[derive(Clone, Debug, Default)]
pub enum Database {
    #[default]
    Sqlite,
    /// The URL of an empty database.
    Postgres(String),
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub database: Database,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    /// Log lines of level WARN or ERROR that the test expects, by a part of their text.
    pub expected_logs: Vec<String>,
}

/// A running server. Dropping it without [`TestServer::finish`] kills the process.
pub struct TestServer {
    child: Option<Child>,
    pub url: String,
    pub http: reqwest::Client,
    options: Options,
    folder: TempDir,
    port: u16,
}

/// A response, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// `status code: detail`, for snapshots.
    pub fn problem(&self) -> String {
        let text = |key: &str| self.body[key].as_str().unwrap_or("-").to_owned();
        format!("{} {}: {}", self.status.as_u16(), text("code"), text("detail"))
    }
}

/// The binary beside the test binary; `make test` builds it.
pub fn tiegel_binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let binary = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps").join("tiegel");
    assert!(binary.exists(), "{} is missing: run `cargo build -p tiegel-server --bin tiegel`", binary.display());
    binary
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub async fn start_with(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("tiegel-test-").tempdir().expect("a temporary folder");
        let mut server = Self { child: None, url: String::new(), http: client(), options, folder, port: free_port() };
        server.spawn().await;
        server
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log.jsonl")
    }

    async fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut command = Command::new(tiegel_binary());
        command.args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)]);
        command.arg("--data-dir").arg(self.data_dir());
        command.env("TIEGEL_TELEMETRY__LOG_FORMAT", "json");
        if let Database::Postgres(url) = &self.options.database {
            command.env("TIEGEL_DATABASE_URL", url);
        }
        command.envs(self.options.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("the binary starts"));
        self.url = format!("http://127.0.0.1:{}", self.port);
        self.wait_ready().await;
    }

    async fn wait_ready(&mut self) {
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(START_MS_MAX) {
            if let Ok(answer) = self.http.get(format!("{}/health/ready", self.url)).send().await
                && answer.status().is_success()
            {
                return;
            }
            let child = self.child.as_mut().expect("the server was started");
            if let Some(status) = child.try_wait().expect("the process can be asked") {
                panic!("the server ended with {status}:\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server was not ready after {START_MS_MAX} ms:\n{}", self.log_tail());
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        child.kill().expect("the process can be killed");
        child.wait().expect("a killed process ends");
    }

    /// Starts the killed server again on the same data.
    pub async fn restart(&mut self) {
        self.spawn().await;
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("the server answers");
        let status = response.status();
        let text = response.text().await.expect("a readable body");
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Runs the command line against this server.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.cli_in(Path::new("."), args)
    }

    pub fn cli_in(&self, folder: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(tiegel_binary());
        command.args(args).env("TIEGEL_SERVER", &self.url).current_dir(folder);
        command.output().expect("the command line runs")
    }

    /// Pushes plugins of `plugins/dist` to project `default`.
    pub async fn push_plugins(&self, names: &[&str]) {
        for name in names {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/dist").join(format!("{name}.wasm"));
            let wasm = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}: run `make plugins`", path.display()));
            let request = self.http.post(format!("{}/api/v1/projects/default/plugins", self.url)).body(wasm);
            let answer = request.send().await.expect("the server answers");
            assert_eq!(answer.status(), 201, "{name}: {}", answer.text().await.unwrap_or_default());
        }
    }

    /// Queues a run; answers the job's id.
    pub async fn start_run(&self, target: &str) -> String {
        let answer = self.post("/api/v1/projects/default/jobs", &json!({ "target": target })).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.body["id"].as_str().expect("a job has an id").to_owned()
    }

    /// Waits for the job's end; answers it with its steps.
    pub async fn wait_job(&self, id: &str) -> Value {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(JOB_SECONDS_MAX) {
            let answer = self.get(&format!("/api/v1/jobs/{id}")).await;
            if matches!(answer.body["state"].as_str(), Some("succeeded" | "failed" | "cancelled")) {
                return answer.body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("job {id} did not end in {JOB_SECONDS_MAX} s:\n{}", self.log_tail());
    }

    /// Runs a target to its successful end.
    pub async fn run(&self, target: &str) -> Value {
        let job = self.wait_job(&self.start_run(target).await).await;
        assert_eq!(job["state"], "succeeded", "{}\n{}", job["error"], self.log_tail());
        job
    }

    /// Runs a target that must fail; answers the error.
    pub async fn run_failing(&self, target: &str) -> String {
        let job = self.wait_job(&self.start_run(target).await).await;
        assert_eq!(job["state"], "failed", "{job:#}");
        job["error"].as_str().unwrap_or_default().to_owned()
    }

    /// WARN and ERROR lines that the test did not announce.
    pub fn unexpected_logs(&self) -> Vec<String> {
        let lines = BufReader::new(File::open(self.log_path()).expect("the log")).lines();
        let loud = |line: &String| {
            let level = serde_json::from_str::<Value>(line).ok().and_then(|v| v["level"].as_str().map(str::to_owned));
            !matches!(level.as_deref(), Some("INFO" | "DEBUG" | "TRACE"))
        };
        let expected = |line: &String| self.options.expected_logs.iter().any(|part| line.contains(part));
        lines.map_while(Result::ok).filter(|line| loud(line) && !expected(line)).collect()
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let text = self.log_text();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Stops the server as an operator would and checks what it leaves.
    pub async fn finish(mut self) {
        let metrics = self.get("/metrics").await.text;
        let open = metrics.lines().find(|l| l.starts_with("tiegel_jobs_open ")).map(str::to_owned);
        assert_eq!(open.as_deref(), Some("tiegel_jobs_open 0"), "jobs are left over");
        let mut child = self.child.take().expect("the server runs");
        let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
        assert!(stopped.success());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("the process can be asked") {
                break status;
            }
            if started.elapsed() > Duration::from_millis(STOP_MS_MAX) {
                child.kill().expect("the process can be killed");
                panic!("the server did not stop in {STOP_MS_MAX} ms:\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(status.success(), "the server stopped with {status}:\n{}", self.log_tail());
        let loud = self.unexpected_logs();
        assert!(loud.is_empty(), "unexpected log lines:\n{}", loud.join("\n"));
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A test that fails before `finish` must not leave a server behind; it may have ended by itself.
            drop(child.kill());
            drop(child.wait());
            if std::thread::panicking() {
                show_log(&self.log_tail());
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failed test shows what the server said")]
fn show_log(tail: &str) {
    eprintln!("the server's log ends with:\n{tail}");
}

/// A debug build under load may take its time, but not forever.
fn client() -> reqwest::Client {
    let timeout = Duration::from_secs(JOB_SECONDS_MAX);
    reqwest::Client::builder().timeout(timeout).build().expect("a client without options can be built")
}

/// A port that was free a moment ago; the same one serves after a restart.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
