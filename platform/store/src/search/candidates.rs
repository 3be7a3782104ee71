//! The records that one clause leaves, where an index finds them and they are few.

use std::collections::HashSet;

use tiegel_search::{Clause, Condition, Family, Field, Filter, Op, Relation};

use super::clause::{Names, on_datasets};
use super::compare::{Dialect, Subject, is_short};
use super::entity::{Link, Lookup, Searched, Side, Values};
use super::query::Query;
use super::sql::{Bound, Places};
use crate::Result;
use crate::db::Tx;
use crate::tracking::{HEAD_CHARS, split};

/// So few that no other clause need be tried.
const CANDIDATES_FEW: usize = 100;
/// Ids of one statement.
pub(super) const IDS_MAX: usize = 500;

/// All records that a filter can match, and what they must still be asked.
pub(super) struct Candidates {
    pub ids: Vec<Bound>,
    pub rest: Filter,
}

/// Of the clauses that an index answers, the matches of the one with the fewest. None where all have many.
pub(super) fn candidates(tx: &mut Tx<'_>, names: &Names, query: &Query<'_>) -> Result<Option<Candidates>> {
    let clauses = &query.filter.clauses;
    let mut selective: Vec<_> = (0..clauses.len()).filter(|at| is_selective(&clauses[*at])).collect();
    selective.sort_by_key(|at| cost(&clauses[*at].condition));
    let mut fewest: Option<(usize, Vec<Bound>)> = None;
    for at in selective {
        let most = fewest.as_ref().map_or(query.tuning.candidates_max, |(_, found)| found.len());
        let found = matches_of(tx, names, query, &clauses[at], most)?;
        fewest = found.map(|found| (at, found)).or(fewest);
        if fewest.as_ref().is_some_and(|(_, found)| found.len() <= CANDIDATES_FEW) {
            break;
        }
    }
    Ok(fewest.map(|(at, ids)| {
        let mut rest = query.filter.clone();
        if is_exact(names, &clauses[at]) {
            rest.clauses.remove(at);
        }
        Candidates { ids, rest }
    }))
}

/// Whether the index tells all that the clause asks.
fn is_exact(names: &Names, clause: &Clause) -> bool {
    match (&clause.field, &clause.condition) {
        (_, Condition::Matches(_)) => false,
        (Field::Keyed(family, _), condition) => match (names.searched.side(*family).values, condition) {
            (Values::Split, Condition::Equal(value)) => is_short(value),
            (Values::Split, Condition::Present) => true,
            (Values::Split, _) => false,
            // The datasets of a filter are about metrics as long as there is one.
            (Values::Number, _) => true,
            (Values::Whole(_) | Values::Json, _) => true,
        },
        (Field::Attribute(..) | Field::Related(..), _) => true,
    }
}

/// Whether an index finds what meets the clause, rather than nearly everything.
fn is_selective(clause: &Clause) -> bool {
    !matches!(
        clause.condition,
        Condition::Differs(_)
            | Condition::Number(Op::Differs, _)
            | Condition::Integer(..)
            | Condition::IntegerIn(_)
            | Condition::IntegerNotIn(_)
            | Condition::NotIn(_)
            | Condition::Missing
            | Condition::Unless(_)
            | Condition::Never
    )
}

/// Which clause to try first: a pattern may have to look at all values of its key.
fn cost(condition: &Condition) -> u8 {
    match condition {
        Condition::Equal(_) | Condition::In(_) => 0,
        Condition::Like(_) | Condition::Matches(_) => 2,
        _ => 1,
    }
}

/// The records that meet a clause, and some that may not; none if an index does not find them or they are too many.
fn matches_of(
    tx: &mut Tx<'_>,
    names: &Names,
    query: &Query<'_>,
    clause: &Clause,
    most: usize,
) -> Result<Option<Vec<Bound>>> {
    let searched = names.searched;
    match (&clause.field, &clause.condition) {
        (Field::Attribute(name, _), condition) => match (&searched.attribute(name).lookup, condition) {
            (Lookup::Unique, Condition::Equal(value)) => unique(tx, names, name, std::slice::from_ref(value)).map(Some),
            (Lookup::Unique, Condition::In(values)) => unique(tx, names, name, values).map(Some),
            (Lookup::Indexed, condition) => indexed(tx, names, query, (name, condition), most),
            _ => Ok(None),
        },
        (Field::Keyed(family, key), condition) => sided(tx, names, query, (*family, key, condition), most),
        (Field::Related(Relation::Span, _), _) => Ok(None),
        (Field::Related(relation, property), condition) => {
            let link = names.link(*relation, property);
            linked(tx, names, query, (link, condition), most)
        }
    }
}

fn unique(tx: &mut Tx<'_>, names: &Names, attribute: &str, values: &[String]) -> Result<Vec<Bound>> {
    let searched = names.searched;
    let sql = searched.attribute(attribute).sql;
    let mut found = Vec::new();
    for values in values.chunks(IDS_MAX) {
        let mut places = Places::default();
        let list = places.add_all(values);
        let text = format!("SELECT t.{} FROM {} AS t WHERE {sql} IN ({list})", searched.id, searched.table);
        found.extend(places.rows(tx, &text, |row| names.searched.read_id(&row))?);
    }
    Ok(distinct(found))
}

/// By an index of scope and value.
fn indexed(
    tx: &mut Tx<'_>,
    names: &Names,
    query: &Query<'_>,
    (attribute, condition): (&str, &Condition),
    most: usize,
) -> Result<Option<Vec<Bound>>> {
    let Searched { table, id, scope, .. } = names.searched;
    let sql = names.searched.attribute(attribute).sql;
    let statement = |places: &mut Places, of: &Bound, most: usize| {
        let mut tests = vec![format!("t.{scope} = {}", places.add(of)), format!("{sql} IS NOT NULL")];
        tests.extend(names.dialect.condition(places, &Subject::Plain(sql), condition));
        format!("SELECT t.{id} FROM {table} AS t WHERE {} LIMIT {}", tests.join(" AND "), places.add(limit(most)))
    };
    collect(tx, names, query, most, statement)
}

/// By an index of scope, key and value.
fn sided(
    tx: &mut Tx<'_>,
    names: &Names,
    query: &Query<'_>,
    (family, key, condition): (Family, &str, &Condition),
    most: usize,
) -> Result<Option<Vec<Bound>>> {
    let side = names.searched.side(family);
    let (Some(scope), Some(key)) = (side.scope, names.key(side, key)) else { return Ok(None) };
    let Side { table, owner, key: column, values, .. } = side;
    let statement = |places: &mut Places, value: &Bound, most: usize| {
        let mut tests =
            vec![format!("s.{scope} = {}", places.add(value)), format!("s.{column} = {}", places.add(&key))];
        tests.extend(names.dialect.loose(places, &Subject::Side("s", *values), condition));
        if family == Family::Metric {
            tests.extend(on_datasets(places, &query.filter.datasets));
        }
        format!("SELECT s.{owner} FROM {table} AS s WHERE {} LIMIT {}", tests.join(" AND "), places.add(limit(most)))
    };
    collect(tx, names, query, most, statement)
}

fn linked(
    tx: &mut Tx<'_>,
    names: &Names,
    query: &Query<'_>,
    (link, condition): (&Link, &Condition),
    most: usize,
) -> Result<Option<Vec<Bound>>> {
    let Link { from, owner, value, scope: Some(scope), .. } = link else { return Ok(None) };
    let statement = |places: &mut Places, of: &Bound, most: usize| {
        let mut tests = vec![format!("{scope} = {}", places.add(of))];
        tests.extend(names.dialect.condition(places, &Subject::Plain(value), condition));
        format!("SELECT {owner} FROM {from} WHERE {} LIMIT {}", tests.join(" AND "), places.add(limit(most)))
    };
    collect(tx, names, query, most, statement)
}

/// Ids of all scopes, unless there are more than `most`.
fn collect(
    tx: &mut Tx<'_>,
    names: &Names,
    query: &Query<'_>,
    most: usize,
    statement: impl Fn(&mut Places, &Bound, usize) -> String,
) -> Result<Option<Vec<Bound>>> {
    let mut found = Vec::new();
    for scope in query.scopes {
        let mut places = Places::default();
        let text = statement(&mut places, scope, most - found.len());
        found.extend(places.rows(tx, &text, |row| names.searched.read_id(&row))?);
        if found.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(distinct(found)))
}

/// One more than wanted tells that there are more.
fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)
}

fn distinct(ids: Vec<Bound>) -> Vec<Bound> {
    let mut seen = HashSet::with_capacity(ids.len());
    ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
}

impl Dialect {
    /// A condition that an index of heads answers alone, and that nothing fails which meets the real one.
    fn loose(self, places: &mut Places, subject: &Subject<'_>, condition: &Condition) -> Option<String> {
        match (subject, condition) {
            (Subject::Side(row, Values::Split), Condition::Like(pattern)) => {
                let like = self.like(places, &format!("{row}.head"), pattern);
                Some(format!("({like} OR length({row}.head) >= {})", HEAD_CHARS))
            }
            (Subject::Side(row, Values::Split), Condition::Equal(value)) => {
                Some(format!("{row}.head = {}", places.add(split(value).0)))
            }
            (_, Condition::Present | Condition::Matches(_)) => None,
            _ => self.condition(places, subject, condition),
        }
    }
}
