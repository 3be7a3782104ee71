//! Components become machine code in a child process, so that one that is made to be hard to compile takes the child with
//! it and nothing else.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rlimit::Resource;
use tiegel_types::limits::PLUGIN_BYTES_MAX;
use wasmtime::Engine;

use crate::engine;
use crate::text;

/// The exit code of a child that found the component wanting; its standard error says why.
const REFUSED: u8 = 3;

/// The exit codes of `nice` for a program that it cannot start.
const NOT_STARTED: [i32; 2] = [126, 127];

/// What a child says last that ran out of memory: while it compiles, or reads.
const OUT_OF_MEMORY: [&str; 2] = ["memory allocation of", "out of memory"];

/// Threads of a child, and the heaps that its allocator keeps for them: address space counts against its memory.
const CHILD_THREADS_MAX: usize = 4;

/// How much less than others a child asks of the processor.
const NICENESS: &str = "10";

/// Bytes of a child's complaint that are read.
const COMPLAINT_BYTES_MAX: u64 = 64 << 10;

/// Between two looks at a child.
const POLL: Duration = Duration::from_millis(2);

/// Who turns components into machine code.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// This process: for components that are trusted.
    InProcess,
    Child(CompilerCommand),
}

/// How a child is started: a program that hands its last two arguments to [`compile_stdin`].
#[derive(Clone, Debug)]
pub struct CompilerCommand {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub limits: CompileLimits,
}

/// What compiling one component may cost.
#[derive(Clone, Debug)]
pub struct CompileLimits {
    pub wall: Duration,
    /// Of address space.
    pub memory_bytes_max: u64,
    pub output_bytes_max: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { wall: Duration::from_secs(120), memory_bytes_max: 4 << 30, output_bytes_max: 512 << 20 }
    }
}

/// Why there is no machine code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The component is at fault.
    #[error("{0}")]
    Component(String),
    #[error("the compiler does not start: {0}")]
    Host(io::Error),
}

impl Compiler {
    pub(crate) fn compile(&self, engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
        match self {
            Self::InProcess => engine.precompile_component(wasm).map_err(|e| CompileError::Component(explain(&e))),
            Self::Child(command) => command.compile(wasm),
        }
    }
}

impl CompilerCommand {
    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
        let mut child = self.start().map_err(CompileError::Host)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
            unreachable!("all three streams were asked for");
        };
        let output_bytes_max = self.limits.output_bytes_max;
        thread::scope(|scope| {
            // A child that dies early leaves bytes unwritten; what it says tells why.
            scope.spawn(move || drop(stdin.write_all(wasm)));
            let compiled = scope.spawn(move || read_up_to(stdout, output_bytes_max + 1));
            let complaint = scope.spawn(move || read_up_to(stderr, COMPLAINT_BYTES_MAX));
            // A child that cannot be waited for must not keep its pipes open.
            let ended = self.wait(&mut child).inspect_err(|_| drop(child.kill()));
            let read = |bytes: thread::ScopedJoinHandle<'_, Vec<u8>>| bytes.join().unwrap_or_default();
            let (compiled, complaint) = (read(compiled), read(complaint));
            self.judge(ended.map_err(CompileError::Host)?, compiled, &complaint)
        })
    }

    fn start(&self) -> io::Result<Child> {
        let Self { program, args, limits } = self;
        let seconds = limits.wall.as_secs().max(1) * CHILD_THREADS_MAX as u64;
        let start = |mut command: Command| {
            command
                .args(args)
                .args([limits.memory_bytes_max.to_string(), seconds.to_string()])
                .env_clear()
                .env("RAYON_NUM_THREADS", CHILD_THREADS_MAX.to_string())
                .env("MALLOC_ARENA_MAX", CHILD_THREADS_MAX.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        };
        let mut nice = Command::new("nice");
        nice.args(["-n", NICENESS]).arg(program);
        start(nice).or_else(|_| start(Command::new(program)))
    }

    /// None where it took too long and was killed.
    fn wait(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if started.elapsed() > self.limits.wall {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            thread::sleep(POLL);
        }
    }

    fn judge(&self, ended: Option<ExitStatus>, compiled: Vec<u8>, complaint: &[u8]) -> Result<Vec<u8>, CompileError> {
        let Some(status) = ended else {
            let seconds = self.limits.wall.as_secs_f32();
            return Err(component(format!("compiling it took longer than {seconds} s and was stopped")));
        };
        if compiled.len() as u64 > self.limits.output_bytes_max {
            let max = text::size(self.limits.output_bytes_max as usize);
            return Err(component(format!("it compiles to more than {max}")));
        }
        if status.success() && !compiled.is_empty() {
            return Ok(compiled);
        }
        let complaint = String::from_utf8_lossy(complaint);
        if status.code() == Some(i32::from(REFUSED)) {
            return Err(component(complaint.into_owned()));
        }
        if status.code().is_some_and(|code| NOT_STARTED.contains(&code)) {
            return Err(CompileError::Host(io::Error::other(text::clean(&complaint, 1_000))));
        }
        if OUT_OF_MEMORY.iter().any(|words| complaint.contains(words)) {
            let max = text::size(self.limits.memory_bytes_max as usize);
            return Err(component(format!("compiling it needs more than {max} of memory")));
        }
        tracing::warn!(%status, complaint = text::clean(&complaint, 1_000), "the compiler of plugins died");
        Err(component(format!("compiling it broke the compiler ({status})")))
    }
}

/// What a child does: binds itself to its limits, reads a component from standard input, and writes machine code to
/// standard output or a complaint to standard error. Answers its exit code.
pub fn compile_stdin(memory_bytes_max: u64, cpu_seconds_max: u64) -> u8 {
    match compile_within(memory_bytes_max, cpu_seconds_max) {
        Ok(()) => 0,
        Err(CompileError::Component(why)) => {
            drop(io::stderr().write_all(why.as_bytes()));
            REFUSED
        }
        Err(CompileError::Host(error)) => {
            drop(writeln!(io::stderr(), "{error}"));
            1
        }
    }
}

fn compile_within(memory_bytes_max: u64, cpu_seconds_max: u64) -> Result<(), CompileError> {
    let limit = |resource: Resource, most: u64| resource.set(most, most).map_err(CompileError::Host);
    limit(Resource::AS, memory_bytes_max)?;
    limit(Resource::CPU, cpu_seconds_max)?;
    limit(Resource::CORE, 0)?;
    let mut wasm = Vec::new();
    io::stdin().take(PLUGIN_BYTES_MAX as u64 + 1).read_to_end(&mut wasm).map_err(CompileError::Host)?;
    let engine = engine::compiler().map_err(|error| CompileError::Host(io::Error::other(error.to_string())))?;
    let compiled = Compiler::InProcess.compile(&engine, &wasm)?;
    io::stdout().write_all(&compiled).map_err(CompileError::Host)
}

fn read_up_to(stream: impl Read, bytes_max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What could be read is judged by its length and by how the child ended.
    drop(stream.take(bytes_max).read_to_end(&mut bytes));
    bytes
}

fn component(why: String) -> CompileError {
    CompileError::Component(why)
}

/// Wasmtime's own words.
pub(crate) fn explain(error: &wasmtime::Error) -> String {
    const BYTES_MAX: usize = 1_000;
    format!("it does not fit the contract or is malformed: {}", text::clean(&format!("{error:#}"), BYTES_MAX))
}
