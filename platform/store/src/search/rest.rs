//! Regular expressions: no database has them as the grammar does, so what they refuse is left out afterwards.

use std::collections::HashSet;

use tiegel_search::{Clause, Condition, Field, Filter, Relation};

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
    let (about_spans, others): (Vec<_>, Vec<_>) =
        filter.clauses.iter().partition(|clause| matches!(clause.field, Field::Related(Relation::Span, _)));
    let alone = others.iter().filter(|clause| is_left(clause)).map(std::slice::from_ref);
    // All clauses about spans are about one and the same span.
    let together = about_spans.iter().any(|clause| is_left(clause)).then_some(&about_spans[..]);
    for clauses in alone.chain(together) {
        let mut matching = HashSet::new();
        for found in found.chunks(IDS_MAX) {
            add_matching(tx, names, clauses, found, &mut matching)?;
        }
        found.retain(|found| matching.contains(&found.id));
    }
    Ok(found)
}

/// The records that have a row whose values meet all clauses, which are about the columns of one such row.
fn add_matching(
    tx: &mut Tx<'_>,
    names: &Names,
    clauses: &[&Clause],
    found: &[Found],
    matching: &mut HashSet<Bound>,
) -> Result<()> {
    let mut places = Places::default();
    let Some(text) = statement(names, &mut places, clauses, found) else { return Ok(()) };
    let rows = places.rows(tx, &text, |row| {
        let mut is_match = true;
        for (at, clause) in clauses.iter().enumerate() {
            is_match &= clause.condition.holds_for_text(row.text_opt(at + 1)?.as_deref());
        }
        Ok(is_match.then_some(names.searched.read_id(&row)?))
    })?;
    matching.extend(rows.into_iter().flatten());
    Ok(())
}

/// Selects the record and a value for each clause.
fn statement(names: &Names, places: &mut Places, clauses: &[&Clause], found: &[Found]) -> Option<String> {
    let searched = names.searched;
    let ids = places.add_all(found.iter().map(|found| &found.id));
    Some(match &clauses.first()?.field {
        Field::Attribute(name, _) => {
            let sql = searched.attribute(name).sql;
            format!(
                "SELECT t.{0}, {sql} FROM {1} AS t WHERE t.{0} IN ({ids}) AND {sql} IS NOT NULL",
                searched.id, searched.table
            )
        }
        Field::Keyed(family, key) => {
            let side = searched.side(*family);
            let key = places.add(names.key(side, key)?);
            let Side { table, owner, key: column, values, .. } = side;
            let value = match values {
                Values::Split => "s.head || COALESCE(s.rest, '')".to_owned(),
                Values::Whole(value) => format!("s.{value}"),
                Values::Json => "s.value".to_owned(),
                Values::Number => return None,
            };
            format!("SELECT s.{owner}, {value} FROM {table} AS s WHERE s.{owner} IN ({ids}) AND s.{column} = {key}")
        }
        Field::Related(relation, property) => {
            let link = names.link(*relation, property);
            let value = |clause: &&Clause| match &clause.field {
                Field::Related(_, property) => names.related_value(places, *relation, property),
                Field::Attribute(..) | Field::Keyed(..) => "NULL".to_owned(),
            };
            let values: Vec<String> = clauses.iter().map(value).collect();
            format!("SELECT {0}, {1} FROM {2} WHERE {0} IN ({ids})", link.owner, values.join(", "), link.from)
        }
    })
}
