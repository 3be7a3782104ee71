//! What was moved already, so that a move that was interrupted goes on where it was, and a second one moves what is new.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tiegel_types::Digest;
use tiegel_types::transfer::Counts;

/// A file of JSON lines: what is moved from where to where, then one line for each thing that has been moved whole.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Mutex<Inside>>);

#[derive(Debug)]
struct Inside {
    path: PathBuf,
    file: File,
    done: HashMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    from: String,
    to: String,
    project: String,
}

/// A thing that was moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub unit: String,
    /// Of the thing as it was at the source.
    pub mark: Digest,
    pub counts: Counts,
    /// Where its files are now, below the artifact folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What it is called now, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Journal {
    /// A file name of its own for each pair of servers, in the working directory.
    pub fn default_path(verb: &str, from: &str, to: &str, project: &str) -> PathBuf {
        let digest = Digest::of_json(&serde_json::json!([from, to, project]));
        PathBuf::from(format!("tiegel-{verb}-{}.jsonl", &digest.hex()[..12]))
    }

    /// Opens a journal, or begins one. One of another move is refused.
    pub fn open(path: &Path, from: &str, to: &str, project: &str) -> anyhow::Result<Self> {
        let header = Header { from: from.to_owned(), to: to.to_owned(), project: project.to_owned() };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = file.with_context(|| format!("cannot write to {}", path.display()))?;
        let (old, done, complete_bytes) = read(&file).with_context(|| format!("cannot read {}", path.display()))?;
        // A line that was being written when the process ended.
        file.set_len(complete_bytes)?;
        file.seek(SeekFrom::End(0))?;
        match old {
            Some(old) if old != header => bail!(
                "{} is of another move, from {} to {} (project {}); name another file with --state, or remove it",
                path.display(),
                old.from,
                old.to,
                old.project
            ),
            Some(_) => {}
            None => write(&mut file, &header)?,
        }
        Ok(Self(Arc::new(Mutex::new(Inside { path: path.to_owned(), file, done }))))
    }

    pub fn path(&self) -> PathBuf {
        self.inside().path.clone()
    }

    /// The entry of a thing that was moved as it is now.
    pub fn find(&self, unit: &str, mark: &Digest) -> Option<Entry> {
        self.inside().done.get(unit).filter(|entry| entry.mark == *mark).cloned()
    }

    /// The entry of a thing, whatever it was like.
    pub fn last(&self, unit: &str) -> Option<Entry> {
        self.inside().done.get(unit).cloned()
    }

    pub fn write(&self, entry: Entry) -> anyhow::Result<()> {
        let mut inside = self.inside();
        write(&mut inside.file, &entry)?;
        inside.done.insert(entry.unit.clone(), entry);
        Ok(())
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(file: &mut File, line: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    file.write_all(text.as_bytes()).context("cannot write to the journal")
}

/// The header, the last entry of each thing, and the length of all whole lines.
fn read(file: &File) -> anyhow::Result<(Option<Header>, HashMap<String, Entry>, u64)> {
    let (mut reader, mut line) = (BufReader::new(file), String::new());
    let (mut header, mut done, mut bytes) = (None, HashMap::new(), 0);
    while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
        if header.is_none() {
            header = Some(serde_json::from_str(&line)?);
        } else {
            let entry: Entry = serde_json::from_str(&line)?;
            done.insert(entry.unit.clone(), entry);
        }
        bytes += line.len() as u64;
        line.clear();
    }
    Ok((header, done, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(unit: &str, text: &str) -> Entry {
        let counts = Counts { runs: 1, ..Counts::default() };
        Entry {
            unit: unit.to_owned(),
            mark: Digest::of_json(&serde_json::json!(text)),
            counts,
            place: None,
            name: None,
        }
    }

    #[test]
    fn what_was_moved_is_known_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = Journal::open(&path, "a", "b", "default").unwrap();
        journal.write(entry("run/1", "old")).unwrap();
        journal.write(entry("run/1", "new")).unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"unit\":\"run/2\",\"ma").unwrap();

        let journal = Journal::open(&path, "a", "b", "default").unwrap();
        let (old, new) = (entry("run/1", "old"), entry("run/1", "new"));
        assert_eq!(journal.find("run/1", &new.mark), Some(new));
        assert_eq!(journal.find("run/1", &old.mark), None, "it changed since");
        assert_eq!(journal.last("run/2"), None);
        journal.write(entry("run/2", "x")).unwrap();
        drop(journal);
        assert!(Journal::open(&path, "a", "b", "default").unwrap().last("run/2").is_some());
    }

    #[test]
    fn the_journal_of_another_move_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Journal::open(&path, "a", "b", "default").unwrap();
        let error = Journal::open(&path, "a", "c", "default").unwrap_err().to_string();
        assert!(error.contains("another move, from a to b"), "{error}");
        assert_ne!(Journal::default_path("import", "a", "b", "p"), Journal::default_path("import", "a", "b", "q"));
    }
}
