//! A folder with a Python class becomes a component: componentize-py joins CPython, the SDK and the author's modules.
//!
//! A `componentize-py` of the pinned version on the path is used as it is. Else pip puts it into the user's cache once.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use tempfile::TempDir;

use super::python_guest::{self, ENTRY};
use crate::manifest::Manifest;
use crate::strip;

/// Components of other versions have other CPythons in them.
const VERSION: &str = "0.25.1";

const PYTHON: &str = "python3";

/// What the command that pip installs does; its own script names the interpreter of one machine.
const RUN: &str = "import sys; sys.argv[0] = 'componentize-py'; from componentize_py import script; sys.exit(script())";

/// How the bindings find the modules of a component; the folders are made anew for each build.
const AUTHOR: &str = "author";
const GUEST: &str = "guest";
const WIT: &str = "wit";

/// Why a Python plugin was not built.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    #[error(
        "tiegel-plugin.toml says no file: `[build] entry` is the one that the plugin's class is in, such as \"plugin.py\""
    )]
    NoEntry,
    #[error(
        "tiegel-plugin.toml: `build.entry` is a file such as \"plugin.py\", whose name Python can import; not '{0}'"
    )]
    BadEntry(String),
    #[error("there is no {}, which `build.entry` in tiegel-plugin.toml names", .0.display())]
    NoFile(PathBuf),
    #[error("there is no {PYTHON} on the path: install Python 3.10 or newer, with pip")]
    NoPython,
    #[error(
        "pip could not install componentize-py {VERSION}, which builds Python plugins:\n{0}\n\
         install it yourself (`pipx install componentize-py=={VERSION}`), so that it is on the path"
    )]
    Pip(String),
    #[error("the plugin does not load: {0}")]
    Load(String),
    #[error("componentize-py made nothing that can be read: {0}")]
    Output(String),
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

/// Builds the project in `dir`; answers its component.
///
/// # Errors
/// When Python or componentize-py is missing, or the author's module does not load or holds no plugin.
pub fn build(dir: &Path, manifest: &Manifest) -> Result<Vec<u8>, PythonError> {
    let entry = Entry::find(dir, manifest)?;
    let tool = Tool::find()?;
    let stage = tempfile::Builder::new().prefix("tiegel-plugin-").tempdir().map_err(io_error("a temporary folder"))?;
    lay_out(&stage, &entry, manifest)?;
    let built = tool.componentize(stage.path(), python_guest::world(manifest.world))?;
    if !built.status.success() {
        return Err(PythonError::Load(readable(&built, &entry)));
    }
    let path = stage.path().join("component.wasm");
    let component = fs::read(&path).map_err(io_error(format!("reading {}", path.display())))?;
    strip::strip(&component).map_err(PythonError::Output)
}

/// The author's module.
struct Entry {
    folder: PathBuf,
    module: String,
}

impl Entry {
    fn find(dir: &Path, manifest: &Manifest) -> Result<Self, PythonError> {
        let entry = manifest.build.entry.as_deref().ok_or(PythonError::NoEntry)?;
        let module = Path::new(entry).file_name().and_then(|name| name.to_str()?.strip_suffix(".py"));
        let is_name = |module: &&str| {
            module.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && module.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !matches!(*module, "tiegel" | "wit_world")
        };
        let module = module.filter(is_name).ok_or_else(|| PythonError::BadEntry(entry.to_owned()))?;
        let path = dir.join(entry);
        match path.parent() {
            Some(folder) if path.is_file() => Ok(Self { folder: folder.to_owned(), module: module.to_owned() }),
            _ => Err(PythonError::NoFile(path)),
        }
    }
}

/// How componentize-py is started.
enum Tool {
    OnPath,
    /// With the packages in this folder.
    Cached(PathBuf),
}

impl Tool {
    fn find() -> Result<Self, PythonError> {
        let printed = Command::new("componentize-py").arg("--version").output();
        if printed.is_ok_and(|printed| String::from_utf8_lossy(&printed.stdout).trim().ends_with(VERSION)) {
            return Ok(Self::OnPath);
        }
        let home = env::home_dir().unwrap_or_else(env::temp_dir);
        let cache = home.join(".cache/tiegel");
        let folder = cache.join(format!("componentize-py-{VERSION}"));
        if !folder.is_dir() {
            install(&cache, &folder)?;
        }
        Ok(Self::Cached(folder))
    }

    fn command(&self) -> Command {
        match self {
            Self::OnPath => Command::new("componentize-py"),
            Self::Cached(folder) => {
                let mut command = Command::new(PYTHON);
                command.args(["-c", RUN]).env("PYTHONPATH", folder);
                command
            }
        }
    }

    fn componentize(&self, stage: &Path, world: &str) -> Result<Output, PythonError> {
        let mut command = self.command();
        command.current_dir(stage).args(["--wit-path", WIT, "--world", world, "componentize", python_guest::COMPONENT]);
        command.args(["--python-path", AUTHOR, "--python-path", GUEST, "--stub-wasi", "--output", "component.wasm"]);
        // Else it would look for packages of this machine and offer them to the guest.
        command.env("VIRTUAL_ENV", stage.join("environment")).env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::null()).output().map_err(starting)
    }
}

/// Installs beside the cache's folder and moves there, so that a build that was stopped leaves no half of it.
fn install(cache: &Path, folder: &Path) -> Result<(), PythonError> {
    fs::create_dir_all(cache).map_err(io_error(format!("creating {}", cache.display())))?;
    let fresh = tempfile::tempdir_in(cache).map_err(io_error(format!("creating a folder in {}", cache.display())))?;
    let mut pip = Command::new(PYTHON);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps"]);
    pip.args(["--no-input", "--target"]).arg(fresh.path()).arg(format!("componentize-py=={VERSION}"));
    let installed = pip.stdin(Stdio::null()).output().map_err(starting)?;
    if !installed.status.success() {
        return Err(PythonError::Pip(String::from_utf8_lossy(&installed.stderr).trim().to_owned()));
    }
    let fresh = fresh.keep();
    match fs::rename(&fresh, folder) {
        // Another build was faster.
        Err(_) if folder.is_dir() => fs::remove_dir_all(&fresh).map_err(io_error("removing a second installation")),
        moved => moved.map_err(io_error(format!("moving to {}", folder.display()))),
    }
}

/// The folders that componentize-py reads.
fn lay_out(stage: &TempDir, entry: &Entry, manifest: &Manifest) -> Result<(), PythonError> {
    let write = |name: &str, text: &str| {
        let path = stage.path().join(name);
        let folder = path.parent().unwrap_or(stage.path());
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).map_err(io_error(format!("writing {name}")))
    };
    for (name, text) in python_guest::SDK {
        write(&format!("{GUEST}/tiegel/plugin/{name}"), text)?;
    }
    write(&format!("{GUEST}/tiegel/__init__.py"), "")?;
    write(&format!("{GUEST}/{}.py", python_guest::COMPONENT), &python_guest::component(&entry.module, manifest))?;
    write(&format!("{WIT}/plugin.wit"), python_guest::CONTRACT)?;
    write("environment/lib/python3/site-packages/README", "Empty.")?;
    copy_modules(&entry.folder, &stage.path().join(AUTHOR))
        .map_err(io_error(format!("copying the modules in {}", entry.folder.display())))
}

/// The author's modules and packages, without tests: what else lies in the folder is no part of the plugin.
fn copy_modules(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_test = name.starts_with("test_") || name == "conftest.py";
        if path.join(ENTRY).is_file() && name != "tests" {
            copy_modules(&path, &to.join(name))?;
        } else if name.ends_with(".py") && !is_test && path.is_file() {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// What went wrong in the author's terms: Python's own words, with the folders of the build taken out of them.
fn readable(built: &Output, entry: &Entry) -> String {
    let said = [built.stderr.as_slice(), built.stdout.as_slice()].concat();
    python_guest::readable(&String::from_utf8_lossy(&said), &entry.folder)
}

fn starting(source: io::Error) -> PythonError {
    match source.kind() {
        io::ErrorKind::NotFound => PythonError::NoPython,
        _ => PythonError::Io { what: format!("starting {PYTHON}"), source },
    }
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> PythonError {
    let what = what.into();
    |source| PythonError::Io { what, source }
}
