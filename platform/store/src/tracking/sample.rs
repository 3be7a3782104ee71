use super::compact::{Series, read_point};
use super::history::{batched, find_series};
use super::point::merge;
use super::pyramid::{LEVELS, Stretch, stretches};
use super::{Keys, Point, Scope, pyramid, segment};
use crate::db::{Tx, Value};
use crate::{Result, Store};

/// Up to here a sample is every n-th point, as MLflow takes it; a client could ask for all of them. Beyond, it keeps the
/// extremes.
const EVEN_POINTS_MAX: u64 = 2_500;
/// Stretches that a bucket is joined of, so that its bounds lie about right.
const STRETCHES_OF_BUCKET: u64 = 4;

#[derive(Clone, Debug)]
pub struct SampleQuery {
    pub runs: Vec<String>,
    pub key: String,
    /// First and last step; all where there is none.
    pub steps: Option<(i64, i64)>,
    /// Of each run.
    pub points_max: usize,
}

impl Store {
    /// For each run a picture of its history, by step: all points where they are few enough; else a choice that has the
    /// first and the last of them, and of a long history the extremes of every stretch.
    #[tracing::instrument(name = "db.metrics.sample", skip_all)]
    pub async fn sample(&self, scope: &Scope, query: SampleQuery) -> Result<Vec<Vec<Point>>> {
        let (scope, keys) = (scope.clone(), self.keys());
        self.query(move |tx| query.runs.iter().map(|run| sample_run(tx, &keys, &scope, (&query, run))).collect()).await
    }
}

fn sample_run(tx: &mut Tx<'_>, keys: &Keys, scope: &Scope, (query, run): (&SampleQuery, &str)) -> Result<Vec<Point>> {
    let Some(found) = find_series(tx, keys, scope, (run, &query.key))? else { return Ok(Vec::new()) };
    let window = Window { series: found.series, steps: query.steps.unwrap_or((i64::MIN, i64::MAX)) };
    let tail = window.tail(tx, found.in_batches)?;
    let sql = "SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) FROM metric_segments \
               WHERE run = $1 AND key = $2 AND step_min <= $4 AND step_max >= $3";
    let stored = tx.row(sql, &window.values(), |row| row.int(0))?.unwrap_or_default();
    let about = stored as u64 + tail.len() as u64;
    if about <= EVEN_POINTS_MAX {
        let mut points = merge(&window.points(tx)?, &tail);
        points.sort_by(Point::cmp_by_step);
        return Ok(every_nth(&points, query.points_max));
    }
    let buckets = (query.points_max.saturating_sub(2) / 2) as u64;
    let width = about / buckets.max(1);
    let parts = match LEVELS.iter().position(|length| width >= STRETCHES_OF_BUCKET * *length as u64) {
        Some(level) => window.summaries(tx, level)?,
        None => {
            window.decoded(tx, ("step_min <= $4 AND step_max >= $3", (width / STRETCHES_OF_BUCKET).max(1) as usize))?
        }
    };
    Ok(extremes(join(parts, &tail, width), query.points_max))
}

/// The points of one metric between two steps.
struct Window {
    series: Series,
    steps: (i64, i64),
}

/// A segment, as far as it is in the window: its first point, and its stretches.
type Part = (Point, Vec<Stretch>);

impl Window {
    fn values(&self) -> [Value<'static>; 4] {
        let [run, key] = self.series.values();
        [run, key, self.steps.0.into(), self.steps.1.into()]
    }

    fn has(&self, point: &Point) -> bool {
        (self.steps.0..=self.steps.1).contains(&point.step)
    }

    /// The points that are in no segment, in order.
    fn tail(&self, tx: &mut Tx<'_>, in_batches: bool) -> Result<Vec<Point>> {
        let sql = "SELECT timestamp_ms, step, value, is_nan FROM metric_points \
                   WHERE run = $1 AND key = $2 AND step >= $3 AND step <= $4 ORDER BY timestamp_ms, step, value, is_nan";
        let rows = tx.rows(sql, &self.values(), |row| read_point(&row, 0))?;
        if !in_batches {
            return Ok(rows);
        }
        let mut batched = batched(tx, self.series)?;
        batched.retain(|point| self.has(point));
        Ok(merge(&rows, &batched))
    }

    /// All points of segments, in order.
    fn points(&self, tx: &mut Tx<'_>) -> Result<Vec<Point>> {
        let sql = "SELECT data FROM metric_segments WHERE run = $1 AND key = $2 AND step_min <= $4 AND step_max >= $3 \
                   ORDER BY first_ms, first_step, first_value, first_nan";
        let mut points = Vec::new();
        tx.for_each(sql, &self.values(), |row| {
            points.extend(segment::decode(row.bytes(0)?)?.into_iter().filter(|point| self.has(point)));
            Ok(())
        })?;
        Ok(points)
    }

    /// Summaries of the segments that lie in the window; those that reach out of it are decoded.
    fn summaries(&self, tx: &mut Tx<'_>, level: usize) -> Result<Vec<Part>> {
        let sql = "SELECT first_ms, first_step, first_value, first_nan, points, summary FROM metric_segments \
                   WHERE run = $1 AND key = $2 AND step_min >= $3 AND step_max <= $4";
        let mut parts = tx.rows(sql, &self.values(), |row| {
            Ok((read_point(&row, 0)?, pyramid::decode(row.bytes(5)?, level, row.int(4)? as u64)?))
        })?;
        let reaching_out = "step_min <= $4 AND step_max >= $3 AND NOT (step_min >= $3 AND step_max <= $4)";
        parts.extend(self.decoded(tx, (reaching_out, LEVELS[level]))?);
        Ok(parts)
    }

    fn decoded(&self, tx: &mut Tx<'_>, (condition, length): (&str, usize)) -> Result<Vec<Part>> {
        let sql = format!("SELECT data FROM metric_segments WHERE run = $1 AND key = $2 AND {condition}");
        let mut parts = Vec::new();
        tx.for_each(&sql, &self.values(), |row| {
            let mut points = segment::decode(row.bytes(0)?)?;
            points.retain(|point| self.has(point));
            parts.extend(points.first().map(|first| (*first, stretches(&points, length).collect())));
            Ok(())
        })?;
        Ok(parts)
    }
}

/// What is known of a long history: its first point and its stretches in order.
struct Outline {
    first: Option<Point>,
    stretches: Vec<Stretch>,
}

fn join(mut parts: Vec<Part>, tail: &[Point], width: u64) -> Outline {
    parts.sort_by_key(|(first, _)| *first);
    let first = parts.first().map(|(first, _)| *first).into_iter().chain(tail.first().copied()).min();
    let of_tail = stretches(tail, (width / STRETCHES_OF_BUCKET).max(1) as usize);
    Outline { first, stretches: parts.into_iter().flat_map(|(_, stretches)| stretches).chain(of_tail).collect() }
}

/// The first point of each of as many equal parts as there may be points, and the last point.
fn every_nth(points: &[Point], points_max: usize) -> Vec<Point> {
    let Some(last) = points.last() else { return Vec::new() };
    if points.len() <= points_max {
        return points.to_vec();
    }
    // The first parts are the longer ones by a point.
    let (length, longer) = (points.len() / points_max, points.len() % points_max);
    let mut chosen: Vec<_> = (0..points_max).map(|part| points[part * length + part.min(longer)]).collect();
    if chosen.last() != Some(last) {
        chosen.pop();
        chosen.push(*last);
    }
    chosen
}

/// First and last, and in between the least and the greatest point of equal parts.
fn extremes(outline: Outline, points_max: usize) -> Vec<Point> {
    let total: u64 = outline.stretches.iter().map(|stretch| stretch.points).sum();
    let Some(whole) = outline.stretches.iter().copied().reduce(Stretch::followed_by) else { return Vec::new() };
    let buckets = (points_max.saturating_sub(2) / 2) as u64;
    let mut chosen = vec![whole.last];
    chosen.extend(outline.first.filter(|_| points_max > 1));
    let mut position = 0;
    let place = |stretch: &Stretch| {
        let bucket = position * buckets / total.max(1);
        position += stretch.points;
        (bucket, *stretch)
    };
    let placed: Vec<(u64, Stretch)> = outline.stretches.iter().map(place).collect();
    if buckets > 0 {
        for bucket in placed.chunk_by(|(bucket, _), (other, _)| bucket == other) {
            let joined = bucket.iter().map(|(_, stretch)| *stretch).reduce(Stretch::followed_by);
            chosen.extend(joined.into_iter().flat_map(|stretch| [stretch.min, stretch.max]));
        }
    }
    chosen.sort_by(Point::cmp_by_step);
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(count: usize) -> Vec<Point> {
        (0..count as i64).map(|step| Point::new(step, step, step as f64)).collect()
    }

    fn steps(points: &[Point]) -> Vec<i64> {
        points.iter().map(|point| point.step).collect()
    }

    #[test]
    fn few_points_are_chosen_as_mlflow_chooses_them() {
        assert_eq!(steps(&every_nth(&line(10), 5)), [0, 2, 4, 6, 9]);
        assert_eq!(steps(&every_nth(&line(11), 4)), [0, 3, 6, 10]);
        assert_eq!(steps(&every_nth(&line(7), 1)), [6]);
        assert_eq!(steps(&every_nth(&line(3), 5)), [0, 1, 2]);
    }

    proptest! {
        #[test]
        fn a_long_history_keeps_its_ends_and_the_extremes_of_its_parts(
            values in prop::collection::vec(prop_oneof![9 => -1e3..1e3, 1 => Just(f64::NAN)], 1..5_000),
            points_max in 1_usize..60, length in 1_usize..40,
        ) {
            let points: Vec<_> =
                values.iter().enumerate().map(|(at, value)| Point::new(at as i64, at as i64, *value)).collect();
            let outline = join(vec![(points[0], stretches(&points, length).collect())], &[], 1);
            let chosen = extremes(outline, points_max);
            prop_assert!(chosen.len() <= points_max);
            prop_assert!(chosen.is_sorted_by(|a, b| a.step < b.step));
            prop_assert!(chosen.iter().all(|point| points.contains(point)));
            prop_assert_eq!(chosen.last(), points.last());
            if points_max > 1 {
                prop_assert_eq!(chosen.first(), points.first());
            }
            if points_max > 3 {
                let max = |points: &[Point]| points.iter().map(|p| p.value).filter(|v| !v.is_nan()).reduce(f64::max);
                let min = |points: &[Point]| points.iter().map(|p| p.value).filter(|v| !v.is_nan()).reduce(f64::min);
                prop_assert_eq!((min(&chosen), max(&chosen)), (min(&points), max(&points)));
            }
        }
    }
}
