use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// The user that runs the server where the tests run as root, which Postgres refuses.
const UNPRIVILEGED_USER: &str = "postgres";

/// Runs until its standard input ends, which is when the test process does, however it does; then stops the server and
/// removes its folder. The server listens on a socket in that folder only, so no port is taken.
const WATCHDOG: &str = r#"
set -u
bin=$1
dir=$(mktemp -d /tmp/tiegel-postgres-XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
if ! "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C -N >"$dir/log" 2>&1; then
    cat "$dir/log" >&2
    exit 1
fi
"$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c full_page_writes=off \
    -c max_connections=400 -c shared_buffers=32MB >>"$dir/log" 2>&1 &
server=$!
until "$bin/pg_isready" -q -h "$dir"; do
    if ! kill -0 "$server" 2>/dev/null; then
        cat "$dir/log" >&2
        exit 1
    fi
    sleep 0.05
done
echo "$dir"
cat >/dev/null
kill -QUIT "$server"
wait "$server"
"#;

/// A throw-away Postgres server, stopped when this value is dropped or the process ends.
pub struct PostgresServer {
    socket_dir: String,
    watchdog: Child,
    /// Held open: its end is the watchdog's sign.
    lifeline: Option<ChildStdin>,
}

impl PostgresServer {
    /// Finds the binaries with `pg_config` and starts a server in a new folder. Blocks for about two seconds.
    pub fn start() -> Result<Self, String> {
        let bin = bindir()?;
        let mut command = if runs_as_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", UNPRIVILEGED_USER, "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        let mut watchdog = command
            .args(["-c", WATCHDOG, "sh", &bin])
            .current_dir(Path::new("/"))
            // A Ctrl-C is for the tests; the watchdog must survive it to clean up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run a shell as an unprivileged user: {error}"))?;
        let lifeline = watchdog.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = watchdog.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        if line.is_empty() {
            let mut log = String::new();
            if let Some(mut stderr) = watchdog.stderr.take() {
                stderr.read_to_string(&mut log).map_err(|error| error.to_string())?;
            }
            return Err(log);
        }
        Ok(Self { socket_dir: line.trim_end().to_owned(), watchdog, lifeline })
    }

    /// The URL of one of its databases, for every client that speaks libpq URLs.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.socket_dir)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.lifeline.take();
        // Waiting fails only if the watchdog is gone already.
        _ = self.watchdog.wait();
    }
}

fn bindir() -> Result<String, String> {
    let output = Command::new("pg_config").arg("--bindir").output();
    let output = output.map_err(|error| format!("pg_config: {error}; install the Postgres server package"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn runs_as_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_server_leaves_no_folder_behind() {
        let server = PostgresServer::start().unwrap();
        let folder = server.socket_dir.clone();
        assert!(Path::new(&folder).join("data").exists());
        drop(server);
        assert!(!Path::new(&folder).exists());
    }
}
