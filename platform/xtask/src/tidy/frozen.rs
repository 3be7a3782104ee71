//! Files that never change once they are out: the plugin contract and the database migrations.
//!
//! A list beside each set holds `sha256  path` a line. `cargo xtask gen` adds new files to it and changes no line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::Finding;

/// The name of every list.
pub const LIST_NAME: &str = "released.txt";

pub const FROZEN_SETS: [FrozenSet; 2] = [
    FrozenSet {
        folder: "sdk/wit",
        extension: "wit",
        instead: "add the change as a new version folder beside this one",
    },
    FrozenSet { folder: "platform/store/migrations", extension: "sql", instead: "add a new migration after it" },
];

/// Files of one ending under one folder.
pub struct FrozenSet {
    pub folder: &'static str,
    extension: &'static str,
    instead: &'static str,
}

/// Digest by path relative to the set's folder.
type Digests = BTreeMap<String, String>;

impl FrozenSet {
    pub fn list_path(&self) -> PathBuf {
        Path::new(self.folder).join(LIST_NAME)
    }

    /// The list as it should be: every recorded line, and one for each file that has none.
    pub fn complete_list(&self, root: &Path, paths: &[PathBuf]) -> Result<String> {
        let mut digests = self.digests(root, paths)?;
        digests.extend(self.recorded(root)?);
        Ok(digests.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect())
    }

    fn digests(&self, root: &Path, paths: &[PathBuf]) -> Result<Digests> {
        let mut digests = Digests::new();
        for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == self.extension)) {
            let Ok(name) = path.strip_prefix(self.folder) else { continue };
            let bytes = fs::read(root.join(path)).with_context(|| format!("cannot read {}", path.display()))?;
            digests.insert(name.display().to_string(), hex::encode(Sha256::digest(bytes)));
        }
        Ok(digests)
    }

    fn recorded(&self, root: &Path) -> Result<Digests> {
        let path = root.join(self.list_path());
        let text = if path.exists() {
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?
        } else {
            String::new()
        };
        Ok(parse_list(&text))
    }
}

pub fn check(root: &Path, paths: &[PathBuf]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for set in &FROZEN_SETS {
        findings.extend(compare(set, &set.recorded(root)?, &set.digests(root, paths)?));
    }
    Ok(findings)
}

fn parse_list(text: &str) -> Digests {
    let entry = |line: &str| line.split_once("  ").map(|(digest, path)| (path.to_owned(), digest.to_owned()));
    text.lines().filter_map(entry).collect()
}

fn compare(set: &FrozenSet, recorded: &Digests, present: &Digests) -> Vec<Finding> {
    let finding = |path: PathBuf, advice: String| Finding { path, line: 1, rule: "frozen-file", advice };
    let file = |name: &str| Path::new(set.folder).join(name);
    let mut findings = Vec::new();
    for (name, digest) in recorded {
        match present.get(name) {
            Some(now) if now == digest => {}
            Some(_) => {
                findings.push(finding(file(name), format!("it is released and must not change: {}", set.instead)))
            }
            None => findings
                .push(finding(set.list_path(), format!("'{name}' is released and must not go away: restore it"))),
        }
    }
    for name in present.keys().filter(|name| !recorded.contains_key(*name)) {
        findings.push(finding(file(name), "its digest is not recorded: run `cargo xtask gen --frozen`".to_owned()));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(entries: &[(&str, &str)]) -> Digests {
        entries.iter().map(|(path, digest)| ((*path).to_owned(), (*digest).to_owned())).collect()
    }

    fn advice(recorded: &[(&str, &str)], present: &[(&str, &str)]) -> Vec<String> {
        let findings = compare(&FROZEN_SETS[1], &digests(recorded), &digests(present));
        findings.into_iter().map(|f| f.to_string()).collect()
    }

    #[test]
    fn a_changed_migration_is_refused() {
        let found = advice(&[("sqlite/0001.sql", "aa")], &[("sqlite/0001.sql", "bb")]);
        assert_eq!(
            found,
            [
                "platform/store/migrations/sqlite/0001.sql:1: frozen-file: it is released and must not change: add a new migration after it"
            ]
        );
    }

    #[test]
    fn a_deleted_and_an_unrecorded_migration_are_refused() {
        let found = advice(&[("sqlite/0001.sql", "aa")], &[("sqlite/0002.sql", "bb")]);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("'sqlite/0001.sql' is released and must not go away"), "{found:?}");
        assert!(found[1].contains("not recorded"), "{found:?}");
    }

    #[test]
    fn recording_adds_new_files_and_keeps_old_digests() {
        let folder = tempfile::tempdir().unwrap();
        let set = &FROZEN_SETS[1];
        let paths = [PathBuf::from(set.folder).join("a.sql"), PathBuf::from(set.folder).join("b.sql")];
        fs::create_dir_all(folder.path().join(set.folder)).unwrap();
        for path in &paths {
            fs::write(folder.path().join(path), "select 1").unwrap();
        }
        fs::write(folder.path().join(set.list_path()), "old  a.sql\n").unwrap();
        let list = set.complete_list(folder.path(), &paths).unwrap();
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines[0], "old  a.sql");
        assert!(lines[1].ends_with("  b.sql") && lines[1].len() == 64 + "  b.sql".len(), "{list}");
    }
}
