//! The way of new points: the latest one of each metric first, whose row locks the metric, then the points themselves.

use super::compact::{Series, add};
use super::runs::RunHead;
use super::{Point, compact, fold, wide};
use crate::Result;
use crate::db::{Column, Insert, Tx};

/// Points of one metric in one operation from which on they go into a segment at once.
const DIRECT_POINTS_MIN: usize = 256;
/// Metrics of one operation from which on their points go into one row.
const WIDE_METRICS_MIN: usize = 16;
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

pub(super) use {keep_newest, newer};

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
pub(crate) fn put_points(tx: &mut Tx<'_>, head: RunHead, points: Vec<(i64, Point)>) -> Result<()> {
    put(tx, head, points, usize::MAX).map(drop)
}

/// As `put_points`, but the points of many metrics go into one row. Answers whether such rows are to be folded.
pub(super) fn put_batch(tx: &mut Tx<'_>, head: RunHead, points: Vec<(i64, Point)>) -> Result<bool> {
    put(tx, head, points, WIDE_METRICS_MIN)
}

fn put(tx: &mut Tx<'_>, head: RunHead, mut points: Vec<(i64, Point)>, wide_min: usize) -> Result<bool> {
    match points[..] {
        [] => return Ok(false),
        [(key, point)] => return put_point(tx, head, key, point).map(|()| false),
        _ => {}
    }
    points.sort_unstable();
    points.dedup();
    let metrics: Vec<&[(i64, Point)]> = points.chunk_by(|(key, _), (other, _)| key == other).collect();
    let (many, few): (Vec<_>, Vec<_>) = metrics.iter().copied().partition(|points| points.len() >= DIRECT_POINTS_MIN);
    let are_rows = few.len() < wide_min;
    put_latest(tx, head, &metrics, are_rows)?;
    for points in many {
        let series = Series { run: head.id, key: points[0].0 };
        add(tx, series, &points.iter().map(|(_, point)| *point).collect::<Vec<_>>())?;
    }
    if are_rows {
        put_rows(tx, head.id, &few.concat())?;
        compact_longest(tx, head, &few)?;
        return Ok(false);
    }
    fold::put_batch(tx, head.id, &wide::encode(&few.concat()))
}

fn put_latest(tx: &mut Tx<'_>, head: RunHead, metrics: &[&[(i64, Point)]], are_rows: bool) -> Result<()> {
    let newest = |points: &&[(i64, Point)]| {
        let newer = |left: Point, right: Point| if right.is_later_than(&left) { right } else { left };
        let latest = points.iter().map(|(_, point)| *point).reduce(newer);
        let tail = if are_rows && points.len() < DIRECT_POINTS_MIN { points.len() as i64 } else { 0 };
        latest.map(|point| (points[0].0, point, tail))
    };
    let mut rows: Vec<(i64, Point, i64)> = metrics.iter().filter_map(newest).collect();
    if tx.is_sqlite() {
        let mut others = Vec::new();
        for row in rows {
            if !replace_older(tx, head, &row)? {
                others.push(row);
            }
        }
        rows = others;
    }
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

/// Where a statement costs no way to a server, updating what is there takes half as long as inserting over it.
fn replace_older(tx: &mut Tx<'_>, head: RunHead, (key, point, tail): &(i64, Point, i64)) -> Result<bool> {
    let sql = "UPDATE latest_metrics SET value = ?3, is_nan = ?4, step = ?5, timestamp_ms = ?6, tail = tail + ?7 \
               WHERE run = ?1 AND key = ?2 AND (step, timestamp_ms, value) < (?5, ?6, ?3)";
    let values = [
        head.id.into(),
        (*key).into(),
        point.finite().into(),
        point.is_nan().into(),
        point.step.into(),
        point.timestamp_ms.into(),
        (*tail).into(),
    ];
    Ok(tx.execute(sql, &values)? > 0)
}

/// Adds points as rows, each with the key of its metric.
pub(crate) fn put_rows(tx: &mut Tx<'_>, run: i64, points: &[(i64, Point)]) -> Result<()> {
    let columns = [
        Column::Same(run.into(), points.len()),
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
