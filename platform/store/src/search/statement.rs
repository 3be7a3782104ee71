//! The statements that read in order.

use tiegel_search::{Field, KeyValue, Kind, PageToken};

use super::clause::{Conditions, Reach};
use super::entity::{Searched, Side, Values};
use super::keys::{Class, Keys};
use super::query::Found;
use super::scan::{First, Phase};
use super::sql::{Bound, Places};
use crate::Result;
use crate::db::{Row, Tx};
use crate::tracking::HEAD_CHARS;

/// What one statement reads of: an index is in order within one scope and stage only.
#[derive(Clone, Copy)]
pub(super) struct Part<'p> {
    pub scope: &'p Bound,
    pub stages: &'p [&'static str],
}

/// From where to where a statement reads: after a record, and between values of the first key.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretch {
    pub after: Option<PageToken>,
    pub beyond: Option<KeyValue>,
    pub until: Option<(Sign, KeyValue)>,
    /// Makes the set of all matches first.
    pub by_sets: bool,
}

/// Where values are, seen in the direction of the first key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Before,
    /// Before it, or the same.
    Within,
    Same,
    /// The same, or beyond it.
    From,
    Beyond,
}

impl Stretch {
    /// The first key's value of the record that it is after.
    pub fn begun(&self) -> Option<&KeyValue> {
        self.after.as_ref().and_then(|after| after.keys.first())
    }
}

impl Phase<'_> {
    /// The side table that statements begin with.
    pub fn side(&self) -> Option<(&'static Side, &Bound)> {
        match self.first {
            First::Side(side, key) if self.class != Some(Class::Missing) => Some((side, key)),
            _ => None,
        }
    }

    /// The first records of a stretch.
    pub fn rows(&self, tx: &mut Tx<'_>, part: Part<'_>, stretch: &Stretch, count: usize) -> Result<Vec<Found>> {
        let mut places = Places::default();
        let (text, keys) = self.statement(&mut places, part, stretch, count);
        places.rows(tx, &text, |row| self.query.read(&keys, &row))
    }

    /// The first records of each part, in one statement.
    pub fn together(&self, tx: &mut Tx<'_>, parts: &[Part<'_>]) -> Result<Vec<Found>> {
        let stretch = Stretch { after: self.after.cloned(), ..Stretch::default() };
        let mut places = Places::default();
        let statements: Vec<_> =
            parts.iter().map(|part| self.statement(&mut places, *part, &stretch, self.count)).collect();
        let select = |(at, (text, _)): (usize, &(String, Keys))| format!("SELECT * FROM ({text}) AS p{at}");
        let text = statements.iter().enumerate().map(select).collect::<Vec<_>>().join(" UNION ALL ");
        let Some((_, keys)) = statements.first() else { return Ok(Vec::new()) };
        places.rows(tx, &text, |row| self.query.read(keys, &row))
    }

    fn statement(&self, places: &mut Places, part: Part<'_>, stretch: &Stretch, count: usize) -> (String, Keys) {
        let Searched { table, id, .. } = self.query.searched;
        let keys = Keys::new(self.names, places, self.query.order, self.class);
        let (mut from, mut tests) = self.source(places, part);
        let own = format!("t.{id}");
        let id = match self.side() {
            // Both databases take a cross join; to SQLite it says that the first table is the outer one.
            Some((side, _)) => {
                let owner = format!("o0.{}", side.owner);
                from = format!("{from} CROSS JOIN {table} AS t");
                tests.push(format!("{own} = {owner}"));
                tests.extend(self.query.in_stages(places, part.stages));
                owner
            }
            None => own,
        };
        tests.extend(self.bounds(places, stretch));
        tests.extend(stretch.after.as_ref().map(|after| keys.after(places, &after.keys)));
        let reach = Reach { id: &id, sets_of: stretch.by_sets.then_some(part.scope) };
        let conditions = Conditions::new(self.names, places, self.query.filter, reach);
        tests.extend(conditions.tests);
        let text = format!(
            "{}SELECT {} FROM {from}{} WHERE {} ORDER BY {} LIMIT {}",
            with(&conditions.sets),
            self.query.columns(&keys),
            keys.joins(),
            tests.join(" AND "),
            keys.order_by(),
            places.add(integer(count)),
        );
        (text, keys)
    }

    /// The value of the first key in the row of a stretch with this number, from 0, before the filter is asked. None if
    /// there is no such row, or nothing that is fast to read in order.
    pub fn value_at(&self, tx: &mut Tx<'_>, part: Part<'_>, stretch: &Stretch, at: usize) -> Result<Option<KeyValue>> {
        let Some(column) = self.column() else { return Ok(None) };
        let mut places = Places::default();
        let (from, mut tests) = self.source(&mut places, part);
        tests.extend(self.bounds(&mut places, stretch));
        let begun = stretch.begun().map(|value| self.bound(&mut places, Sign::From, value));
        tests.extend(begun.flatten());
        let direction = if self.is_ascending() { "" } else { " DESC" };
        let text = format!(
            "SELECT {column} FROM {from} WHERE {} ORDER BY {column}{direction} LIMIT 1 OFFSET {}",
            tests.join(" AND "),
            places.add(integer(at))
        );
        let found = places.rows(tx, &text, |row| self.first_value(&row))?;
        // What a head is of, it does not say by itself.
        let is_whole = |value: &KeyValue| !matches!(value, KeyValue::Text(text) if text.chars().count() >= HEAD_CHARS);
        Ok(found.into_iter().next().filter(is_whole))
    }

    /// Where rows are read from, and what keeps to the part.
    fn source(&self, places: &mut Places, part: Part<'_>) -> (String, Vec<String>) {
        let Searched { table, scope, .. } = self.query.searched;
        let Some((side, key)) = self.side() else {
            let mut tests = vec![format!("t.{scope} = {}", places.add(part.scope))];
            tests.extend(self.query.in_stages(places, part.stages));
            tests.extend(self.test_of_class(places));
            tests.extend(self.test_of_index());
            return (format!("{table} AS t"), tests);
        };
        let mut tests = Vec::new();
        tests.extend(side.scope.map(|scope| format!("o0.{scope} = {}", places.add(part.scope))));
        tests.push(format!("o0.{} = {}", side.key, places.add(key)));
        if matches!(side.values, Values::Number) {
            tests.push(format!("o0.is_nan = {}", i32::from(self.class == Some(Class::NaN))));
        }
        (format!("{} AS o0", side.table), tests)
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

    /// True of every row. SQLite tells by it that the index of a text's head, which says little about the order after it, is
    /// still the one to read: else it takes any index of the scope and sorts all rows.
    fn test_of_index(&self) -> Option<String> {
        let is_whole = matches!(self.first, First::Any) && self.sorts_by_text();
        self.column().filter(|_| is_whole).map(|column| format!("{column} >= ''"))
    }

    /// The first key's column, where an index has it in order.
    fn column(&self) -> Option<&'static str> {
        if let Some((side, _)) = self.side() {
            return match side.values {
                Values::Number if self.class == Some(Class::Value) => Some("o0.value"),
                Values::Split => Some("o0.head"),
                _ => None,
            };
        }
        match self.query.order.keys.first().map(|key| &key.field) {
            Some(Field::Attribute(name, _)) => {
                let attribute = self.query.searched.attribute(name);
                (attribute.is_sorted && self.class != Some(Class::Missing)).then_some(attribute.sorted_sql())
            }
            _ => None,
        }
    }

    fn first_value(&self, row: &Row<'_>) -> Result<KeyValue> {
        Ok(match self.side().map(|(side, _)| side.values) {
            Some(Values::Number) => KeyValue::of_number(row.real(0)?),
            Some(_) => KeyValue::Text(row.text(0)?),
            None if self.sorts_by_text() => KeyValue::Text(row.text(0)?),
            None => KeyValue::Integer(row.int(0)?),
        })
    }

    fn sorts_by_text(&self) -> bool {
        let field = self.query.order.keys.first().map(|key| &key.field);
        matches!(field, Some(Field::Attribute(_, Kind::Text)))
    }

    fn is_ascending(&self) -> bool {
        self.query.order.keys.first().is_none_or(|key| key.ascending)
    }

    fn bounds(&self, places: &mut Places, stretch: &Stretch) -> Vec<String> {
        let beyond = stretch.beyond.as_ref().map(|value| (Sign::Beyond, value));
        let until = stretch.until.as_ref().map(|(sign, value)| (*sign, value));
        beyond.into_iter().chain(until).filter_map(|(sign, value)| self.bound(places, sign, value)).collect()
    }

    fn bound(&self, places: &mut Places, sign: Sign, value: &KeyValue) -> Option<String> {
        let place = match value {
            KeyValue::Integer(value) => places.add(*value),
            KeyValue::Number(value) => places.add(*value),
            KeyValue::Text(text) => places.add(crate::tracking::split(text).0),
            KeyValue::NaN | KeyValue::Missing => return None,
        };
        let sign = match (sign, self.is_ascending()) {
            (Sign::Before, true) | (Sign::Beyond, false) => "<",
            (Sign::Within, true) | (Sign::From, false) => "<=",
            (Sign::Same, _) => "=",
            (Sign::From, true) | (Sign::Within, false) => ">=",
            (Sign::Beyond, true) | (Sign::Before, false) => ">",
        };
        Some(format!("{} {sign} {place}", self.column()?))
    }
}

fn with(sets: &[String]) -> String {
    if sets.is_empty() { String::new() } else { format!("WITH {} ", sets.join(", ")) }
}

fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
