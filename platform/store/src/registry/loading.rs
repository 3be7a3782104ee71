//! Reading models and versions with what belongs to them, in a fixed number of statements however many there are.

use std::collections::HashMap;

use super::{AliasRow, ModelRow, ModelVersionRow};
use crate::Result;
use crate::db::{Row, Tx, Value};

const VERSION: &str = "SELECT id, name, project, version, description, user_id, stage, source, storage_location, run_id, \
                       run_link, logged_model_id, bundle, job_id, metrics, signature, created_ms, updated_ms \
                       FROM model_versions ";
const MODEL: &str = "SELECT id, name, project, description, created_ms, updated_ms FROM registered_models ";

/// Versions by a condition and an order, such as `WHERE name = $1`.
pub(crate) fn versions(tx: &mut Tx<'_>, rest: &str, values: &[Value<'_>]) -> Result<Vec<ModelVersionRow>> {
    let mut versions = tx.rows(&format!("{VERSION}{rest}"), values, version_of)?;
    attach_to_versions(tx, &mut versions)?;
    Ok(versions)
}

/// Models by a condition and an order.
pub(crate) fn models(tx: &mut Tx<'_>, rest: &str, values: &[Value<'_>]) -> Result<Vec<ModelRow>> {
    let mut models = tx.rows(&format!("{MODEL}{rest}"), values, model_of)?;
    attach_to_models(tx, &mut models)?;
    Ok(models)
}

/// As a condition: the integers of a JSON list that is the first value.
pub(crate) fn in_first(tx: &Tx<'_>) -> &'static str {
    if tx.is_sqlite() {
        "IN (SELECT value FROM json_each($1))"
    } else {
        "IN (SELECT value::bigint FROM json_array_elements_text($1::json))"
    }
}

/// The list that [`in_first`] reads.
pub(crate) fn list(ids: impl IntoIterator<Item = i64>) -> String {
    let ids: Vec<_> = ids.into_iter().map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}

/// As [`in_first`], for a list of texts.
pub(crate) fn text_in_first(tx: &Tx<'_>) -> &'static str {
    if tx.is_sqlite() {
        "IN (SELECT value FROM json_each($1))"
    } else {
        "IN (SELECT json_array_elements_text($1::json))"
    }
}

/// The list that [`text_in_first`] reads.
pub(crate) fn list_of_texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}

fn attach_to_versions(tx: &mut Tx<'_>, versions: &mut [ModelVersionRow]) -> Result<()> {
    if versions.is_empty() {
        return Ok(());
    }
    let ids = list(versions.iter().map(|version| version.id));
    let places: HashMap<i64, usize> = versions.iter().enumerate().map(|(at, version)| (version.id, at)).collect();
    let within = in_first(tx);
    let sql =
        format!("SELECT version, key, value FROM model_version_tags WHERE version {within} ORDER BY version, key");
    tx.for_each(&sql, &[(&ids).into()], |row| {
        versions[places[&row.int(0)?]].tags.push((row.text(1)?, row.text(2)?));
        Ok(())
    })?;
    let sql = format!(
        "SELECT v.id, a.alias FROM model_versions v JOIN model_aliases a ON a.model = v.model AND a.version = v.version \
         WHERE v.id {within} ORDER BY v.id, a.alias"
    );
    tx.for_each(&sql, &[(&ids).into()], |row| {
        versions[places[&row.int(0)?]].aliases.push(row.text(1)?);
        Ok(())
    })
}

fn attach_to_models(tx: &mut Tx<'_>, models: &mut [ModelRow]) -> Result<()> {
    if models.is_empty() {
        return Ok(());
    }
    let ids = list(models.iter().map(|model| model.id));
    let places: HashMap<i64, usize> = models.iter().enumerate().map(|(at, model)| (model.id, at)).collect();
    let within = in_first(tx);
    let sql = format!("SELECT model, key, value FROM registered_model_tags WHERE model {within} ORDER BY model, key");
    tx.for_each(&sql, &[(&ids).into()], |row| {
        models[places[&row.int(0)?]].tags.push((row.text(1)?, row.text(2)?));
        Ok(())
    })?;
    let sql = format!(
        "SELECT model, alias, version, updated_ms FROM model_aliases WHERE model {within} ORDER BY model, alias"
    );
    tx.for_each(&sql, &[(&ids).into()], |row| {
        models[places[&row.int(0)?]].aliases.push(alias_of(&row, 1)?);
        Ok(())
    })?;
    let names: HashMap<String, i64> = models.iter().map(|model| (model.name.clone(), model.id)).collect();
    for version in latest_of(tx, &ids)? {
        models[places[&names[&version.model]]].latest.push(version);
    }
    Ok(())
}

/// The newest version of each stage of each model; the stage of a model's oldest version first.
fn latest_of(tx: &mut Tx<'_>, models: &String) -> Result<Vec<ModelVersionRow>> {
    let within = in_first(tx);
    let sql = format!(
        "SELECT n.newest FROM (SELECT model, stage, MIN(version) AS oldest, MAX(version) AS newest FROM model_versions \
         WHERE model {within} GROUP BY model, stage) AS s \
         JOIN (SELECT id AS newest, model, version FROM model_versions WHERE model {within}) AS n \
         ON n.model = s.model AND n.version = s.newest ORDER BY s.model, s.oldest"
    );
    let newest = tx.rows(&sql, &[models.into()], |row| row.int(0))?;
    let ids = list(newest.iter().copied());
    let found = versions(tx, &format!("WHERE id {within}"), &[(&ids).into()])?;
    let places: HashMap<i64, usize> = newest.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let mut found: Vec<_> = found.into_iter().map(|version| (places[&version.id], version)).collect();
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, version)| version).collect())
}

fn model_of(row: Row<'_>) -> Result<ModelRow> {
    Ok(ModelRow {
        id: row.int(0)?,
        name: row.text(1)?,
        project: row.parsed(2)?,
        description: row.text(3)?,
        created_ms: row.int(4)?,
        updated_ms: row.int(5)?,
        tags: vec![],
        aliases: vec![],
        latest: vec![],
    })
}

fn version_of(row: Row<'_>) -> Result<ModelVersionRow> {
    Ok(ModelVersionRow {
        id: row.int(0)?,
        model: row.text(1)?,
        project: row.parsed(2)?,
        version: row.count(3)?,
        description: row.text_opt(4)?,
        user: row.text_opt(5)?,
        stage: row.parsed(6)?,
        source: row.text(7)?,
        storage_location: row.text(8)?,
        run_id: row.text(9)?,
        run_link: row.text(10)?,
        logged_model_id: row.text_opt(11)?,
        bundle: row.parsed_opt(12)?,
        job_id: row.parsed_opt(13)?,
        metrics: row.json(14)?,
        signature: row.json_opt(15)?,
        created_ms: row.int(16)?,
        updated_ms: row.int(17)?,
        tags: vec![],
        aliases: vec![],
    })
}

pub(super) fn alias_of(row: &Row<'_>, first: usize) -> Result<AliasRow> {
    Ok(AliasRow { alias: row.text(first)?, version: row.count(first + 1)?, updated_ms: row.int(first + 2)? })
}
