//! Where the repository is, and what cargo knows of it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};

pub struct Workspace {
    pub root: PathBuf,
    pub metadata: Metadata,
}

impl Workspace {
    /// Reads the workspace of the current folder, without the network. Where this program was compiled says nothing:
    /// clones may share a target folder.
    pub fn load() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .no_deps()
            .other_options(vec!["--offline".to_owned()])
            .exec()
            .context("cargo metadata failed")?;
        Ok(Self { root: metadata.workspace_root.clone().into_std_path_buf(), metadata })
    }

    /// Tracked and new files that git does not ignore, relative to the root, sorted.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output()
            .context("cannot run git, which lists the files to check")?;
        if !output.status.success() {
            bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        let mut files: Vec<PathBuf> = names.split_terminator('\0').map(PathBuf::from).collect();
        files.retain(|file| self.root.join(file).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// The `tiegel` binary of a profile, built now so that it is never an old one.
    pub fn build_server(&self, profile: &str) -> Result<PathBuf> {
        let status = Command::new("cargo")
            .args(["build", "--package", "tiegel-server", "--bin", "tiegel", "--profile", profile])
            .current_dir(&self.root)
            .status()
            .context("cannot run cargo")?;
        if !status.success() {
            bail!("building tiegel failed; see the messages above");
        }
        let folder = if profile == "dev" { "debug" } else { profile };
        Ok(self.metadata.target_directory.as_std_path().join(folder).join("tiegel"))
    }
}
