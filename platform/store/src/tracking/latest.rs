//! The way of new points: the latest one of each metric first, whose row locks the metric, then the points themselves.

use super::compact::{Series, add};
use super::runs::RunHead;
use super::{Point, compact};
use crate::Result;
use crate::db::{Column, Insert, Tx};

/// Points of one metric in one operation from which on they go into a segment at once.
const DIRECT_POINTS_MIN: usize = 256;
/// Metrics that one operation compacts, so that none takes long; the rest waits for the next.
const COMPACTED_MAX: usize = 2;

macro_rules! newer {
    ($column:literal) => {
        concat!(
            $column,
            " = CASE WHEN (excluded.step, excluded.timestamp_ms, excluded.value) > (latest_metrics.step, \
             latest_metrics.timestamp_ms, latest_metrics.value) THEN excluded.",
            $column,
            " ELSE latest_metrics.",
            $column,
            " END, "
        )
    };
}

macro_rules! keep_newest {
    () => {
        concat!(
            "ON CONFLICT (run, key) DO UPDATE SET ",
            newer!("value"),
            newer!("is_nan"),
            newer!("step"),
            newer!("timestamp_ms"),
            "tail = latest_metrics.tail + excluded.tail"
        )
    };
}

const LATEST: Insert<'_> = Insert {
    table: "latest_metrics",
    columns: &["run", "key", "experiment_id", "value", "is_nan", "step", "timestamp_ms", "tail"],
    on_conflict: keep_newest!(),
};

const POINTS: Insert<'_> = Insert {
    table: "metric_points",
    columns: &["run", "key", "timestamp_ms", "step", "value", "is_nan"],
    on_conflict: "ON CONFLICT DO NOTHING",
};

/// Adds one point.
pub(crate) fn put_point(tx: &mut Tx<'_>, head: RunHead, key: i64, point: Point) -> Result<()> {
    let sql = concat!(
        "INSERT INTO latest_metrics (run, key, experiment_id, value, is_nan, step, timestamp_ms, tail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ",
        keep_newest!(),
        " RETURNING tail"
    );
    let values = [
        head.id.into(),
        key.into(),
        head.experiment_id.into(),
        point.finite().into(),
        point.is_nan().into(),
        point.step.into(),
        point.timestamp_ms.into(),
    ];
    let tail = tx.row(sql, &values, |row| row.int(0))?.unwrap_or_default();
    let sql = "INSERT INTO metric_points (run, key, timestamp_ms, step, value, is_nan) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT DO NOTHING";
    let values = [
        head.id.into(),
        key.into(),
        point.timestamp_ms.into(),
        point.step.into(),
        point.finite().into(),
        point.is_nan().into(),
    ];
    tx.execute(sql, &values)?;
    if tail >= compact::TAIL_POINTS_MAX {
        add(tx, Series { run: head.id, key }, &[])?;
    }
    Ok(())
}

/// Adds points, each with the key of its metric, in any order.
pub(crate) fn put_points(tx: &mut Tx<'_>, head: RunHead, mut points: Vec<(i64, Point)>) -> Result<()> {
    match points[..] {
        [] => return Ok(()),
        [(key, point)] => return put_point(tx, head, key, point),
        _ => {}
    }
    points.sort_unstable();
    points.dedup();
    let metrics: Vec<&[(i64, Point)]> = points.chunk_by(|(key, _), (other, _)| key == other).collect();
    put_latest(tx, head, &metrics)?;
    let (many, few): (Vec<_>, Vec<_>) = metrics.iter().copied().partition(|points| is_direct(points));
    put_rows(tx, head, &few.concat())?;
    for points in many {
        let series = Series { run: head.id, key: points[0].0 };
        add(tx, series, &points.iter().map(|(_, point)| *point).collect::<Vec<_>>())?;
    }
    compact_longest(tx, head, &few)
}

fn is_direct(points: &[(i64, Point)]) -> bool {
    points.len() >= DIRECT_POINTS_MIN
}

fn put_latest(tx: &mut Tx<'_>, head: RunHead, metrics: &[&[(i64, Point)]]) -> Result<()> {
    let newest = |points: &&[(i64, Point)]| {
        let newer = |left: Point, right: Point| if right.is_later_than(&left) { right } else { left };
        let latest = points.iter().map(|(_, point)| *point).reduce(newer);
        latest.map(|point| (points[0].0, point, if is_direct(points) { 0 } else { points.len() as i64 }))
    };
    let rows: Vec<(i64, Point, i64)> = metrics.iter().filter_map(newest).collect();
    let columns = [
        Column::Same(head.id.into(), rows.len()),
        Column::Int(rows.iter().map(|(key, ..)| *key).collect()),
        Column::Same(head.experiment_id.into(), rows.len()),
        Column::Real(rows.iter().map(|(_, point, _)| point.finite()).collect()),
        Column::Int(rows.iter().map(|(_, point, _)| i64::from(point.is_nan())).collect()),
        Column::Int(rows.iter().map(|(_, point, _)| point.step).collect()),
        Column::Int(rows.iter().map(|(_, point, _)| point.timestamp_ms).collect()),
        Column::Int(rows.iter().map(|(.., tail)| *tail).collect()),
    ];
    tx.insert(&LATEST, &columns)?;
    Ok(())
}

fn put_rows(tx: &mut Tx<'_>, head: RunHead, points: &[(i64, Point)]) -> Result<()> {
    let columns = [
        Column::Same(head.id.into(), points.len()),
        Column::Int(points.iter().map(|(key, _)| *key).collect()),
        Column::Int(points.iter().map(|(_, point)| point.timestamp_ms).collect()),
        Column::Int(points.iter().map(|(_, point)| point.step).collect()),
        Column::Real(points.iter().map(|(_, point)| point.finite()).collect()),
        Column::Int(points.iter().map(|(_, point)| i64::from(point.is_nan())).collect()),
    ];
    tx.insert(&POINTS, &columns)?;
    Ok(())
}

/// Only metrics of this operation: it holds their locks.
fn compact_longest(tx: &mut Tx<'_>, head: RunHead, metrics: &[&[(i64, Point)]]) -> Result<()> {
    let sql = "SELECT key FROM latest_metrics WHERE run = $1 AND tail >= $2 ORDER BY tail DESC";
    let long = tx.rows(sql, &[head.id.into(), compact::TAIL_POINTS_MAX.into()], |row| row.int(0))?;
    let own = |key: &i64| metrics.binary_search_by_key(key, |points| points[0].0).is_ok();
    for key in long.into_iter().filter(own).take(COMPACTED_MAX) {
        add(tx, Series { run: head.id, key }, &[])?;
    }
    Ok(())
}
