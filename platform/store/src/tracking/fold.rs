//! From batches to segments, a few metrics at a time, so that no operation takes long.
//!
//! While a fold lasts, points are in both: who reads a history joins what is there twice. So a fold that a crash ended just
//! begins again, and how far it came need not be stored.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::Point;
use super::compact::{Series, add};
use super::latest::put_rows;
use super::wide::Wide;
use crate::db::Tx;
use crate::{Result, Store};

/// Batches of a run from which on they are folded.
const BATCHES_MAX: i64 = 256;
/// Batches that one fold moves.
const FOLDED_MAX: i64 = 512;
/// Metrics that one operation folds; more where more batches have come together.
const METRICS_MIN: usize = 32;
/// Points of a metric that make a segment; fewer become rows.
const SEGMENT_POINTS_MIN: usize = 64;

/// The folds of this process, by run. One that somebody is at is there without its state.
#[derive(Debug, Default)]
pub(crate) struct Folds(Mutex<HashMap<i64, Option<Fold>>>);

#[derive(Clone, Debug)]
struct Fold {
    /// What it moves, and deletes at its end: just these, as on Postgres a batch with a smaller id may come later.
    batches: Arc<HashSet<i64>>,
    /// The first key that is still to come.
    from: i64,
}

/// The right to go on with a fold. It leaves the next state behind when it is dropped, for whatever reason.
struct FoldTurn<'f> {
    folds: &'f Folds,
    run: i64,
    fold: Option<Fold>,
}

impl Folds {
    /// None while another operation of this process is at it.
    fn turn(&self, run: i64) -> Option<FoldTurn<'_>> {
        let mut folds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fold = match folds.insert(run, None) {
            Some(None) => return None,
            Some(Some(fold)) => Some(fold),
            None => None,
        };
        Some(FoldTurn { folds: self, run, fold })
    }
}

impl Drop for FoldTurn<'_> {
    fn drop(&mut self) {
        let mut folds = self.folds.0.lock().unwrap_or_else(PoisonError::into_inner);
        match self.fold.take() {
            Some(fold) => _ = folds.insert(self.run, Some(fold)),
            None => _ = folds.remove(&self.run),
        }
    }
}

/// Adds a batch to a run. Answers whether its batches are to be folded.
pub(super) fn put_batch(tx: &mut Tx<'_>, run: i64, data: &[u8]) -> Result<bool> {
    let sql = "INSERT INTO metric_batches (run, data) VALUES ($1, $2) \
               RETURNING (SELECT COUNT(*) FROM metric_batches WHERE run = $1)";
    let before = tx.row(sql, &[run.into(), data.into()], |row| row.int(0))?;
    Ok(before.is_some_and(|before| before >= BATCHES_MAX))
}

/// The points that are in batches with those of other metrics, by metric and in order. Of one metric, or of all.
pub(super) fn batched_points(tx: &mut Tx<'_>, run: i64, key: Option<i64>) -> Result<BTreeMap<i64, Vec<Point>>> {
    let mut batched: BTreeMap<i64, Vec<Point>> = BTreeMap::new();
    let (from, until) = key.map_or((i64::MIN, i64::MAX), |key| (key, key + 1));
    tx.for_each("SELECT data FROM metric_batches WHERE run = $1", &[run.into()], |row| {
        for (key, point) in Wide::decode(row.bytes(0)?)?.between(from, until) {
            batched.entry(key).or_default().push(point);
        }
        Ok(())
    })?;
    for points in batched.values_mut() {
        points.sort_unstable();
        points.dedup();
    }
    Ok(batched)
}

impl Store {
    /// Begins a fold of a run's batches, or goes on with it for a while.
    #[tracing::instrument(name = "db.metrics.fold", level = "debug", skip_all)]
    pub(super) async fn fold_batches(&self, run: i64) -> Result<()> {
        let Some(mut turn) = self.folds().turn(run) else { return Ok(()) };
        let begun = turn.fold.take();
        turn.fold = self.transact(move |tx| go_on(tx, run, begun)).await?;
        Ok(())
    }
}

/// Folds the next metrics. None once there are no more.
fn go_on(tx: &mut Tx<'_>, run: i64, begun: Option<Fold>) -> Result<Option<Fold>> {
    let Some(fold) = begun.map_or_else(|| begin(tx, run), |fold| Ok(Some(fold)))? else { return Ok(None) };
    let (mut stored, mut all) = (Vec::new(), 0);
    tx.for_each("SELECT id, data FROM metric_batches WHERE run = $1 ORDER BY id", &[run.into()], |row| {
        all += 1;
        if fold.batches.contains(&row.int(0)?) {
            stored.push(row.bytes(1)?.to_vec());
        }
        Ok(())
    })?;
    let batches: Vec<Wide<'_>> = stored.iter().map(|data| Wide::decode(data)).collect::<Result<_>>()?;
    // More metrics at once where batches come faster than they go.
    let metrics = METRICS_MIN * usize::try_from(all / BATCHES_MAX).unwrap_or(1).max(1);
    let keys = next_keys(&batches, fold.from, metrics);
    let Some(last) = keys.last().copied() else {
        delete(tx, &fold.batches)?;
        return Ok(None);
    };
    let mut points: BTreeMap<i64, Vec<Point>> = BTreeMap::new();
    for (key, point) in batches.iter().flat_map(|batch| batch.between(fold.from, last + 1)) {
        points.entry(key).or_default().push(point);
    }
    for (key, mut points) in points {
        points.sort_unstable();
        points.dedup();
        put(tx, Series { run, key }, &points)?;
    }
    Ok(Some(Fold { from: last + 1, ..fold }))
}

fn begin(tx: &mut Tx<'_>, run: i64) -> Result<Option<Fold>> {
    let sql = "SELECT id FROM metric_batches WHERE run = $1 ORDER BY id LIMIT $2";
    let ids = tx.rows(sql, &[run.into(), FOLDED_MAX.into()], |row| row.int(0))?;
    let is_due = ids.len() as i64 >= BATCHES_MAX;
    Ok(is_due.then(|| Fold { batches: Arc::new(ids.into_iter().collect()), from: i64::MIN }))
}

fn delete(tx: &mut Tx<'_>, batches: &HashSet<i64>) -> Result<()> {
    let ids: Vec<i64> = batches.iter().copied().collect();
    let (places, values) = super::one_of(&ids, 1);
    tx.execute(&format!("DELETE FROM metric_batches WHERE id IN {places}"), &values)?;
    Ok(())
}

/// The least keys from one on.
fn next_keys(batches: &[Wide<'_>], from: i64, keys_max: usize) -> BTreeSet<i64> {
    let mut keys = BTreeSet::new();
    for batch in batches {
        for key in batch.keys_from(from) {
            let is_full = keys.len() >= keys_max;
            if is_full && keys.last().is_some_and(|last| key >= *last) {
                break;
            }
            if keys.insert(key) && is_full {
                keys.pop_last();
            }
        }
    }
    keys
}

fn put(tx: &mut Tx<'_>, series: Series, points: &[Point]) -> Result<()> {
    if points.len() >= SEGMENT_POINTS_MIN {
        return add(tx, series, points);
    }
    let sql = "UPDATE latest_metrics SET tail = tail + $3 WHERE run = $1 AND key = $2";
    let [run, key] = series.values();
    tx.execute(sql, &[run, key, (points.len() as i64).into()])?;
    put_rows(tx, series.run, &points.iter().map(|point| (series.key, *point)).collect::<Vec<_>>())
}
