//! A cargo project becomes a component.
//!
//! Where the active toolchain has the `wasm32-unknown-unknown` target, cargo builds with it. Else Debian's `rustc-web`,
//! where it is installed, builds the standard library from source as well, with the linker of rustup's toolchain. Else
//! rustup is asked to fetch the target.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::{BuildError, io_error, rust_sdk};
use crate::componentize::componentize;

pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// How long rustup may try to fetch the target.
const RUSTUP_SECONDS_MAX: u64 = 20;

/// Debian's packages and where they put things.
pub(super) const DEBIAN_PACKAGES: &str = "rustc-web cargo-web rust-web-src";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_STD: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// The host runs SIMD, and the SDK's kernels need it.
const TARGET_FEATURES: &str = "-Ctarget-feature=+simd128";

/// Settings of the release profile, whatever the project says: a guest cannot unwind, and small code starts fast.
const PROFILE: [&str; 5] = ["opt-level=3", "lto=\"fat\"", "codegen-units=1", "panic=\"abort\"", "strip=\"debuginfo\""];

/// Variables of a surrounding cargo or rustup that would steer the build of the guest.
const FOREIGN_VARIABLES: [&str; 6] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "CARGO_BUILD_TARGET", "RUSTC"];

/// Builds the cargo project in `dir`; answers its component.
///
/// Cargo's messages go to stderr. The target directory is cargo's own choice (`CARGO_TARGET_DIR` counts).
///
/// # Errors
/// When there is no toolchain for the target, the project does not compile, or it is no plugin.
pub fn build(dir: &Path) -> Result<Vec<u8>, BuildError> {
    let manifest = dir.join("Cargo.toml");
    let manifest = manifest.canonicalize().map_err(|_| BuildError::NoProject(dir.to_owned()))?;
    let toolchain = Toolchain::find()?;
    let module = compile(&toolchain, &manifest)?;
    let core = fs::read(&module).map_err(io_error(format!("reading {}", module.display())))?;
    Ok(componentize(&core)?)
}

/// What can build for the target.
enum Toolchain {
    /// The toolchain on the path has the target's standard library.
    Ready,
    /// Debian's, which builds the standard library too, with this linker.
    Debian { linker: PathBuf },
}

impl Toolchain {
    fn find() -> Result<Self, BuildError> {
        if has_target() {
            return Ok(Self::Ready);
        }
        // Whoever installed Debian's packages has no use for rustup's attempt, which costs seconds without a network.
        let complete = [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_STD].iter().all(|path| Path::new(path).exists());
        if let (true, Some(linker)) = (complete, linker()) {
            return Ok(Self::Debian { linker });
        }
        if rustup_adds_target() && has_target() { Ok(Self::Ready) } else { Err(BuildError::NoToolchain) }
    }

    fn cargo(&self) -> Command {
        match self {
            Self::Ready => command("cargo"),
            Self::Debian { linker } => {
                let mut cargo = command(DEBIAN_CARGO);
                cargo
                    .env("RUSTC", DEBIAN_RUSTC)
                    // -Zbuild-std is unstable, and Debian ships a stable compiler.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                cargo
            }
        }
    }
}

fn compile(toolchain: &Toolchain, manifest: &Path) -> Result<PathBuf, BuildError> {
    let mut cargo = toolchain.cargo();
    cargo.args(["build", "--lib", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    cargo.arg("--manifest-path").arg(manifest);
    if matches!(toolchain, Toolchain::Debian { .. }) {
        cargo.arg("-Zbuild-std=std,panic_abort");
    }
    for setting in PROFILE {
        cargo.arg("--config").arg(format!("profile.release.{setting}"));
    }
    if let Some(patch) = rust_sdk::patch(manifest)? {
        cargo.arg("--config").arg(patch);
    }
    // Cargo cuts this variable at the unit separator, so that folders may have spaces in their names.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rustflags(toolchain, manifest).join("\u{1f}"));
    let built = cargo.stderr(Stdio::inherit()).output().map_err(io_error("starting cargo"))?;
    if !built.status.success() {
        return Err(BuildError::Cargo);
    }
    module_of(&built.stdout, manifest).ok_or(BuildError::NoModule)
}

/// Flags of every crate of the guest. Panic messages carry source paths: without those of this machine, other machines
/// build the same messages.
fn rustflags(toolchain: &Toolchain, manifest: &Path) -> Vec<String> {
    let mut flags = vec![TARGET_FEATURES.to_owned()];
    let mut remap = |from: &Path, to: &str| flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    if let Some(home) = std::env::home_dir() {
        remap(&home.join(".cargo/registry/src"), "registry");
    }
    let mut locate = toolchain.cargo();
    locate.args(["locate-project", "--workspace", "--message-format", "plain", "--manifest-path"]).arg(manifest);
    if let Ok(located) = locate.output() {
        let workspace = PathBuf::from(String::from_utf8_lossy(&located.stdout).trim());
        // Beside the workspace lie the path dependencies that it has outside.
        if let Some(beside) = workspace.parent().and_then(Path::parent).filter(|path| path.parent().is_some()) {
            remap(beside, ".");
        }
    }
    flags
}

/// The module that cargo's messages name for this project.
fn module_of(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let lines = messages.split(|byte| *byte == b'\n');
    let parsed = lines.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let ours =
        parsed.filter(|message| message["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest));
    let files = ours.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let mut modules = files.filter_map(|file| file.as_str().map(PathBuf::from));
    modules.find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

/// Whether the toolchain on the path has the target's standard library.
fn has_target() -> bool {
    let printed = command("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    printed.is_ok_and(|printed| {
        let dir = String::from_utf8_lossy(&printed.stdout).trim().to_owned();
        printed.status.success() && fs::read_dir(dir).is_ok_and(|mut files| files.next().is_some())
    })
}

/// Lets rustup fetch the target; without a network it is stopped.
fn rustup_adds_target() -> bool {
    let mut rustup = command("rustup");
    rustup.args(["target", "add", TARGET]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = rustup.spawn() else { return false };
    let deadline = Instant::now() + Duration::from_secs(RUSTUP_SECONDS_MAX);
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(50)),
            Err(_) => return false,
        }
    }
    // It may have ended by itself by now, which is as good.
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// `rust-lld`: of the toolchain on the path, else of Debian's packages.
fn linker() -> Option<PathBuf> {
    let in_sysroot = |rustc: &str| {
        let printed = command(rustc).args(["--print", "sysroot"]).output().ok()?;
        let sysroot = PathBuf::from(String::from_utf8_lossy(&printed.stdout).trim());
        let hosts = fs::read_dir(sysroot.join("lib/rustlib")).ok()?.filter_map(Result::ok);
        hosts.map(|host| host.path().join("bin/rust-lld")).find(|path| path.exists())
    };
    let on_path = || Some(PathBuf::from("/usr/bin/wasm-ld")).filter(|path| path.exists());
    in_sysroot("rustc").or_else(|| in_sysroot(DEBIAN_RUSTC)).or_else(on_path)
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    FOREIGN_VARIABLES.iter().for_each(|variable| _ = command.env_remove(variable));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_of_the_project_is_picked_from_cargos_messages() {
        let messages = br#"{"reason":"compiler-artifact","manifest_path":"/dep/Cargo.toml","filenames":["/t/dep.wasm"]}
not json
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/libp.rlib","/t/p.wasm"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(module_of(messages, Path::new("/p/Cargo.toml")), Some(PathBuf::from("/t/p.wasm")));
        assert_eq!(module_of(messages, Path::new("/q/Cargo.toml")), None);
    }
}
