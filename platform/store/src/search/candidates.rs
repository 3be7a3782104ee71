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

/// What clauses leave that an index answers at once, if that is little.
pub(super) fn few(tx: &mut Tx<'_>, names: &Names, query: &Query<'_>) -> Result<Option<Candidates>> {
    let clauses = &query.filter.clauses;
    let quick: Vec<usize> = selective(names, clauses).filter(|at| is_quick(&clauses[*at].condition)).collect();
    let mut fewest: Option<(usize, Vec<Bound>)> = None;
    for at in &quick {
        let most = fewest.as_ref().map_or(query.tuning.few, |(_, found)| found.len());
        let found = matches_of(tx, names, query, &clauses[*at], most)?;
        fewest = found.map(|found| (*at, found)).or(fewest);
        if fewest.as_ref().is_some_and(|(_, found)| found.len() <= CANDIDATES_FEW) {
            break;
        }
    }
    if let Some((at, ids)) = fewest {
        return Ok(Some(Candidates { ids, rest: rest(names, query.filter, &[at]) }));
    }
    if quick.len() < 2 {
        return Ok(None);
    }
    let common = intersection(tx, names, query, &quick)?;
    Ok(common.filter(|candidates| candidates.ids.len() <= query.tuning.few))
}

/// What clauses leave, if it is not too much.
pub(super) fn many(tx: &mut Tx<'_>, names: &Names, query: &Query<'_>) -> Result<Option<Candidates>> {
    let all: Vec<usize> = selective(names, &query.filter.clauses).collect();
    intersection(tx, names, query, &all)
}

/// What those of the clauses leave that each leave not too much.
fn intersection(tx: &mut Tx<'_>, names: &Names, query: &Query<'_>, clauses: &[usize]) -> Result<Option<Candidates>> {
    let mut common: Option<Vec<Bound>> = None;
    let mut met = Vec::new();
    for at in clauses {
        let Some(found) = matches_of(tx, names, query, &query.filter.clauses[*at], query.tuning.many)? else {
            continue;
        };
        met.push(*at);
        common = Some(match common {
            None => found,
            Some(mut common) => {
                let found: HashSet<Bound> = found.into_iter().collect();
                common.retain(|id| found.contains(id));
                common
            }
        });
        if common.as_ref().is_some_and(|common| common.len() <= CANDIDATES_FEW) {
            break;
        }
    }
    Ok(common.map(|ids| Candidates { ids, rest: rest(names, query.filter, &met) }))
}

/// What the candidates of these clauses must still be asked.
fn rest(names: &Names, filter: &Filter, met: &[usize]) -> Filter {
    let is_told = |at: usize, clause: &Clause| met.contains(&at) && is_exact(names, clause);
    let clauses = filter.clauses.iter().enumerate().filter(|(at, clause)| !is_told(*at, clause));
    Filter { clauses: clauses.map(|(_, clause)| clause.clone()).collect(), datasets: filter.datasets.clone() }
}

/// Clauses whose matches an index finds, rather than nearly everything.
fn selective(names: &Names, clauses: &[Clause]) -> impl Iterator<Item = usize> {
    (0..clauses.len()).filter(|at| is_selective(names, &clauses[*at]))
}

fn is_selective(names: &Names, clause: &Clause) -> bool {
    let is_indexed = match &clause.field {
        Field::Attribute(name, _) => matches!(names.searched.attribute(name).lookup, Lookup::Indexed),
        Field::Keyed(..) | Field::Related(..) => false,
    };
    match &clause.condition {
        Condition::Integer(op, _) => is_indexed && *op != Op::Differs,
        Condition::Number(op, _) => *op != Op::Differs,
        // Found by what all those have that have a value.
        Condition::Missing => lacks_a_key(names, &clause.field),
        Condition::Equal(_) | Condition::Like(_) | Condition::Matches(_) | Condition::In(_) | Condition::Present => {
            true
        }
        Condition::IntegerIn(_)
        | Condition::IntegerNotIn(_)
        | Condition::Differs(_)
        | Condition::NotIn(_)
        | Condition::Unless(_)
        | Condition::Never => false,
    }
}

fn lacks_a_key(names: &Names, field: &Field) -> bool {
    match field {
        Field::Keyed(family, _) => {
            let side = names.searched.side(*family);
            *family != Family::Metric && side.is_interned && side.scope.is_some()
        }
        Field::Attribute(..) | Field::Related(..) => false,
    }
}

/// Not so what may have to look at all values of its key before it finds a record.
fn is_quick(condition: &Condition) -> bool {
    !matches!(condition, Condition::Like(_) | Condition::Matches(_) | Condition::Missing)
}

/// Whether the index tells all that the clause asks.
fn is_exact(names: &Names, clause: &Clause) -> bool {
    match (&clause.field, &clause.condition) {
        (_, Condition::Matches(_)) => false,
        (Field::Keyed(family, _), condition) => match (names.searched.side(*family).values, condition) {
            (Values::Split, Condition::Equal(value)) => is_short(value),
            (Values::Split, Condition::Present | Condition::Missing) => true,
            (Values::Split, _) => false,
            // The datasets of a filter are about metrics as long as there is one.
            (Values::Number, _) => true,
            (Values::Whole(_) | Values::Json, _) => true,
        },
        (Field::Attribute(..) | Field::Related(..), _) => true,
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
        (Field::Keyed(family, key), Condition::Missing) => lacking(tx, names, query, (*family, key), most),
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
        // Where blanks are none, an index has only the others.
        let blank =
            if searched.attribute(attribute).is_blank_none { format!(" AND {sql} <> ''") } else { String::new() };
        let text = format!("SELECT t.{} FROM {} AS t WHERE {sql} IN ({list}){blank}", searched.id, searched.table);
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
        tests.extend(query.in_stages(places, query.stages));
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

/// The records without a key: all of them, without those that have it. In memory, as SQLite would make an index of them.
fn lacking(
    tx: &mut Tx<'_>,
    names: &Names,
    query: &Query<'_>,
    (family, key): (Family, &str),
    most: usize,
) -> Result<Option<Vec<Bound>>> {
    let side = names.searched.side(family);
    let (Some(scope), Some(key)) = (side.scope, names.key(side, key)) else { return Ok(None) };
    let Side { table, owner, key: column, .. } = side;
    let mut found = Vec::new();
    for of in query.scopes {
        let all = |places: &mut Places| {
            let mut tests = vec![format!("t.{} = {}", names.searched.scope, places.add(of))];
            tests.extend(query.in_stages(places, query.stages));
            format!("SELECT t.{} FROM {} AS t WHERE {}", names.searched.id, names.searched.table, tests.join(" AND "))
        };
        let having = |places: &mut Places| {
            let (of, key) = (places.add(of), places.add(&key));
            format!("SELECT s.{owner} FROM {table} AS s WHERE s.{scope} = {of} AND s.{column} = {key}")
        };
        let mut places = Places::default();
        if names.dialect == Dialect::Postgres {
            let text = format!("{} EXCEPT {} LIMIT {}", all(&mut places), having(&mut places), limit(most));
            found.extend(places.rows(tx, &text, |row| names.searched.read_id(&row))?);
        } else {
            let text = having(&mut places);
            let having: HashSet<Bound> =
                places.rows(tx, &text, |row| names.searched.read_id(&row))?.into_iter().collect();
            let mut places = Places::default();
            let text = all(&mut places);
            let all = places.rows(tx, &text, |row| names.searched.read_id(&row))?;
            found.extend(all.into_iter().filter(|id| !having.contains(id)));
        }
        if found.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(found))
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
                // Its bytes are known without counting characters, of which there are no more.
                Some(format!("({like} OR octet_length({row}.head) >= {})", HEAD_CHARS))
            }
            (Subject::Side(row, Values::Split), Condition::Equal(value)) => {
                Some(format!("{row}.head = {}", places.add(split(value).0)))
            }
            (_, Condition::Present | Condition::Matches(_)) => None,
            _ => self.condition(places, subject, condition),
        }
    }
}
