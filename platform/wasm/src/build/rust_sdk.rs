//! The Rust SDK that this binary carries: a plugin outside of the platform's repository finds `tiegel-plugin` here.

use std::fs;
use std::path::{Path, PathBuf};

use tiegel_types::{Digest, Hasher};
use toml::{Table, Value};

use super::js::write_all;
use super::{BuildError, io_error};

macro_rules! carried {
    ($($path:literal),+ $(,)?) => {
        [$(($path, include_str!(concat!("../../../../sdk/", $path)))),+]
    };
}

const SDK: [(&str, &str); 25] = carried!(
    "wit/v1/plugin.wit",
    "rust/Cargo.toml",
    "rust/README.md",
    "rust/src/batch.rs",
    "rust/src/bindings.rs",
    "rust/src/bitmap.rs",
    "rust/src/builder.rs",
    "rust/src/category.rs",
    "rust/src/codec.rs",
    "rust/src/column.rs",
    "rust/src/error.rs",
    "rust/src/export.rs",
    "rust/src/glue.rs",
    "rust/src/host.rs",
    "rust/src/kernels.rs",
    "rust/src/kernels/scalar.rs",
    "rust/src/lib.rs",
    "rust/src/log.rs",
    "rust/src/native.rs",
    "rust/src/per_column.rs",
    "rust/src/plugin.rs",
    "rust/src/quantiles.rs",
    "rust/src/request.rs",
    "rust/src/scaling.rs",
    "rust/src/schema.rs",
);

/// What the SDK inherits: versions, features and lints.
const WORKSPACE: &str = include_str!("../../../../Cargo.toml");

/// The setting by which cargo finds the carried SDK, for a project that asks for it by version; none for one that says
/// itself where its SDK is.
pub fn patch(project: &Path) -> Result<Option<String>, BuildError> {
    let text = fs::read_to_string(project).map_err(io_error(format!("reading {}", project.display())))?;
    // What is wrong with the file cargo says better.
    let parsed: Table = text.parse().unwrap_or_default();
    let asked = parsed.get("dependencies").and_then(|all| all.get("tiegel-plugin"));
    let is_by_version = match asked {
        Some(Value::Table(table)) => !["path", "git", "workspace"].iter().any(|key| table.contains_key(*key)),
        asked => asked.is_some(),
    };
    if !is_by_version {
        return Ok(None);
    }
    let sdk = unpack()?.join("rust");
    // A path in single quotes is taken as it is.
    Ok(Some(format!("patch.crates-io.tiegel-plugin.path='{}'", sdk.display())))
}

/// The folder of the SDK, written on the first build of this version of the binary.
fn unpack() -> Result<PathBuf, BuildError> {
    let home = std::env::home_dir().ok_or(BuildError::NoHome)?;
    let cache = home.join(".cache/tiegel/rust");
    let workspace = workspace();
    let folder = cache.join(fingerprint(&workspace).short());
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(&cache).map_err(io_error(format!("creating {}", cache.display())))?;
    let fresh = tempfile::Builder::new().prefix("unpacking-").tempdir_in(&cache);
    let fresh = fresh.map_err(io_error(format!("creating a folder in {}", cache.display())))?;
    write_all(fresh.path(), &SDK)?;
    write_all(fresh.path(), &[("Cargo.toml", &workspace)])?;
    // Another build may have been faster: its folder holds the same.
    match fs::rename(fresh.path(), &folder) {
        Ok(()) => _ = fresh.keep(),
        Err(_) if folder.is_dir() => {}
        Err(source) => return Err(io_error(format!("creating {}", folder.display()))(source)),
    }
    Ok(folder)
}

/// The platform's workspace with the SDK as its only member.
fn workspace() -> String {
    let mut all: Table = WORKSPACE.parse().expect("the workspace's manifest is TOML");
    let mut kept = Table::new();
    if let Some(Value::Table(mut workspace)) = all.remove("workspace") {
        for key in ["resolver", "package", "lints"] {
            kept.extend(workspace.remove(key).map(|value| (key.to_owned(), value)));
        }
        if let Some(Value::Table(mut dependencies)) = workspace.remove("dependencies") {
            dependencies.retain(|_, value| value.get("path").is_none());
            kept.insert("dependencies".to_owned(), Value::Table(dependencies));
        }
    }
    kept.insert("members".to_owned(), Value::Array(vec!["rust".into()]));
    Table::from_iter([("workspace".to_owned(), Value::Table(kept))]).to_string()
}

fn fingerprint(workspace: &str) -> Digest {
    let mut hasher = Hasher::default();
    for (path, text) in SDK.iter().chain(&[("Cargo.toml", workspace)]) {
        hasher.update(path.as_bytes());
        hasher.update(&text.len().to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_carries_every_file_of_the_sdk() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust/src");
        for (below, prefix) in [(folder.clone(), "rust/src"), (folder.join("kernels"), "rust/src/kernels")] {
            for file in fs::read_dir(below).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file()) {
                let path = format!("{prefix}/{}", file.file_name().unwrap().display());
                assert!(SDK.iter().any(|(carried, _)| *carried == path), "{path} is missing in SDK");
            }
        }
    }

    #[test]
    fn only_a_project_that_asks_for_the_sdk_by_version_gets_the_carried_one() {
        let dir = tempfile::tempdir().unwrap();
        let asked = |dependency: &str| {
            let path = dir.path().join("Cargo.toml");
            fs::write(&path, format!("[dependencies]\n{dependency}")).unwrap();
            patch(&path).unwrap()
        };
        assert_eq!(asked("tiegel-plugin = { path = \"x\" }"), None);
        assert_eq!(asked("tiegel-plugin.workspace = true"), None);
        assert_eq!(asked("serde = \"1\""), None);
        assert!(asked("tiegel-plugin = \"0.1\"").unwrap().starts_with("patch.crates-io.tiegel-plugin.path='/"));
    }
}
