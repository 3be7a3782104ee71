//! Builds a plugin's project, in any of its languages, into a component that says what it was built from.

mod js;
mod python;
mod python_guest;
mod rust;
mod rust_sdk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::component;
use crate::componentize::ComponentizeError;
use crate::manifest::{FILE, Language, Manifest, ManifestError};
use crate::package::Package;
pub use python::PythonError;
use rust::{DEBIAN_PACKAGES, TARGET};

/// Why a plugin was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{} is no plugin's folder: it has no {FILE}, which `tiegel plugin new` makes", .0.display())]
    NoManifest(PathBuf),
    #[error("{} is not a cargo project: it has no Cargo.toml", .0.display())]
    NoProject(PathBuf),
    #[error(
        "no Rust toolchain here can build for {TARGET}: run `rustup target add {TARGET}`, \
         or on Debian `apt-get install {DEBIAN_PACKAGES}`"
    )]
    NoToolchain,
    #[error("cargo failed; its messages are above")]
    Cargo,
    #[error("cargo built no WebAssembly module: the project needs `[lib] crate-type = [\"cdylib\"]`")]
    NoModule,
    #[error("{} has no {entry}: name the file of the plugin's class as `entry`", .dir.display())]
    NoEntry { dir: PathBuf, entry: String },
    #[error("building a JavaScript plugin needs `{0}`: install Node.js 20 or newer, which brings npm")]
    NoNode(&'static str),
    #[error("there is no home folder to keep the tools in: set HOME")]
    NoHome,
    #[error("npm could not install the JavaScript tools; its messages are above")]
    Npm,
    #[error("the plugin's JavaScript does not build; the messages are above")]
    JavaScript,
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Componentize(#[from] ComponentizeError),
}

/// Builds the project in `dir` and writes its component to `out`; answers the component's bytes.
///
/// The compiler's messages go to stderr.
///
/// # Errors
/// When a toolchain is missing, the project does not compile, or it is no plugin.
pub fn build_plugin(dir: &Path, out: &Path) -> Result<Vec<u8>, BuildError> {
    let manifest = read_manifest(dir)?;
    let component = match manifest.build.language {
        Language::Js => js::build(dir, &manifest)?,
        Language::Rust => rust::build(dir)?,
        Language::Python => python::build(dir, &manifest)?,
    };
    component::inspect(&component).map_err(ComponentizeError::NotAPlugin)?;
    let artifacts = read_artifacts(dir, &manifest)?;
    let component = Package::new(manifest, artifacts)?.embed(&component);
    if let Some(parent) = out.parent() {
        fs::create_dir_all(parent).map_err(io_error(format!("creating {}", parent.display())))?;
    }
    fs::write(out, &component).map_err(io_error(format!("writing {}", out.display())))?;
    Ok(component)
}

fn read_manifest(dir: &Path) -> Result<Manifest, BuildError> {
    let path = dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Manifest::parse(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BuildError::NoManifest(dir.to_owned())),
        Err(source) => Err(BuildError::Io { what: format!("reading {}", path.display()), source }),
    }
}

/// The files that the manifest names, which travel with the component.
fn read_artifacts(dir: &Path, manifest: &Manifest) -> Result<BTreeMap<String, Vec<u8>>, BuildError> {
    let read = |name: &String| {
        let path = dir.join(name);
        let bytes = fs::read(&path).map_err(io_error(format!("reading the artifact {}", path.display())))?;
        Ok((name.clone(), bytes))
    };
    manifest.capabilities.artifacts.iter().map(read).collect()
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> BuildError {
    let what = what.into();
    |source| BuildError::Io { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_manifest_is_named() {
        let error = build_plugin(Path::new("/nowhere"), Path::new("/nowhere/out.wasm")).unwrap_err();
        let expected = "/nowhere is no plugin's folder: it has no tiegel-plugin.toml, which `tiegel plugin new` makes";
        assert_eq!(error.to_string(), expected);
    }
}
