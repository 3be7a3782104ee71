use crate::db::{Row, Tx, Value, in_lists};
use crate::tracking::{expect_active, expect_experiment};
use crate::{Result, Scope, Store, StoreError};

/// One version of a scorer.
#[derive(Clone, Debug, PartialEq)]
pub struct ScorerRow {
    pub scorer_id: String,
    pub experiment_id: i64,
    pub name: String,
    pub version: i64,
    /// JSON, as the client wrote it.
    pub serialized: String,
    pub created_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewScorerVersion {
    /// Taken if the scorer is new.
    pub scorer_id: String,
    pub experiment_id: i64,
    pub name: String,
    pub serialized: String,
    pub now_ms: i64,
}

/// How a scorer looks at traces as they arrive.
#[derive(Clone, Debug, PartialEq)]
pub struct OnlineConfigRow {
    pub config_id: String,
    pub scorer_id: String,
    pub experiment_id: i64,
    /// From 0 to 1.
    pub sample_rate: f64,
    pub filter: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewOnlineConfig {
    pub config_id: String,
    pub experiment_id: i64,
    pub name: String,
    pub sample_rate: f64,
    pub filter: Option<String>,
}

impl Store {
    #[tracing::instrument(name = "db.evaluation.register_scorer", skip_all)]
    pub async fn register_scorer(&self, scope: &Scope, new: NewScorerVersion) -> Result<ScorerRow> {
        let scope = scope.clone();
        self.transact(move |tx| {
            check(tx, &scope, new.experiment_id)?;
            tx.execute(
                "INSERT INTO scorers (scorer_id, experiment_id, name) VALUES ($1, $2, $3) \
                 ON CONFLICT (experiment_id, name) DO NOTHING",
                &[(&new.scorer_id).into(), new.experiment_id.into(), (&new.name).into()],
            )?;
            let scorer_id = id_of(tx, new.experiment_id, &new.name)?;
            let sql = "SELECT COALESCE(MAX(version), 0) + 1 FROM scorer_versions WHERE scorer_id = $1";
            let version = tx.row(sql, &[(&scorer_id).into()], |row| row.int(0))?.unwrap_or(1);
            tx.execute(
                "INSERT INTO scorer_versions (scorer_id, version, serialized, created_ms) VALUES ($1, $2, $3, $4)",
                &[(&scorer_id).into(), version.into(), (&new.serialized).into(), new.now_ms.into()],
            )?;
            Ok(ScorerRow {
                scorer_id,
                experiment_id: new.experiment_id,
                name: new.name,
                version,
                serialized: new.serialized,
                created_ms: new.now_ms,
            })
        })
        .await
    }

    /// The last version of each scorer of an active experiment, by experiment and name.
    #[tracing::instrument(name = "db.evaluation.scorers", skip_all)]
    pub async fn scorers(&self, scope: &Scope, experiment_id: i64) -> Result<Vec<ScorerRow>> {
        let scope = scope.clone();
        self.query(move |tx| {
            check(tx, &scope, experiment_id)?;
            let rows = latest(tx, "e.id = $1", &[experiment_id.into()])?;
            Ok(rows.into_iter().map(|(_, row)| row).collect())
        })
        .await
    }

    /// As `scorers`, of many experiments; `None` asks for all. Experiments that are deleted or missing have none.
    #[tracing::instrument(name = "db.evaluation.scorers_of", skip_all)]
    pub async fn scorers_of(&self, scope: &Scope, experiment_ids: Option<Vec<i64>>) -> Result<Vec<ScorerRow>> {
        let scope = scope.clone();
        self.query(move |tx| {
            const ACTIVE: &str = "e.lifecycle = 'active'";
            let mut rows = match experiment_ids {
                None => latest(tx, ACTIVE, &[])?,
                Some(ids) => {
                    let mut rows = Vec::new();
                    for (places, values) in in_lists(&ids, 1) {
                        rows.extend(latest(tx, &format!("{ACTIVE} AND e.id IN ({places})"), &values)?);
                    }
                    rows
                }
            };
            rows.retain(|(project, _)| scope.sees(project));
            let mut rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
            rows.sort_by(|a, b| (a.experiment_id, &a.name).cmp(&(b.experiment_id, &b.name)));
            Ok(rows)
        })
        .await
    }

    /// A version, or the last one.
    #[tracing::instrument(name = "db.evaluation.scorer", skip_all)]
    pub async fn scorer(
        &self,
        scope: &Scope,
        (experiment_id, name): (i64, &str),
        version: Option<i64>,
    ) -> Result<ScorerRow> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.query(move |tx| {
            check(tx, &scope, experiment_id)?;
            let mut rows = versions(tx, experiment_id, &name)?;
            let row = match version {
                None => rows.pop(),
                Some(version) => rows.into_iter().find(|row| row.version == version),
            };
            row.ok_or_else(|| missing(experiment_id, &name, version))
        })
        .await
    }

    /// The oldest first.
    #[tracing::instrument(name = "db.evaluation.scorer_versions", skip_all)]
    pub async fn scorer_versions(&self, scope: &Scope, (experiment_id, name): (i64, &str)) -> Result<Vec<ScorerRow>> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.query(move |tx| {
            check(tx, &scope, experiment_id)?;
            let rows = versions(tx, experiment_id, &name)?;
            if rows.is_empty() { Err(missing(experiment_id, &name, None)) } else { Ok(rows) }
        })
        .await
    }

    /// One version, or the scorer with all of them.
    #[tracing::instrument(name = "db.evaluation.delete_scorer", skip_all)]
    pub async fn delete_scorer(
        &self,
        scope: &Scope,
        (experiment_id, name): (i64, &str),
        version: Option<i64>,
    ) -> Result<()> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.transact(move |tx| {
            check(tx, &scope, experiment_id)?;
            let scorer_id = id_of(tx, experiment_id, &name)?;
            let gone = match version {
                Some(version) => tx.execute(
                    "DELETE FROM scorer_versions WHERE scorer_id = $1 AND version = $2",
                    &[(&scorer_id).into(), version.into()],
                )?,
                None => tx.execute("DELETE FROM scorers WHERE scorer_id = $1", &[(&scorer_id).into()])?,
            };
            if gone == 0 { Err(missing(experiment_id, &name, version)) } else { Ok(()) }
        })
        .await
    }

    /// Replaces what was there. `approve` is given the last version and may refuse.
    #[tracing::instrument(name = "db.evaluation.put_online_config", skip_all)]
    pub async fn put_online_config(
        &self,
        scope: &Scope,
        new: NewOnlineConfig,
        approve: impl FnOnce(&str) -> Result<()> + Send + 'static,
    ) -> Result<OnlineConfigRow> {
        let scope = scope.clone();
        self.transact(move |tx| {
            check(tx, &scope, new.experiment_id)?;
            let scorer_id = id_of(tx, new.experiment_id, &new.name)?;
            if let Some(last) = versions(tx, new.experiment_id, &new.name)?.pop() {
                approve(&last.serialized)?;
            }
            tx.execute(
                "INSERT INTO online_scoring_configs (config_id, scorer_id, experiment_id, sample_rate, filter) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scorer_id) DO UPDATE SET config_id = excluded.config_id, \
                 experiment_id = excluded.experiment_id, sample_rate = excluded.sample_rate, filter = excluded.filter",
                &[
                    (&new.config_id).into(),
                    (&scorer_id).into(),
                    new.experiment_id.into(),
                    new.sample_rate.into(),
                    (&new.filter).into(),
                ],
            )?;
            Ok(OnlineConfigRow {
                config_id: new.config_id,
                scorer_id,
                experiment_id: new.experiment_id,
                sample_rate: new.sample_rate,
                filter: new.filter,
            })
        })
        .await
    }

    /// Of those scorers that have one.
    #[tracing::instrument(name = "db.evaluation.online_configs", skip_all)]
    pub async fn online_configs(&self, scope: &Scope, scorer_ids: Vec<String>) -> Result<Vec<OnlineConfigRow>> {
        let scope = scope.clone();
        self.query(move |tx| {
            let ids: Vec<&str> = scorer_ids.iter().map(String::as_str).collect();
            let mut rows = Vec::new();
            for (places, values) in in_lists(&ids, 1) {
                let sql = format!(
                    "SELECT o.config_id, o.scorer_id, o.experiment_id, o.sample_rate, o.filter, e.project \
                     FROM online_scoring_configs o JOIN experiments e ON e.id = o.experiment_id \
                     WHERE o.scorer_id IN ({places}) ORDER BY o.config_id"
                );
                rows.extend(tx.rows(&sql, &values, |row| Ok((row.text(5)?, read_config(&row)?)))?);
            }
            rows.retain(|(project, _)| scope.sees(project));
            Ok(rows.into_iter().map(|(_, row)| row).collect())
        })
        .await
    }
}

fn check(tx: &mut Tx<'_>, scope: &Scope, experiment_id: i64) -> Result<()> {
    expect_active(&expect_experiment(tx, scope, experiment_id)?)
}

fn id_of(tx: &mut Tx<'_>, experiment_id: i64, name: &str) -> Result<String> {
    let sql = "SELECT scorer_id FROM scorers WHERE experiment_id = $1 AND name = $2";
    let id = tx.row(sql, &[experiment_id.into(), name.into()], |row| row.text(0))?;
    id.ok_or_else(|| missing(experiment_id, name, None))
}

const COLUMNS: &str = "c.scorer_id, c.experiment_id, c.name, v.version, v.serialized, v.created_ms";

fn read(row: &Row<'_>) -> Result<ScorerRow> {
    Ok(ScorerRow {
        scorer_id: row.text(0)?,
        experiment_id: row.int(1)?,
        name: row.text(2)?,
        version: row.int(3)?,
        serialized: row.text(4)?,
        created_ms: row.int(5)?,
    })
}

fn read_config(row: &Row<'_>) -> Result<OnlineConfigRow> {
    Ok(OnlineConfigRow {
        config_id: row.text(0)?,
        scorer_id: row.text(1)?,
        experiment_id: row.int(2)?,
        sample_rate: row.real(3)?,
        filter: row.text_opt(4)?,
    })
}

/// Each with its project.
fn latest(tx: &mut Tx<'_>, condition: &str, values: &[Value<'_>]) -> Result<Vec<(String, ScorerRow)>> {
    let sql = format!(
        "SELECT {COLUMNS}, e.project FROM scorers c JOIN scorer_versions v ON v.scorer_id = c.scorer_id \
         JOIN experiments e ON e.id = c.experiment_id WHERE {condition} \
         AND v.version = (SELECT MAX(m.version) FROM scorer_versions m WHERE m.scorer_id = c.scorer_id) \
         ORDER BY c.experiment_id, c.name"
    );
    tx.rows(&sql, values, |row| Ok((row.text(6)?, read(&row)?)))
}

fn versions(tx: &mut Tx<'_>, experiment_id: i64, name: &str) -> Result<Vec<ScorerRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM scorers c JOIN scorer_versions v ON v.scorer_id = c.scorer_id \
         WHERE c.experiment_id = $1 AND c.name = $2 ORDER BY v.version"
    );
    tx.rows(&sql, &[experiment_id.into(), name.into()], |row| read(&row))
}

fn missing(experiment_id: i64, name: &str, version: Option<i64>) -> StoreError {
    StoreError::NotFound(match version {
        None => format!("Scorer with name '{name}' not found for experiment {experiment_id}."),
        Some(version) => {
            format!("Scorer with name '{name}' and version {version} not found for experiment {experiment_id}.")
        }
    })
}
