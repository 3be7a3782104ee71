//! Regular expressions: no database has them as the grammar does, so what they refuse is left out afterwards.

use std::collections::HashMap;

use tiegel_search::{Clause, Condition, Field, Filter};

use super::candidates::IDS_MAX;
use super::clause::Names;
use super::entity::{Side, Values};
use super::query::Found;
use super::sql::{Bound, Places};
use crate::Result;
use crate::db::Tx;

/// Whether SQL leaves records that the filter refuses.
pub(super) fn is_needed(filter: &Filter) -> bool {
    filter.clauses.iter().any(is_left)
}

fn is_left(clause: &Clause) -> bool {
    matches!(clause.condition, Condition::Matches(_))
}

/// Those of the records that the filter does not refuse.
pub(super) fn kept(tx: &mut Tx<'_>, names: &Names, filter: &Filter, mut found: Vec<Found>) -> Result<Vec<Found>> {
    for clause in filter.clauses.iter().filter(|clause| is_left(clause)) {
        let mut values = HashMap::new();
        for found in found.chunks(IDS_MAX) {
            values.extend(values_of(tx, names, &clause.field, found)?);
        }
        found.retain(|found| clause.condition.holds_for_text(values.get(&found.id).map(String::as_str)));
    }
    Ok(found)
}

fn values_of(tx: &mut Tx<'_>, names: &Names, field: &Field, found: &[Found]) -> Result<Vec<(Bound, String)>> {
    let searched = names.searched;
    let mut places = Places::default();
    let ids = places.add_all(found.iter().map(|found| &found.id));
    let text = match field {
        Field::Attribute(name, _) => {
            let sql = searched.attribute(name).sql;
            format!(
                "SELECT t.{0}, {sql} FROM {1} AS t WHERE t.{0} IN ({ids}) AND {sql} IS NOT NULL",
                searched.id, searched.table
            )
        }
        Field::Keyed(family, key) => {
            let side = searched.side(*family);
            let Some(bound) = names.key(side, key) else { return Ok(Vec::new()) };
            let Side { table, owner, key: column, values, .. } = side;
            let value = match values {
                Values::Split => "s.head || COALESCE(s.rest, '')".to_owned(),
                Values::Whole(value) => format!("s.{value}"),
                Values::Number => return Ok(Vec::new()),
            };
            let key = places.add(bound);
            format!("SELECT s.{owner}, {value} FROM {table} AS s WHERE s.{owner} IN ({ids}) AND s.{column} = {key}")
        }
        Field::Related(..) => return Ok(Vec::new()),
    };
    places.rows(tx, &text, |row| Ok((searched.read_id(&row)?, row.text(1)?)))
}
