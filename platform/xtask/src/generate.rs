//! Every generated file that is committed, written by one command.

mod contract;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tidy::FROZEN_SETS;
use crate::workspace::Workspace;

/// What the binary prints, and the file that keeps it.
const DOCUMENTS: [(&[&str], &str); 3] = [
    (&["openapi"], "sdk/openapi/platform.json"),
    (&["config", "schema"], "deploy/config.schema.json"),
    (&["schema"], "deploy/project.schema.json"),
];
const CONTRACT: &str = "sdk/wit/v1";
const CONTRACT_TYPES: &str = "sdk/js/src/contract.gen.ts";
const WEB_SCHEMA: &str = "web/src/api/schema.gen.ts";

pub struct Options {
    pub check: bool,
    pub bin: Option<PathBuf>,
    pub frozen: bool,
}

/// Writes what is out of date. With `check` it writes nothing and answers false where something is.
pub fn run(workspace: &Workspace, options: Options) -> Result<bool> {
    let mut files = Vec::new();
    let paths = workspace.files()?;
    for set in &FROZEN_SETS {
        files.push(Generated { path: set.list_path(), text: set.complete_list(&workspace.root, &paths)? });
    }
    let types = contract::typescript(&workspace.root.join(CONTRACT))?;
    files.push(Generated { path: CONTRACT_TYPES.into(), text: types });
    if !options.frozen {
        let bin = options.bin.map_or_else(|| workspace.build_server("dev"), Ok)?;
        for (args, path) in DOCUMENTS {
            files.push(Generated { path: path.into(), text: capture(&bin, args)? });
        }
    }
    let mut is_current = true;
    for file in &files {
        is_current &= file.settle(&workspace.root, options.check)?;
    }
    if !options.frozen && workspace.root.join("web/node_modules").exists() {
        is_current &= settle_web(&workspace.root, options.check)?;
    }
    Ok(is_current)
}

struct Generated {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

impl Generated {
    /// True where the file was right already, or was put right.
    fn settle(&self, root: &Path, check: bool) -> Result<bool> {
        let path = root.join(&self.path);
        let is_empty_set = self.text.is_empty() && !path.exists();
        if is_empty_set || fs::read_to_string(&path).is_ok_and(|old| old == self.text) {
            return Ok(true);
        }
        if check {
            say_stale(&self.path);
            return Ok(false);
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, &self.text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("gen: wrote {}", self.path.display());
        Ok(true)
    }
}

fn say_stale(path: &Path) {
    println!("{}:1: generated: out of date: run `cargo xtask gen`", path.display());
}

fn capture(bin: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new(bin).args(args).output().with_context(|| format!("cannot run {}", bin.display()))?;
    if !output.status.success() {
        bail!("`tiegel {}` failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout).with_context(|| format!("`tiegel {}` is not UTF-8", args.join(" ")))?;
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

/// The web client's types come from the OpenAPI document by a tool of its own, which writes its file in place.
fn settle_web(root: &Path, check: bool) -> Result<bool> {
    let path = root.join(WEB_SCHEMA);
    let before = fs::read(&path).ok();
    let status = Command::new("npm").args(["run", "--silent", "gen"]).current_dir(root.join("web")).status();
    if !status.context("cannot run npm")?.success() {
        bail!("`npm run gen` failed in web; see the messages above");
    }
    let is_same = fs::read(&path).ok() == before;
    if check && !is_same {
        say_stale(Path::new(WEB_SCHEMA));
        match before {
            Some(bytes) => fs::write(&path, bytes)?,
            None => fs::remove_file(&path)?,
        }
    } else if !is_same {
        println!("gen: wrote {WEB_SCHEMA}");
    }
    Ok(is_same || !check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checking_reports_an_old_file_and_leaves_it() {
        let root = tempfile::tempdir().unwrap();
        let file = Generated { path: "a/b.json".into(), text: "new\n".into() };
        assert!(!file.settle(root.path(), true).unwrap());
        assert!(!root.path().join("a/b.json").exists());
        assert!(file.settle(root.path(), false).unwrap());
        assert_eq!(fs::read_to_string(root.path().join("a/b.json")).unwrap(), "new\n");
        assert!(file.settle(root.path(), true).unwrap());
    }

    #[test]
    fn a_command_that_fails_is_named_with_its_message() {
        let error = capture(Path::new("sh"), &["-c", "echo no such thing >&2; exit 3"]).unwrap_err();
        assert!(error.to_string().ends_with("failed: no such thing"), "{error}");
    }
}
