use serde::{Deserialize, Serialize};

use super::below;
use crate::db::Tx;
use crate::{Result, Store};

/// Rows read in one go. Of a folder with more rows the rest is passed over by its bounds.
const CHUNK_ROWS: usize = 256;
/// After all that lies in a folder, before what follows it: the highest character there is.
const LAST: &str = "/\u{10ffff}";

/// What a folder holds by one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactEntry {
    pub name: String,
    /// None: a folder.
    pub bytes: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArtifactPage {
    /// By name.
    pub entries: Vec<ArtifactEntry>,
    /// Where the next page goes on, if there is more.
    pub next: Option<String>,
}

impl Store {
    /// What lies directly in a folder, the empty one being the root of all trees; at most `limit` entries, after the
    /// page that answered `after`. A folder that does not exist is empty.
    #[tracing::instrument(name = "db.artifacts.list", level = "debug", skip_all)]
    pub async fn list_artifacts(&self, folder: &str, after: Option<String>, limit: usize) -> Result<ArtifactPage> {
        let (first, end) = if folder.is_empty() { (String::new(), LAST[1..].to_owned()) } else { below(folder) };
        let after = after.filter(|after| *after > first && *after < end);
        let scan = Scan { folder_bytes: first.len(), end, after: after.unwrap_or(first) };
        self.query(move |tx| scan.run(tx, limit)).await
    }
}

struct Scan {
    /// Up to where paths are those of the folder, with its `/`.
    folder_bytes: usize,
    end: String,
    /// All rows up to here are behind us.
    after: String,
}

impl Scan {
    fn run(mut self, tx: &mut Tx<'_>, limit: usize) -> Result<ArtifactPage> {
        let sql = "SELECT path, bytes FROM artifacts WHERE path > $1 AND path < $2 ORDER BY path LIMIT $3";
        let mut entries = Vec::new();
        loop {
            let values = [(&self.after).into(), (&self.end).into(), (CHUNK_ROWS as i64).into()];
            let rows = tx.rows(sql, &values, |row| Ok((row.text(0)?, row.int(1)?)))?;
            let is_last = rows.len() < CHUNK_ROWS;
            for (path, bytes) in rows {
                if path <= self.after {
                    continue;
                }
                if entries.len() == limit {
                    return Ok(page(entries, Some(self.after)));
                }
                entries.push(self.pass(path, bytes));
            }
            if is_last {
                return Ok(page(entries, None));
            }
        }
    }

    /// Makes an entry of a row, and puts all rows of the same entry behind us.
    fn pass(&mut self, path: String, bytes: i64) -> ArtifactEntry {
        let inside = &path[self.folder_bytes..];
        match inside.split_once('/') {
            Some((name, _)) => {
                let entry = ArtifactEntry { name: name.to_owned(), bytes: None };
                self.after = format!("{}{name}{LAST}", &path[..self.folder_bytes]);
                entry
            }
            None => {
                let entry = ArtifactEntry { name: inside.to_owned(), bytes: Some(bytes as u64) };
                self.after = path;
                entry
            }
        }
    }
}

/// Rows come in the order of their whole paths, where `a.txt` is before what lies in `a`.
fn page(mut entries: Vec<ArtifactEntry>, next: Option<String>) -> ArtifactPage {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    ArtifactPage { entries, next }
}
