//! What clients do most, on Postgres: one statement each, and so one way to the server instead of five. Keys must have been
//! interned before.

use super::compact::{self, Series, add};
use super::experiments::{expect_active, expect_experiment};
use super::latest::{keep_newest, newer};
use super::runs::{
    self, NewTexts, RunHead, elsewhere, found_head, insert_run, no_run, own_tags, run_columns, writable,
};
use super::text::HEAD_CHARS;
use super::{NewRun, ParamConflict, Point, RunRow, Scope, text};
use crate::db::{Row, Tx, Value};
use crate::{Result, Store, StoreError};

/// `own` is the run where it takes writes; `head` is it in any case.
macro_rules! of_run {
    ($rest:expr) => {
        concat!(
            "WITH head AS (SELECT id, experiment_id, lifecycle, project FROM runs WHERE run_id = $1), \
             own AS (SELECT id, experiment_id FROM head WHERE lifecycle = 'active' AND ($2 IS NULL OR project = $2)), ",
            $rest
        )
    };
}

/// Tags of a new run, each of which makes the statement longer.
pub(super) const DIRECT_TAGS_MAX: usize = 16;

impl Store {
    /// `ids` are the keys of the tags, and that of the name at the end.
    pub(super) async fn create_run_directly(&self, scope: &Scope, new: NewRun, ids: Vec<i64>) -> Result<RunRow> {
        let (scope, id) = (scope.clone(), new.experiment_id);
        let experiment = self.single(move |tx| expect_experiment(tx, &scope, id)).await?;
        expect_active(&experiment)?;
        let operation = move |tx: &mut Tx<'_>| {
            let texts = NewTexts::of(&new, &experiment);
            let mut values = texts.values(&new, &experiment).to_vec();
            let mut place = |value| {
                values.push(value);
                format!("${}", values.len())
            };
            let mut tags = Vec::new();
            for ((_, value), key) in own_tags(&new).into_iter().zip(&ids) {
                let (head, rest) = text::split(value);
                tags.push(format!("({}, {}, {})", place((*key).into()), place(head.into()), place(rest.into())));
            }
            // A run that goes on keeps its name.
            let name = place(ids.last().copied().into());
            tags.push(format!(
                "({name}, left(made.name, {HEAD_CHARS}), NULLIF(substr(made.name, {HEAD_CHARS} + 1), ''))"
            ));
            let sql = format!(
                concat!(
                    "WITH made AS (",
                    insert_run!(),
                    " RETURNING ",
                    run_columns!(),
                    "), tags AS (INSERT INTO run_tags (run, key, experiment_id, head, rest) \
                     SELECT made.id, t.key, made.experiment_id, t.head, t.rest \
                     FROM made CROSS JOIN LATERAL (VALUES {}) AS t (key, head, rest) \
                     ON CONFLICT (run, key) DO UPDATE SET head = excluded.head, rest = excluded.rest) SELECT ",
                    run_columns!(),
                    " FROM made"
                ),
                tags.join(", ")
            );
            tx.row(&sql, &values, runs::read)?.ok_or_else(|| elsewhere(&new))
        };
        self.single(operation).await
    }

    pub(super) async fn log_metric_directly(&self, scope: &Scope, run: &str, (key, point): (i64, Point)) -> Result<()> {
        // The point after the latest one, whose row locks the metric.
        let sql = concat!(
            of_run!(
                "latest AS (INSERT INTO latest_metrics (run, key, experiment_id, value, is_nan, step, timestamp_ms, tail) \
                 SELECT id, $3, experiment_id, $4, $5, $6, $7, 1 FROM own "
            ),
            keep_newest!(),
            " RETURNING run, tail), \
             point AS (INSERT INTO metric_points (run, key, timestamp_ms, step, value, is_nan) \
                 SELECT run, $3, $7, $6, $4, $5 FROM latest ON CONFLICT DO NOTHING) \
             SELECT id, experiment_id, lifecycle, project, (SELECT tail FROM latest) FROM head"
        );
        let (scope, run) = (scope.clone(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let values = [
                key.into(),
                point.finite().into(),
                point.is_nan().into(),
                point.step.into(),
                point.timestamp_ms.into(),
            ];
            let found = one(tx, sql, (&scope, &run), &values, |row| row.int_opt(4))?;
            Ok((found.0.id, found.1.unwrap_or_default()))
        };
        let (run, tail) = self.single(operation).await?;
        if tail >= compact::TAIL_POINTS_MAX {
            self.transact(move |tx| add(tx, Series { run, key }, &[])).await?;
        }
        Ok(())
    }

    pub(super) async fn set_tag_directly(&self, scope: &Scope, run: &str, (key, value): (i64, String)) -> Result<()> {
        let sql = of_run!(
            "tag AS (INSERT INTO run_tags (run, key, experiment_id, head, rest) \
                 SELECT id, $3, experiment_id, $4, $5 FROM own \
                 ON CONFLICT (run, key) DO UPDATE SET head = excluded.head, rest = excluded.rest) \
             SELECT id, experiment_id, lifecycle, project FROM head"
        );
        let (scope, run) = (scope.clone(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let (head, rest) = text::split(&value);
            one(tx, sql, (&scope, &run), &[key.into(), head.into(), rest.into()], |_| Ok(())).map(drop)
        };
        self.single(operation).await
    }

    /// Answers why it is refused. None if it must be tried again: another client is logging the same param.
    pub(super) async fn log_param_directly(
        &self,
        scope: &Scope,
        run: &str,
        (key, (name, value)): (i64, (String, String)),
    ) -> Result<Option<Vec<ParamConflict>>> {
        let sql = of_run!(
            "param AS (INSERT INTO run_params (run, key, experiment_id, head, rest) \
                 SELECT id, $3, experiment_id, $4, $5 FROM own ON CONFLICT (run, key) DO NOTHING RETURNING run) \
             SELECT h.id, h.experiment_id, h.lifecycle, h.project, (SELECT COUNT(*) FROM param), p.head, p.rest \
             FROM head AS h LEFT JOIN run_params AS p ON p.run = h.id AND p.key = $3"
        );
        let (scope, run) = (scope.clone(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let (head, rest) = text::split(&value);
            let values = [key.into(), head.into(), rest.into()];
            let read = |row: &Row<'_>| {
                let old = row.text_opt(5)?.map(|head| Ok::<_, StoreError>(text::join(&head, row.text_opt(6)?)));
                Ok((row.int(4)?, old.transpose()?))
            };
            let (_, (added, old)) = one(tx, sql, (&scope, &run), &values, read)?;
            Ok(match old {
                _ if added > 0 => Some(Vec::new()),
                Some(old) if old == value => Some(Vec::new()),
                Some(old_value) => Some(vec![ParamConflict { key: name, old_value, new_value: value }]),
                None => None,
            })
        };
        self.single(operation).await
    }
}

/// The one row of a statement about a run, if the run takes writes.
fn one<T>(
    tx: &mut Tx<'_>,
    sql: &str,
    (scope, run): (&Scope, &str),
    values: &[Value<'_>],
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<(RunHead, T)> {
    let project = match scope {
        Scope::All => None,
        Scope::Project(project) => Some(project.as_str()),
    };
    let values: Vec<Value<'_>> = [run.into(), project.into()].into_iter().chain(values.iter().copied()).collect();
    let found = tx.row(sql, &values, |row| Ok((found_head(&row, scope)?, read(&row)?)))?;
    let (head, more) = found.unzip();
    let head = writable(head, run)?;
    more.map(|more| (head, more)).ok_or_else(|| no_run(run))
}
