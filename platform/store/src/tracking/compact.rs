//! From rows to segments. The caller has written the metric's row in `latest_metrics`, and so holds its lock.

use super::point::merge;
use super::{Point, pyramid, segment};
use crate::db::{Column, Insert, Row, Tx, Value};
use crate::{Result, StoreError};

/// Rows of a metric from which on they become segments.
pub(crate) const TAIL_POINTS_MAX: i64 = 1_024;

/// One metric of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    pub run: i64,
    pub key: i64,
}

impl Series {
    pub fn values(self) -> [Value<'static>; 2] {
        [self.run.into(), self.key.into()]
    }

    /// Its own values and those of a point.
    pub fn values_from(self, point: &Point) -> [Value<'static>; 6] {
        let [run, key] = self.values();
        let (at, step) = (point.timestamp_ms.into(), point.step.into());
        [run, key, at, step, point.finite().into(), point.is_nan().into()]
    }
}

/// Moves the metric's rows, and new points in order, into segments. Only segments that get points are written.
pub(crate) fn add(tx: &mut Tx<'_>, series: Series, points: &[Point]) -> Result<()> {
    let incoming = merge(&tail(tx, series)?, points);
    let Some(first) = incoming.first() else { return Ok(()) };
    let segments = segments_from(tx, series, first)?;
    if segments.is_empty() {
        put(tx, series, &incoming)?;
    }
    let mut rest = &incoming[..];
    for (at, (id, _)) in segments.iter().enumerate() {
        let end = segments.get(at + 1).map_or(rest.len(), |(_, next)| rest.partition_point(|point| point < next));
        let (own, after) = rest.split_at(end);
        join(tx, series, *id, own)?;
        rest = after;
    }
    tx.execute("DELETE FROM metric_points WHERE run = $1 AND key = $2", &series.values())?;
    tx.execute("UPDATE latest_metrics SET tail = 0 WHERE run = $1 AND key = $2", &series.values())?;
    Ok(())
}

/// The points that are rows, in order.
fn tail(tx: &mut Tx<'_>, series: Series) -> Result<Vec<Point>> {
    let sql = "SELECT timestamp_ms, step, value, is_nan FROM metric_points WHERE run = $1 AND key = $2 \
               ORDER BY timestamp_ms, step, value, is_nan";
    tx.rows(sql, &series.values(), |row| read_point(&row, 0))
}

/// The segment that a point belongs to, and all after it, each with its first point.
fn segments_from(tx: &mut Tx<'_>, series: Series, point: &Point) -> Result<Vec<(i64, Point)>> {
    let read = |row: Row<'_>| Ok((row.int(0)?, read_point(&row, 1)?));
    let before = "SELECT id, first_ms, first_step, first_value, first_nan FROM metric_segments \
                  WHERE run = $1 AND key = $2 AND (first_ms, first_step, first_value, first_nan) <= ($3, $4, $5, $6) \
                  ORDER BY first_ms DESC, first_step DESC, first_value DESC, first_nan DESC LIMIT 1";
    let mut segments = tx.rows(before, &series.values_from(point), read)?;
    let after = "SELECT id, first_ms, first_step, first_value, first_nan FROM metric_segments \
                 WHERE run = $1 AND key = $2 AND (first_ms, first_step, first_value, first_nan) > ($3, $4, $5, $6) \
                 ORDER BY first_ms, first_step, first_value, first_nan";
    segments.extend(tx.rows(after, &series.values_from(point), read)?);
    Ok(segments)
}

fn join(tx: &mut Tx<'_>, series: Series, id: i64, points: &[Point]) -> Result<()> {
    let (Some(first), values) = (points.first(), [id.into()]) else { return Ok(()) };
    let old =
        tx.row("SELECT data FROM metric_segments WHERE id = $1", &values, |row| segment::decode(row.bytes(0)?))?;
    let old = old.ok_or_else(|| StoreError::Engine(format!("segment {id} of a metric is gone")))?;
    if old.len() >= segment::SEGMENT_POINTS_MAX && old.last() < Some(first) {
        return put(tx, series, points);
    }
    tx.execute("DELETE FROM metric_segments WHERE id = $1", &values)?;
    put(tx, series, &merge(&old, points))
}

fn put(tx: &mut Tx<'_>, series: Series, points: &[Point]) -> Result<()> {
    let chunks: Vec<&[Point]> = points.chunks(segment::SEGMENT_POINTS_MAX).collect();
    let firsts: Vec<Point> = chunks.iter().map(|points| points[0]).collect();
    let steps: Vec<(i64, i64)> = chunks.iter().map(|points| step_range(points)).collect();
    let summaries: Vec<Vec<u8>> = chunks.iter().map(|points| pyramid::encode(points)).collect();
    let data: Vec<Vec<u8>> = chunks.iter().map(|points| segment::encode(points)).collect();
    let insert = Insert {
        table: "metric_segments",
        columns: &[
            "run",
            "key",
            "first_ms",
            "first_step",
            "first_value",
            "first_nan",
            "points",
            "step_min",
            "step_max",
            "summary",
            "data",
        ],
        on_conflict: "",
    };
    let columns = [
        Column::Same(series.run.into(), chunks.len()),
        Column::Same(series.key.into(), chunks.len()),
        Column::Int(firsts.iter().map(|point| point.timestamp_ms).collect()),
        Column::Int(firsts.iter().map(|point| point.step).collect()),
        Column::Real(firsts.iter().map(Point::finite).collect()),
        Column::Int(firsts.iter().map(|point| i64::from(point.is_nan())).collect()),
        Column::Int(chunks.iter().map(|points| points.len() as i64).collect()),
        Column::Int(steps.iter().map(|(min, _)| *min).collect()),
        Column::Int(steps.iter().map(|(_, max)| *max).collect()),
        Column::Bytes(summaries.iter().map(Vec::as_slice).collect()),
        Column::Bytes(data.iter().map(Vec::as_slice).collect()),
    ];
    tx.insert(&insert, &columns)?;
    Ok(())
}

fn step_range(points: &[Point]) -> (i64, i64) {
    points.iter().fold((i64::MAX, i64::MIN), |(min, max), point| (min.min(point.step), max.max(point.step)))
}

/// Time, step, value and whether it is NaN, from a column on.
pub(crate) fn read_point(row: &Row<'_>, column: usize) -> Result<Point> {
    Ok(Point::stored(row.int(column)?, row.int(column + 1)?, row.real(column + 2)?, row.flag(column + 3)?))
}
