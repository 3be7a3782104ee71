//! A TypeScript or JavaScript file becomes a component.
//!
//! esbuild bundles it with the SDK, which this binary carries, and componentize-qjs puts the bundle into QuickJS. Both
//! are npm packages at the versions of a lock file, installed once for each version of this binary into the user's cache
//! folder. The crate of componentize-qjs is not linked in: it brings a newer wasmtime with WASI of its own.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use tiegel_types::{Digest, Hasher};

use super::{BuildError, io_error};
use crate::manifest::{Manifest, World};

/// Where a plugin's class is, if the manifest does not say.
const ENTRIES: [&str; 2] = ["plugin.ts", "plugin.js"];

/// How node and npm are called.
const NODE: &str = "node";
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

macro_rules! carried {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        [$(($path, include_str!(concat!("../../../../", $folder, "/", $path)))),+]
    };
}

/// The tools' versions and the script that drives them.
const TOOLCHAIN: [(&str, &str); 3] = carried!("sdk/js/toolchain": "package.json", "package-lock.json", "build.mjs");

const CONTRACT: [(&str, &str); 1] = carried!("sdk/wit/v1": "plugin.wit");

const SDK: [(&str, &str); 17] = carried!("sdk/js":
    "package.json",
    "src/batch.ts",
    "src/bitmap.ts",
    "src/codec.ts",
    "src/column.ts",
    "src/component.ts",
    "src/config.ts",
    "src/contract.gen.ts",
    "src/error.ts",
    "src/host.ts",
    "src/index.ts",
    "src/json_schema.ts",
    "src/plugin.ts",
    "src/prelude.ts",
    "src/schema.ts",
    "src/testing.ts",
    "src/utf8.ts",
);

/// Builds the plugin in `dir`; answers its component.
///
/// What is wrong with the plugin's code goes to stderr, with file and line.
///
/// # Errors
/// When node or npm is missing, the tools cannot be installed, or the plugin does not build.
pub fn build(dir: &Path, manifest: &Manifest) -> Result<Vec<u8>, BuildError> {
    let dir = dir.canonicalize().map_err(io_error(format!("opening {}", dir.display())))?;
    let entry = entry(&dir, manifest)?;
    let tools = Tools::install()?;
    let component = tools.componentize(&dir, &entry, manifest)?;
    tools.link_sdk(&dir);
    Ok(component)
}

fn entry(dir: &Path, manifest: &Manifest) -> Result<String, BuildError> {
    let said = manifest.build.entry.as_deref();
    let mut candidates = said.map_or(ENTRIES.as_slice().to_vec(), |entry| vec![entry]).into_iter();
    let found = candidates.find(|entry| dir.join(entry).is_file());
    found.map(str::to_owned).ok_or_else(|| BuildError::NoEntry {
        dir: dir.to_owned(),
        entry: said.unwrap_or("plugin.ts or plugin.js").to_owned(),
    })
}

/// A folder with the tools and the SDK.
struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Those in the cache folder; where they are not there yet, npm fetches them.
    fn install() -> Result<Self, BuildError> {
        let folder = cache_folder()?.join(fingerprint().short());
        if folder.is_dir() {
            return Ok(Self { folder });
        }
        let cache = folder.parent().unwrap_or(&folder);
        fs::create_dir_all(cache).map_err(io_error(format!("creating {}", cache.display())))?;
        let fresh = tempfile::Builder::new().prefix("installing-").tempdir_in(cache);
        let fresh = fresh.map_err(io_error(format!("creating a folder in {}", cache.display())))?;
        write_all(fresh.path(), &TOOLCHAIN)?;
        write_all(&fresh.path().join("wit"), &CONTRACT)?;
        write_all(&fresh.path().join("sdk"), &SDK)?;
        npm_install(fresh.path())?;
        bundle_sdk(fresh.path())?;
        // Another build may have been faster: its folder holds the same.
        match fs::rename(fresh.path(), &folder) {
            Ok(()) => _ = fresh.keep(),
            Err(_) if folder.is_dir() => {}
            Err(source) => return Err(io_error(format!("creating {}", folder.display()))(source)),
        }
        Ok(Self { folder })
    }

    fn componentize(&self, dir: &Path, entry: &str, manifest: &Manifest) -> Result<Vec<u8>, BuildError> {
        let out = tempfile::NamedTempFile::new().map_err(io_error("creating a temporary file"))?;
        let request = json!({
            "dir": dir,
            "entry": entry,
            "sdk": self.folder.join("sdk"),
            "wit": self.folder.join("wit"),
            "world": world(manifest.world),
            "about": { "name": manifest.name, "version": manifest.version, "summary": manifest.summary },
            "out": out.path(),
        });
        let mut node = Command::new(NODE);
        node.arg(self.folder.join("build.mjs")).arg(request.to_string());
        node.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        let status = node.status().map_err(missing(NODE))?;
        if !status.success() {
            return Err(BuildError::JavaScript);
        }
        fs::read(out.path()).map_err(io_error("reading the component"))
    }

    /// Puts the SDK where node and editors look for it, unless the project installed it: tests run without npm then.
    fn link_sdk(&self, dir: &Path) {
        let (link, sdk) = (dir.join("node_modules/@tiegel/plugin"), self.folder.join("sdk"));
        let is_of_another_version = self
            .folder
            .parent()
            .is_some_and(|cache| fs::read_link(&link).is_ok_and(|old| old.starts_with(cache) && old != sdk));
        if link.exists() && !is_of_another_version {
            return;
        }
        // The build does not need it, and a folder that cannot be written to is no reason to fail.
        let _ = link.parent().map(fs::create_dir_all);
        let _ = fs::remove_file(&link);
        #[cfg(unix)]
        let _ = std::os::unix::fs::symlink(&sdk, &link);
    }
}

/// Of all that the folder of tools is made from.
fn fingerprint() -> Digest {
    let mut hasher = Hasher::default();
    for (path, text) in TOOLCHAIN.iter().chain(&CONTRACT).chain(&SDK) {
        hasher.update(path.as_bytes());
        hasher.update(&text.len().to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finish()
}

fn cache_folder() -> Result<PathBuf, BuildError> {
    let home = std::env::home_dir().ok_or(BuildError::NoHome)?;
    Ok(home.join(".cache/tiegel/js"))
}

pub(super) fn write_all(folder: &Path, files: &[(&str, &str)]) -> Result<(), BuildError> {
    for (name, text) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(io_error(format!("creating {}", parent.display())))?;
        fs::write(&path, text).map_err(io_error(format!("writing {}", path.display())))?;
    }
    Ok(())
}

/// The lock file's packages, by their digests; none of them may run a script. `npm ci` would refuse the lock: three of the
/// platforms that componentize-qjs lists have no package in this version.
fn npm_install(folder: &Path) -> Result<(), BuildError> {
    let mut npm = Command::new(NPM);
    npm.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]);
    let status = npm.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).status().map_err(missing(NPM))?;
    if status.success() { Ok(()) } else { Err(BuildError::Npm) }
}

/// The SDK as JavaScript, for tests under node.
fn bundle_sdk(folder: &Path) -> Result<(), BuildError> {
    let mut esbuild = Command::new(NODE);
    esbuild.arg("node_modules/esbuild/bin/esbuild");
    esbuild.args(["sdk/src/index.ts", "sdk/src/testing.ts", "--bundle", "--splitting", "--format=esm"]);
    esbuild.args(["--outdir=sdk/dist", "--log-level=error"]);
    let status = esbuild.current_dir(folder).stdin(Stdio::null()).status().map_err(missing(NODE))?;
    if status.success() { Ok(()) } else { Err(BuildError::JavaScript) }
}

fn missing(program: &'static str) -> impl FnOnce(std::io::Error) -> BuildError {
    move |source| match source.kind() {
        ErrorKind::NotFound => BuildError::NoNode(program),
        _ => io_error(format!("starting {program}"))(source),
    }
}

fn world(world: World) -> &'static str {
    match world {
        World::Transform => "transform",
        World::Estimator => "estimator",
        World::RequestProcessor => "request-processor",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(entry: &str) -> Manifest {
        let text = format!(
            "name = \"x\"\nversion = \"1.0.0\"\nworld = \"transform\"\nsummary = \"\"\n[build]\nlanguage = \"js\"\n{entry}"
        );
        Manifest::parse(&text).unwrap()
    }

    #[test]
    fn the_binary_carries_every_file_of_the_sdk() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/js/src");
        for file in fs::read_dir(folder).unwrap() {
            let path = format!("src/{}", file.unwrap().file_name().display());
            assert!(SDK.iter().any(|(carried, _)| *carried == path), "{path} is missing in SDK");
        }
    }

    #[test]
    fn the_entry_is_the_manifests_or_one_of_the_usual() {
        let dir = tempfile::tempdir().unwrap();
        let missing = entry(dir.path(), &manifest("")).unwrap_err().to_string();
        assert!(missing.ends_with("has no plugin.ts or plugin.js: name the file of the plugin's class as `entry`"));
        fs::write(dir.path().join("plugin.js"), "").unwrap();
        assert_eq!(entry(dir.path(), &manifest("")).unwrap(), "plugin.js");
        let named = entry(dir.path(), &manifest("entry = \"src/a.ts\"")).unwrap_err().to_string();
        assert!(named.contains("has no src/a.ts"), "{named}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = missing("node")(std::io::Error::from(ErrorKind::NotFound)).to_string();
        assert_eq!(error, "building a JavaScript plugin needs `node`: install Node.js 20 or newer, which brings npm");
    }
}
