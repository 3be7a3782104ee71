//! The rules that no compiler checks. Each checker is a function from text to findings, so that its tests need no files.

mod frozen;
mod functions;
mod layers;
mod manifests;
mod names;
mod scan;
mod text;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

pub use frozen::FROZEN_SETS;

/// One broken rule, in a form that editors open: `path:line: rule: what to do`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    pub rule: &'static str,
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path.display(), self.line, self.rule, self.advice)
    }
}

/// A file of the repository, read as text.
pub struct TextFile {
    /// Relative to the root.
    pub path: PathBuf,
    pub text: String,
}

impl TextFile {
    /// A finding in this file.
    fn finding(&self, line: usize, rule: &'static str, advice: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, rule, advice: advice.into() }
    }

    /// The file's ending without the dot; empty where there is none.
    fn extension(&self) -> &str {
        self.path.extension().and_then(|e| e.to_str()).unwrap_or_default()
    }

    /// Written by a tool, so that style rules do not apply.
    fn is_generated(&self) -> bool {
        let name = self.path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.contains(".gen.")
            || name.ends_with(".lock")
            || name == "package-lock.json"
            || name == frozen::LIST_NAME
            || self.path.starts_with("sdk/openapi")
            || name.ends_with(".schema.json")
            || name.ends_with(".snap")
    }
}

/// Prints what is wrong; true where nothing is.
pub fn run(workspace: &Workspace) -> Result<bool> {
    let paths = workspace.files()?;
    let files = read_texts(&workspace.root, &paths)?;
    let mut findings = layers::check(&workspace.metadata, &workspace.root);
    findings.extend(manifests::check(&files));
    findings.extend(names::check(&paths));
    findings.extend(text::check_purposes(&files));
    for file in &files {
        findings.extend(text::check(file));
        findings.extend(names::check_modules(file));
        findings.extend(functions::check(file));
    }
    findings.extend(frozen::check(&workspace.root, &paths)?);
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => println!("tidy: {} files, nothing to do", paths.len()),
        n => println!("tidy: {} files, {n} to fix", paths.len()),
    }
    Ok(findings.is_empty())
}

/// Files that are not UTF-8, such as pictures, are left out.
fn read_texts(root: &Path, paths: &[PathBuf]) -> Result<Vec<TextFile>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = fs::read(root.join(path)).with_context(|| format!("cannot read {}", path.display()))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile { path: path.clone(), text });
        }
    }
    Ok(files)
}

#[cfg(test)]
pub(crate) fn text_file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.into(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_path_line_rule_and_what_to_do() {
        let finding = text_file("a/b.rs", "").finding(7, "file-length", "split it");
        assert_eq!(finding.to_string(), "a/b.rs:7: file-length: split it");
    }
}
