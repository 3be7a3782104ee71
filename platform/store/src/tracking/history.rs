use super::compact::{Series, read_point};
use super::fold::batched_points;
use super::point::merge;
use super::{Keys, Point, Scope, segment};
use crate::db::{Tx, Value};
use crate::{Result, Store};

/// Segments that one statement reads.
const SEGMENTS_READ_MAX: usize = 8;
/// Before every point: times are not negative.
const BEGINNING: Point = Point { timestamp_ms: i64::MIN, step: i64::MIN, value: f64::MIN };

#[derive(Clone, Debug)]
pub struct HistoryQuery {
    pub run: String,
    pub key: String,
    /// The last point of the page before.
    pub after: Option<Point>,
    pub points_max: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryPage {
    /// By time, step and value.
    pub points: Vec<Point>,
    /// Whether there are points after these.
    pub more: bool,
}

impl Store {
    /// A run or a metric that does not exist has no points.
    #[tracing::instrument(name = "db.metrics.history", skip_all)]
    pub async fn history(&self, scope: &Scope, query: HistoryQuery) -> Result<HistoryPage> {
        let (scope, keys) = (scope.clone(), self.keys());
        let operation = move |tx: &mut Tx<'_>| match find_series(tx, &keys, &scope, (&query.run, &query.key))? {
            Some(found) => page(tx, &found, query.after.as_ref(), query.points_max),
            None => Ok(HistoryPage::default()),
        };
        self.query(operation).await
    }
}

/// A metric, and how its points are stored besides as rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundSeries {
    pub series: Series,
    pub in_segments: bool,
    /// Those of its run are.
    pub in_batches: bool,
}

pub(super) fn find_series(
    tx: &mut Tx<'_>,
    keys: &Keys,
    scope: &Scope,
    (run, key): (&str, &str),
) -> Result<Option<FoundSeries>> {
    let Some(key) = keys.find(tx, key)? else { return Ok(None) };
    let sql = "SELECT r.id, r.project, \
               CAST(EXISTS (SELECT 1 FROM metric_segments s WHERE s.run = r.id AND s.key = $2) AS INTEGER) \
               + 2 * CAST(EXISTS (SELECT 1 FROM metric_batches b WHERE b.run = r.id) AS INTEGER) \
               + CAST(0 AS BIGINT) FROM runs r WHERE r.run_id = $1";
    let found = tx.row(sql, &[run.into(), key.into()], |row| {
        let (series, stored) = (Series { run: row.int(0)?, key }, row.int(2)?);
        let found = FoundSeries { series, in_segments: stored & 1 > 0, in_batches: stored & 2 > 0 };
        Ok(scope.sees(row.str(1)?).then_some(found))
    })?;
    Ok(found.flatten())
}

/// All points of a metric, in order.
pub(super) fn all_points(tx: &mut Tx<'_>, series: Series) -> Result<Vec<Point>> {
    let found = FoundSeries { series, in_segments: true, in_batches: true };
    Ok(page(tx, &found, None, usize::MAX)?.points)
}

fn page(tx: &mut Tx<'_>, found: &FoundSeries, after: Option<&Point>, points_max: usize) -> Result<HistoryPage> {
    let series = found.series;
    // One more, which says that there is more.
    let wanted = points_max.saturating_add(1);
    let after_all = after.unwrap_or(&BEGINNING);
    let mut points = rows_after(tx, series, after_all, wanted)?;
    if found.in_batches {
        let mut batched = batched(tx, series)?;
        batched.drain(..batched.partition_point(|point| point <= after_all));
        points = merge(&points, &batched);
    }
    if found.in_segments {
        points = merge(&segments_after(tx, series, after, wanted)?, &points);
    }
    let more = points.len() > points_max;
    points.truncate(points_max);
    Ok(HistoryPage { points, more })
}

/// The points of a metric that are in batches with those of other metrics, in order.
pub(super) fn batched(tx: &mut Tx<'_>, series: Series) -> Result<Vec<Point>> {
    Ok(batched_points(tx, series.run, Some(series.key))?.remove(&series.key).unwrap_or_default())
}

fn rows_after(tx: &mut Tx<'_>, series: Series, after: &Point, wanted: usize) -> Result<Vec<Point>> {
    let sql = "SELECT timestamp_ms, step, value, is_nan FROM metric_points \
               WHERE run = $1 AND key = $2 AND (timestamp_ms, step, value, is_nan) > ($3, $4, $5, $6) \
               ORDER BY timestamp_ms, step, value, is_nan LIMIT $7";
    tx.rows(sql, &limited(series, after, wanted), |row| read_point(&row, 0))
}

fn segments_after(tx: &mut Tx<'_>, series: Series, after: Option<&Point>, wanted: usize) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    if let Some(after) = after {
        let sql = "SELECT data FROM metric_segments \
                   WHERE run = $1 AND key = $2 AND (first_ms, first_step, first_value, first_nan) <= ($3, $4, $5, $6) \
                   ORDER BY first_ms DESC, first_step DESC, first_value DESC, first_nan DESC LIMIT 1";
        tx.for_each(sql, &series.values_from(after), |row| {
            points = segment::decode(row.bytes(0)?)?;
            Ok(())
        })?;
        points.drain(..points.partition_point(|point| point <= after));
    }
    let sql = "SELECT first_ms, first_step, first_value, first_nan, data FROM metric_segments \
               WHERE run = $1 AND key = $2 AND (first_ms, first_step, first_value, first_nan) > ($3, $4, $5, $6) \
               ORDER BY first_ms, first_step, first_value, first_nan LIMIT $7";
    let mut from = *after.unwrap_or(&BEGINNING);
    while points.len() < wanted {
        let mut read = 0;
        tx.for_each(sql, &limited(series, &from, SEGMENTS_READ_MAX), |row| {
            from = read_point(&row, 0)?;
            points.extend(segment::decode(row.bytes(4)?)?);
            read += 1;
            Ok(())
        })?;
        if read < SEGMENTS_READ_MAX {
            break;
        }
    }
    Ok(points)
}

fn limited(series: Series, point: &Point, rows: usize) -> [Value<'static>; 7] {
    let [run, key, at, step, value, nan] = series.values_from(point);
    [run, key, at, step, value, nan, i64::try_from(rows).unwrap_or(i64::MAX).into()]
}
