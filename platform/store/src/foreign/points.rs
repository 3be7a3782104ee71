use tiegel_types::transfer::{Points, Series};

use super::MlflowDatabase;
use super::select::{places, texts};
use crate::db::{Row, Value};
use crate::{Result, StoreError};

/// Where a history was left: after this point of this metric.
#[derive(Clone, Debug, PartialEq)]
pub struct PointCursor {
    key: String,
    step: i64,
    timestamp_ms: i64,
    value: f64,
    is_nan: bool,
}

const COLUMNS: &str = "CAST(run_uuid AS TEXT), CAST(key AS TEXT), CAST(step AS BIGINT), CAST(timestamp AS BIGINT), \
     CAST(value AS DOUBLE PRECISION), CAST(CASE WHEN is_nan THEN 1 ELSE 0 END AS BIGINT)";

impl MlflowDatabase {
    /// All points of some runs, for those that have few.
    pub async fn points_of(&self, runs: Vec<String>) -> Result<Vec<Series>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM metrics WHERE run_uuid IN {} ORDER BY run_uuid, key, step, timestamp",
            places(runs.len(), 1)
        );
        self.read(move |tx| {
            let mut series = Vec::<Series>::new();
            tx.for_each(&sql, &texts(&runs), |row| add(&mut series, &row))?;
            Ok(series)
        })
        .await
    }

    /// The next `limit` points of a run that has many, and where to go on.
    pub async fn points_after(
        &self,
        run: &str,
        after: Option<PointCursor>,
        limit: usize,
    ) -> Result<(Vec<Series>, Option<PointCursor>)> {
        // Newer databases have an index on (run_uuid, key, step), which finds the place and gives the order.
        let place = "key, step, timestamp, value, CASE WHEN is_nan THEN 1 ELSE 0 END";
        let after_place = if after.is_some() { format!("AND ({place}) > ($3, $4, $5, $6, $7)") } else { String::new() };
        let sql = format!("SELECT {COLUMNS} FROM metrics WHERE run_uuid = $1 {after_place} ORDER BY {place} LIMIT $2");
        let run = run.to_owned();
        self.read(move |tx| {
            let mut values: Vec<Value<'_>> = vec![(&run).into(), (limit as i64).into()];
            if let Some(PointCursor { key, step, timestamp_ms, value, is_nan }) = &after {
                let place: [Value<'_>; 5] =
                    [key.into(), (*step).into(), (*timestamp_ms).into(), (*value).into(), (*is_nan).into()];
                values.extend(place);
            }
            let (mut series, mut count, mut last) = (Vec::<Series>::new(), 0, None);
            tx.for_each(&sql, &values, |row| {
                count += 1;
                last = Some(PointCursor {
                    key: row.text(1)?,
                    step: row.int(2)?,
                    timestamp_ms: row.int(3)?,
                    value: row.real(4)?,
                    is_nan: row.flag(5)?,
                });
                add(&mut series, &row)
            })?;
            Ok((series, last.filter(|_| count == limit)))
        })
        .await
    }
}

fn add(series: &mut Vec<Series>, row: &Row<'_>) -> Result<()> {
    let (run, key) = (row.str(0)?, row.str(1)?);
    if series.last().is_none_or(|last| last.run_id != run || last.key != key) {
        series.push(Series { run_id: run.to_owned(), key: key.to_owned(), points: Points::default() });
    }
    let value = if row.flag(5)? { f64::NAN } else { row.real(4)? };
    let last = series.last_mut().ok_or_else(|| StoreError::Engine("a series without a start".to_owned()))?;
    last.points.push(row.int(3)?, row.int(2)?, value);
    Ok(())
}
