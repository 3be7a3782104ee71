use crate::artifacts::below;
use crate::db::{Column, Insert, Tx, in_lists};
use crate::{Result, Store, StoreError};

/// Metrics of a run whose points go in one transaction: each has up to a thousand that are rows.
const KEYS_AT_ONCE: i64 = 32;
const BATCHES_AT_ONCE: i64 = 256;
const SEGMENTS_AT_ONCE: i64 = 256;
const FILES_AT_ONCE: i64 = 1_000;

/// What is left to remove of something that is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leftover {
    /// The points of a run.
    Run(i64),
    /// The files below an artifact URI.
    Tree(String),
}

impl Leftover {
    fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Run(id) => ("run", id.to_string()),
            Self::Tree(uri) => ("tree", uri.clone()),
        }
    }
}

impl Store {
    #[tracing::instrument(name = "db.gc.leftovers", skip_all)]
    pub async fn leftovers(&self) -> Result<Vec<Leftover>> {
        self.query(|tx| {
            tx.rows("SELECT kind, name FROM gc_leftovers ORDER BY kind, name", &[], |row| match row.str(0)? {
                "run" => Ok(Leftover::Run(row.parsed(1)?)),
                "tree" => Ok(Leftover::Tree(row.text(1)?)),
                other => Err(StoreError::Engine(format!("'{other}' is no kind of leftover"))),
            })
        })
        .await
    }

    /// It has been removed.
    pub async fn drop_leftover(&self, leftover: &Leftover) -> Result<()> {
        let leftover = leftover.clone();
        self.transact(move |tx| {
            let (kind, name) = leftover.parts();
            let sql = "DELETE FROM gc_leftovers WHERE kind = $1 AND name = $2";
            tx.execute(sql, &[kind.into(), (&name).into()])?;
            Ok(())
        })
        .await
    }

    /// Removes the points of a run that is gone, some at a time, so that writers come between.
    #[tracing::instrument(name = "db.gc.points", skip_all, fields(run))]
    pub async fn remove_points(&self, run: i64) -> Result<()> {
        let points = "DELETE FROM metric_points WHERE run = $1 AND key IN \
                      (SELECT DISTINCT key FROM metric_points WHERE run = $1 LIMIT $2)";
        let segments =
            "DELETE FROM metric_segments WHERE id IN (SELECT id FROM metric_segments WHERE run = $1 LIMIT $2)";
        let batches = "DELETE FROM metric_batches WHERE id IN (SELECT id FROM metric_batches WHERE run = $1 LIMIT $2)";
        // Batches become rows and segments, and so go first.
        for (sql, at_once) in [(batches, BATCHES_AT_ONCE), (points, KEYS_AT_ONCE), (segments, SEGMENTS_AT_ONCE)] {
            while self.transact(move |tx| tx.execute(sql, &[run.into(), at_once.into()])).await? > 0 {}
        }
        Ok(())
    }

    /// Takes the names from the files below a folder, some at a time; what lies in one of the folders of `kept` stays.
    /// Answers how many files that were; their blobs are swept.
    #[tracing::instrument(name = "db.gc.artifacts", skip_all, fields(folder))]
    pub async fn drop_artifacts(&self, folder: &str, kept: &[String]) -> Result<u64> {
        let (mut after, end) = below(folder);
        let mut dropped = 0;
        loop {
            let (first, end, kept) = (after.clone(), end.clone(), kept.to_vec());
            let page = self.transact(move |tx| drop_page(tx, (&first, &end), &kept)).await?;
            dropped += page.dropped;
            match page.last {
                Some(last) => after = last,
                None => return Ok(dropped),
            }
        }
    }

    /// How many files lie below a folder, but for those in the folders of `kept`.
    #[tracing::instrument(name = "db.gc.count_artifacts", skip_all, fields(folder))]
    pub async fn count_artifacts(&self, folder: &str, kept: &[String]) -> Result<u64> {
        let ((first, end), kept) = (below(folder), kept.to_vec());
        self.query(move |tx| {
            let mut found = 0;
            let sql = "SELECT path FROM artifacts WHERE path > $1 AND path < $2";
            tx.for_each(sql, &[(&first).into(), (&end).into()], |row| {
                found += u64::from(!is_within(row.str(0)?, &kept));
                Ok(())
            })?;
            Ok(found)
        })
        .await
    }

    /// Where files are that registered versions and logged models name: URIs, without those of models that are deleted.
    #[tracing::instrument(name = "db.gc.model_places", skip_all)]
    pub async fn model_places(&self) -> Result<Vec<String>> {
        let sql = "SELECT storage_location FROM model_versions \
                   UNION SELECT artifact_location FROM logged_models WHERE lifecycle = 'active'";
        self.query(move |tx| tx.rows(sql, &[], |row| row.text(0))).await
    }
}

pub(super) fn add<const N: usize>(tx: &mut Tx<'_>, leftovers: [Option<Leftover>; N]) -> Result<()> {
    let parts: Vec<_> = leftovers.iter().flatten().map(Leftover::parts).collect();
    let insert = Insert {
        table: "gc_leftovers",
        columns: &["kind", "name"],
        on_conflict: "ON CONFLICT (kind, name) DO NOTHING",
    };
    let (kinds, names) = parts.iter().map(|(kind, name)| (*kind, name.as_str())).unzip();
    tx.insert(&insert, &[Column::Text(kinds), Column::Text(names)])?;
    Ok(())
}

struct DroppedPage {
    dropped: u64,
    /// The last path of the page, unless it was the last page.
    last: Option<String>,
}

fn drop_page(tx: &mut Tx<'_>, (after, end): (&str, &str), kept: &[String]) -> Result<DroppedPage> {
    let sql = "SELECT path FROM artifacts WHERE path > $1 AND path < $2 ORDER BY path LIMIT $3";
    let paths = tx.rows(sql, &[after.into(), end.into(), FILES_AT_ONCE.into()], |row| row.text(0))?;
    let going: Vec<&str> = paths.iter().map(String::as_str).filter(|path| !is_within(path, kept)).collect();
    for (places, values) in in_lists(&going, 1) {
        tx.execute(&format!("DELETE FROM artifacts WHERE path IN ({places})"), &values)?;
    }
    let dropped = going.len() as u64;
    let is_last = (paths.len() as i64) < FILES_AT_ONCE;
    Ok(DroppedPage { dropped, last: if is_last { None } else { paths.last().cloned() } })
}

/// Whether a path is one of these folders or lies in one. The root holds all.
fn is_within(path: &str, folders: &[String]) -> bool {
    let holds = |folder: &String| {
        folder.is_empty()
            || path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    folders.iter().any(holds)
}
