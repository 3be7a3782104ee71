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
    // First, as it takes the lock where the caller does not have it.
    tx.execute("UPDATE latest_metrics SET tail = 0 WHERE run = $1 AND key = $2", &series.values())?;
    let incoming = merge(&tail(tx, series)?, points);
    let Some(first) = incoming.first() else { return Ok(()) };
    let segments = segments_from(tx, series, first)?;
    if segments.is_empty() {
        put(tx, series, &incoming)?;
    }
    let mut rest = &incoming[..];
    for (at, segment) in segments.iter().enumerate() {
        let end = segments.get(at + 1).map_or(rest.len(), |next| rest.partition_point(|point| *point < next.first));
        let (own, after) = rest.split_at(end);
        join(tx, series, segment, own)?;
        rest = after;
    }
    tx.execute("DELETE FROM metric_points WHERE run = $1 AND key = $2", &series.values())?;
    Ok(())
}

/// What is known of a segment without its points.
#[derive(Clone, Copy, Debug)]
struct Segment {
    id: i64,
    points: usize,
    first: Point,
    last: Point,
}

macro_rules! segment_columns {
    () => {
        "id, points, first_ms, first_step, first_value, first_nan, last_ms, last_step, last_value, last_nan"
    };
}

fn read_segment(row: Row<'_>) -> Result<Segment> {
    let points = usize::try_from(row.int(1)?).unwrap_or_default();
    Ok(Segment { id: row.int(0)?, points, first: read_point(&row, 2)?, last: read_point(&row, 6)? })
}

/// The points that are rows, in order.
fn tail(tx: &mut Tx<'_>, series: Series) -> Result<Vec<Point>> {
    let sql = "SELECT timestamp_ms, step, value, is_nan FROM metric_points WHERE run = $1 AND key = $2 \
               ORDER BY timestamp_ms, step, value, is_nan";
    tx.rows(sql, &series.values(), |row| read_point(&row, 0))
}

/// The segment that a point belongs to, and all after it.
fn segments_from(tx: &mut Tx<'_>, series: Series, point: &Point) -> Result<Vec<Segment>> {
    let mut segments: Vec<_> = segment_before(tx, series, point)?.into_iter().collect();
    let after = concat!(
        "SELECT ",
        segment_columns!(),
        " FROM metric_segments \
         WHERE run = $1 AND key = $2 AND (first_ms, first_step, first_value, first_nan) > ($3, $4, $5, $6) \
         ORDER BY first_ms, first_step, first_value, first_nan"
    );
    segments.extend(tx.rows(after, &series.values_from(point), read_segment)?);
    Ok(segments)
}

/// The last segment that begins with a point or before it.
fn segment_before(tx: &mut Tx<'_>, series: Series, point: &Point) -> Result<Option<Segment>> {
    let before = concat!(
        "SELECT ",
        segment_columns!(),
        " FROM metric_segments \
         WHERE run = $1 AND key = $2 AND (first_ms, first_step, first_value, first_nan) <= ($3, $4, $5, $6) \
         ORDER BY first_ms DESC, first_step DESC, first_value DESC, first_nan DESC LIMIT 1"
    );
    tx.row(before, &series.values_from(point), read_segment)
}

/// Adds points that lie between a segment's first one and the next segment.
fn join(tx: &mut Tx<'_>, series: Series, segment: &Segment, points: &[Point]) -> Result<()> {
    let Some(first) = points.first() else { return Ok(()) };
    if segment.last < *first {
        return append(tx, series, points.to_vec());
    }
    let old = take(tx, segment)?;
    put(tx, series, &merge(&old, points))
}

/// Adds points after all that is there. Small segments before them are joined to them, as long as they are not much larger:
/// so each point is written again a few times only, and few small segments remain.
fn append(tx: &mut Tx<'_>, series: Series, mut points: Vec<Point>) -> Result<()> {
    while let Some(before) = segment_before(tx, series, &points[0])? {
        let (old, new) = (before.points, points.len());
        if old >= 2 * new || old + new > segment::SEGMENT_POINTS_MAX {
            break;
        }
        points = [take(tx, &before)?, points].concat();
    }
    put(tx, series, &points)
}

/// The points of a segment that is then gone.
fn take(tx: &mut Tx<'_>, segment: &Segment) -> Result<Vec<Point>> {
    let id = [segment.id.into()];
    let points = tx.row("SELECT data FROM metric_segments WHERE id = $1", &id, |row| segment::decode(row.bytes(0)?))?;
    tx.execute("DELETE FROM metric_segments WHERE id = $1", &id)?;
    points.ok_or_else(|| StoreError::Engine(format!("segment {} of a metric is gone", segment.id)))
}

fn put(tx: &mut Tx<'_>, series: Series, points: &[Point]) -> Result<()> {
    let chunks: Vec<&[Point]> = points.chunks(segment::SEGMENT_POINTS_MAX).collect();
    let ends: Vec<(Point, Point)> = chunks.iter().map(|points| (points[0], points[points.len() - 1])).collect();
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
            "last_ms",
            "last_step",
            "last_value",
            "last_nan",
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
        Column::Int(ends.iter().map(|(first, _)| first.timestamp_ms).collect()),
        Column::Int(ends.iter().map(|(first, _)| first.step).collect()),
        Column::Real(ends.iter().map(|(first, _)| first.finite()).collect()),
        Column::Int(ends.iter().map(|(first, _)| i64::from(first.is_nan())).collect()),
        Column::Int(ends.iter().map(|(_, last)| last.timestamp_ms).collect()),
        Column::Int(ends.iter().map(|(_, last)| last.step).collect()),
        Column::Real(ends.iter().map(|(_, last)| last.finite()).collect()),
        Column::Int(ends.iter().map(|(_, last)| i64::from(last.is_nan())).collect()),
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
