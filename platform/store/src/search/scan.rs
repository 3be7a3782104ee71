//! Reading records in order. Where the first key is in a side table, those that have it come through that table's index,
//! and the others after them.

use tiegel_search::{Field, PageToken};

use super::clause::Names;
use super::entity::{Searched, Side, Values};
use super::keys::{Class, Keys};
use super::query::{Found, Query};
use super::sql::{Bound, Places};
use crate::Result;
use crate::db::Tx;

/// Parts that are one statement on Postgres, where each statement is a round trip.
const PARTS_MAX: usize = 16;

/// The first records after `query.after`, up to `query.count`.
pub(super) fn scan(tx: &mut Tx<'_>, names: &Names, query: &Query<'_>) -> Result<Vec<Found>> {
    let first = First::of(names, query);
    let begun = query.after.as_ref().and_then(|after| after.keys.first()).map(Class::of);
    let mut found = Vec::new();
    for class in first.classes() {
        let class = *class;
        // The pages before are through with the classes before.
        if class.is_some() && class < begun {
            continue;
        }
        let after = query.after.as_ref().filter(|_| class.is_none() || class == begun);
        let phase = Phase { names, query, first: &first, class, after, count: query.count - found.len() };
        found.extend(phase.run(tx)?);
        if found.len() >= query.count {
            break;
        }
    }
    Ok(found)
}

/// What the first key of the order is, to the database.
enum First {
    /// Something that it can sort by at once.
    Any,
    /// A column that may be NULL.
    Nullable(&'static str),
    /// A side table whose index is in order, and the key there.
    Side(&'static Side, Bound),
}

impl First {
    fn of(names: &Names, query: &Query<'_>) -> Self {
        match query.order.keys.first().map(|key| &key.field) {
            Some(Field::Attribute(name, _)) => {
                let attribute = query.searched.attribute(name);
                if attribute.is_nullable { Self::Nullable(attribute.sql) } else { Self::Any }
            }
            Some(Field::Keyed(family, key)) => {
                let side = query.searched.side(*family);
                let is_sorted = side.scope.is_some() && side.latest.is_none();
                names.key(side, key).filter(|_| is_sorted).map_or(Self::Any, |key| Self::Side(side, key))
            }
            Some(Field::Related(..)) | None => Self::Any,
        }
    }

    /// One after the other, each read in order.
    fn classes(&self) -> &'static [Option<Class>] {
        match self {
            Self::Any => &[None],
            Self::Side(Side { values: Values::Number, .. }, _) => {
                &[Some(Class::Value), Some(Class::NaN), Some(Class::Missing)]
            }
            Self::Nullable(_) | Self::Side(..) => &[Some(Class::Value), Some(Class::Missing)],
        }
    }
}

/// The records of one class.
struct Phase<'p> {
    names: &'p Names,
    query: &'p Query<'p>,
    first: &'p First,
    class: Option<Class>,
    after: Option<&'p PageToken>,
    count: usize,
}

/// What one statement reads: an index is in order within one scope and stage only.
#[derive(Clone, Copy)]
struct Part<'p> {
    scope: &'p Bound,
    stages: &'p [&'static str],
}

impl Phase<'_> {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Found>> {
        let parts = self.parts();
        let at_once = if tx.is_sqlite() { 1 } else { PARTS_MAX };
        let mut found = Vec::new();
        for parts in parts.chunks(at_once) {
            let mut places = Places::default();
            let mut keys = None;
            let texts: Vec<_> = parts.iter().map(|part| self.statement(&mut places, *part, &mut keys)).collect();
            let text = match &texts[..] {
                [text] => text.clone(),
                _ => {
                    let each = texts.iter().enumerate().map(|(at, text)| format!("SELECT * FROM ({text}) AS p{at}"));
                    each.collect::<Vec<_>>().join(" UNION ALL ")
                }
            };
            if let Some(keys) = keys {
                found.extend(places.rows(tx, &text, |row| self.query.read(&keys, &row))?);
            }
        }
        if parts.len() > 1 {
            found.sort_by(|a, b| self.query.order.compare(&a.keys, &b.keys));
            found.truncate(self.count);
        }
        Ok(found)
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let Query { scopes, stages, .. } = *self.query;
        let by_stage = self.side().is_none() && stages.len() > 1;
        let stages_of_parts: Vec<&[&'static str]> = if by_stage { stages.chunks(1).collect() } else { vec![stages] };
        scopes.iter().flat_map(|scope| stages_of_parts.iter().map(move |stages| Part { scope, stages })).collect()
    }

    /// The side table that the statement begins with.
    fn side(&self) -> Option<(&'static Side, &Bound)> {
        match self.first {
            First::Side(side, key) if self.class != Some(Class::Missing) => Some((side, key)),
            _ => None,
        }
    }

    fn statement(&self, places: &mut Places, part: Part<'_>, keys: &mut Option<Keys>) -> String {
        let Searched { table, scope, .. } = self.query.searched;
        let columns = keys.insert(Keys::new(self.names, places, self.query.order, self.class));
        // Both databases take a cross join; to SQLite it says that the first table is the outer one.
        let (from, mut tests) = match self.side() {
            Some((side, key)) => {
                let from = format!("{} AS o0 CROSS JOIN {table} AS t", side.table);
                (from, self.tests_of_side(places, side, key, part.scope))
            }
            None => {
                let mut tests = vec![format!("t.{scope} = {}", places.add(part.scope))];
                tests.extend(self.test_of_class(places));
                (format!("{table} AS t"), tests)
            }
        };
        tests.extend(self.query.in_stages(places, part.stages));
        tests.extend(self.names.conditions(places, self.query.filter));
        tests.extend(self.after.map(|after| columns.after(places, &after.keys)));
        format!(
            "SELECT {} FROM {from}{} WHERE {} ORDER BY {} LIMIT {}",
            self.query.columns(columns),
            columns.joins(),
            tests.join(" AND "),
            columns.order_by(),
            places.add(i64::try_from(self.count).unwrap_or(i64::MAX)),
        )
    }

    fn tests_of_side(&self, places: &mut Places, side: &Side, key: &Bound, of: &Bound) -> Vec<String> {
        let Side { owner, key: column, scope, values, .. } = side;
        let mut tests = Vec::new();
        tests.extend(scope.map(|scope| format!("o0.{scope} = {}", places.add(of))));
        tests.push(format!("o0.{column} = {}", places.add(key)));
        if matches!(values, Values::Number) {
            tests.push(format!("o0.is_nan = {}", i32::from(self.class == Some(Class::NaN))));
        }
        tests.push(format!("t.{} = o0.{owner}", self.query.searched.id));
        tests
    }

    fn test_of_class(&self, places: &mut Places) -> Option<String> {
        let is_missing = self.class? == Class::Missing;
        match self.first {
            First::Nullable(sql) => Some(format!("{sql} IS {}NULL", if is_missing { "" } else { "NOT " })),
            First::Side(side, key) => {
                let Side { table, owner, key: column, .. } = side;
                let own = format!("s.{owner} = t.{} AND s.{column} = {}", self.query.searched.id, places.add(key));
                Some(format!("NOT EXISTS (SELECT 1 FROM {table} AS s WHERE {own})"))
            }
            First::Any => None,
        }
    }
}
