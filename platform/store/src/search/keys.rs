//! An order's keys, as SQL: what they select, how they sort, and which rows come after a page.

use tiegel_search::{DatasetFilter, Family, Field, KeyValue, Kind, Order, OrderKey};

use super::clause::{Names, on_datasets};
use super::entity::{Latest, Side, Values};
use super::sql::{Bound, Places};
use crate::Result;
use crate::db::Row;
use crate::tracking::split;

/// What a row has for a key: rows with a value come first, then NaN, then those without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Value,
    NaN,
    Missing,
}

impl Class {
    pub fn of(value: &KeyValue) -> Self {
        match value {
            KeyValue::NaN => Self::NaN,
            KeyValue::Missing => Self::Missing,
            KeyValue::Integer(_) | KeyValue::Number(_) | KeyValue::Text(_) => Self::Value,
        }
    }

    fn sql(self) -> i64 {
        match self {
            Self::Value => 0,
            Self::NaN => 1,
            Self::Missing => 2,
        }
    }
}

/// All keys of an order, in one statement.
pub(super) struct Keys(Vec<Key>);

struct Key {
    shape: Shape,
    ascending: bool,
    /// Where all rows of the statement are of one class.
    fixed: Option<Class>,
    /// A number that sorts the classes; none where a value is always there.
    class: Option<String>,
    /// What is selected, and in this order sorted by; NULL where there is no value.
    columns: Vec<String>,
    join: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Integer,
    Text,
    /// `value` and `is_nan`.
    Number,
    /// `head` and `rest`.
    Split,
}

impl Keys {
    /// The side table of the key at `at`, if it has one, is called `o` and that number.
    ///
    /// With `first`, all rows are of this class for the first key; its side table, if it is needed, is in FROM already.
    pub fn new(names: &Names, places: &mut Places, order: &Order, first: Option<Class>) -> Self {
        let key = |(at, key)| Key::new(names, places, key, &format!("o{at}")).fixed_to(first.filter(|_| at == 0));
        Self(order.keys.iter().enumerate().map(key).collect())
    }

    /// With a comma before each.
    pub fn select(&self) -> String {
        self.0.iter().flat_map(Key::selected).map(|column| format!(", {column}")).collect()
    }

    pub fn joins(&self) -> String {
        let joins = self.0.iter().filter(|key| key.fixed.is_none()).filter_map(|key| key.join.as_deref());
        joins.map(|join| format!(" LEFT JOIN {join}")).collect()
    }

    pub fn order_by(&self) -> String {
        let mut terms = Vec::new();
        for key in &self.0 {
            terms.extend(key.class.clone());
            let direction = if key.ascending { "" } else { " DESC" };
            terms.extend(key.sorted().map(|column| format!("{column}{direction}")));
        }
        terms.join(", ")
    }

    /// The keys' values of a row, from this column on.
    pub fn read(&self, row: &Row<'_>, mut column: usize) -> Result<Vec<KeyValue>> {
        let mut values = Vec::with_capacity(self.0.len());
        for key in &self.0 {
            values.push(key.read(row, column)?);
            column += key.selected().count();
        }
        Ok(values)
    }

    /// True of the rows that come after one with these values.
    pub fn after(&self, places: &mut Places, values: &[KeyValue]) -> String {
        let mut steps = Vec::new();
        for (key, value) in self.0.iter().zip(values) {
            key.steps(value, &mut steps);
        }
        let mut condition = String::from("1 = 0");
        for (at, Step { sql, ascending, bound }) in steps.iter().enumerate().rev() {
            let sign = if *ascending { ">" } else { "<" };
            let place = places.add(bound);
            condition = if at + 1 == steps.len() {
                format!("{sql} {sign} {place}")
            } else if at == 0 {
                // Said so, an index can begin at the value.
                format!("{sql} {sign}= {place} AND ({sql} {sign} {place} OR {condition})")
            } else {
                format!("({sql} {sign} {place} OR ({sql} = {place} AND {condition}))")
            };
        }
        condition
    }
}

/// One comparison of those that say which rows come after another.
struct Step {
    sql: String,
    ascending: bool,
    bound: Bound,
}

impl Key {
    fn new(names: &Names, places: &mut Places, key: &OrderKey, name: &str) -> Self {
        match &key.field {
            Field::Attribute(attribute, kind) => Self::of_attribute(names, attribute, *kind, key.ascending),
            Field::Keyed(family, text) => Self::of_side(names, places, (*family, text, name), key),
            Field::Related(..) => Self::of_nothing(key.ascending),
        }
    }

    fn of_attribute(names: &Names, attribute: &str, kind: Kind, ascending: bool) -> Self {
        let attribute = names.searched.attribute(attribute);
        let shape = match kind {
            Kind::Integer => Shape::Integer,
            Kind::Text => Shape::Text,
        };
        if let (Some(split), false) = (attribute.split, attribute.is_nullable) {
            let columns = split.map(str::to_owned).to_vec();
            return Self { shape: Shape::Split, ascending, fixed: None, class: None, columns, join: None };
        }
        let class = attribute.is_nullable.then(|| format!("CASE WHEN {} IS NULL THEN 2 ELSE 0 END", attribute.sql));
        Self { shape, ascending, fixed: None, class, columns: vec![attribute.sql.to_owned()], join: None }
    }

    fn of_side(names: &Names, places: &mut Places, (family, text, o): (Family, &str, &str), key: &OrderKey) -> Self {
        let side = names.searched.side(family);
        let Some(bound) = names.key(side, text) else { return Self::of_nothing(key.ascending) };
        let whole = |o: &str, column: &str| {
            let column = format!("{o}.{column}");
            (Shape::Text, format!("CASE WHEN {column} IS NULL THEN 2 ELSE 0 END"), vec![column])
        };
        let (shape, class, columns) = match side.values {
            Values::Number => {
                (Shape::Number, format!("COALESCE({o}.is_nan, 2)"), vec![format!("{o}.value"), format!("{o}.is_nan")])
            }
            Values::Split => (
                Shape::Split,
                format!("CASE WHEN {o}.head IS NULL THEN 2 ELSE 0 END"),
                vec![format!("{o}.head"), format!("COALESCE({o}.rest, '')")],
            ),
            Values::Whole(column) => whole(o, column),
            Values::Json => whole(o, "value"),
        };
        let join = join(names, places, side, (o, bound), key.dataset.as_ref());
        Self { shape, ascending: key.ascending, fixed: None, class: Some(class), columns, join: Some(join) }
    }

    /// A key that no record has.
    fn of_nothing(ascending: bool) -> Self {
        let fixed = Some(Class::Missing);
        Self { shape: Shape::Text, ascending, fixed, class: None, columns: Vec::new(), join: None }
    }

    fn fixed_to(mut self, class: Option<Class>) -> Self {
        if class.is_some() {
            self.class = None;
            self.fixed = class;
        }
        self
    }

    fn selected(&self) -> impl Iterator<Item = &String> {
        let is_known = matches!(self.fixed, Some(Class::NaN | Class::Missing));
        self.columns.iter().filter(move |_| !is_known)
    }

    fn sorted(&self) -> impl Iterator<Item = &String> {
        // The class says already whether a number is NaN.
        let sorted = if self.shape == Shape::Number { 1 } else { self.columns.len() };
        self.selected().take(sorted)
    }

    fn read(&self, row: &Row<'_>, at: usize) -> Result<KeyValue> {
        match self.fixed {
            Some(Class::Missing) => return Ok(KeyValue::Missing),
            Some(Class::NaN) => return Ok(KeyValue::NaN),
            Some(Class::Value) | None => {}
        }
        Ok(match self.shape {
            Shape::Integer => row.int_opt(at)?.map_or(KeyValue::Missing, KeyValue::Integer),
            Shape::Text => row.text_opt(at)?.map_or(KeyValue::Missing, KeyValue::Text),
            Shape::Number => match row.real_opt(at)? {
                None => KeyValue::Missing,
                Some(_) if row.flag(at + 1)? => KeyValue::NaN,
                Some(value) => KeyValue::of_number(value),
            },
            Shape::Split => match row.text_opt(at)? {
                None => KeyValue::Missing,
                Some(head) => KeyValue::Text(head + row.str(at + 1)?),
            },
        })
    }

    fn steps(&self, value: &KeyValue, steps: &mut Vec<Step>) {
        let class = Class::of(value);
        if let Some(sql) = &self.class {
            steps.push(Step { sql: format!("({sql})"), ascending: true, bound: Bound::Int(class.sql()) });
        }
        let mut step =
            |sql: &String, bound: Bound| steps.push(Step { sql: sql.clone(), ascending: self.ascending, bound });
        match (value, &self.columns[..]) {
            (KeyValue::Integer(value), [column]) => step(column, Bound::Int(*value)),
            (KeyValue::Number(value), [column, _]) => step(column, Bound::from(*value)),
            (KeyValue::Text(text), [column]) => step(column, Bound::from(text)),
            (KeyValue::Text(text), [head, rest]) => {
                let (head_text, rest_text) = split(text);
                step(head, Bound::from(head_text));
                step(rest, Bound::from(rest_text.unwrap_or_default()));
            }
            _ => {}
        }
    }
}

/// The side table `o` and which of its rows belongs to `t`.
fn join(
    names: &Names,
    places: &mut Places,
    side: &Side,
    (o, key): (&str, Bound),
    dataset: Option<&DatasetFilter>,
) -> String {
    let Side { table, owner, key: column, latest, .. } = side;
    let key = places.add(key);
    let own = |row: &str| format!("{row}.{owner} = t.{} AND {row}.{column} = {key}", names.searched.id);
    let Some(Latest { columns, order }) = latest else { return format!("{table} AS {o} ON {}", own(o)) };
    let of = |row: &str| columns.iter().map(|column| format!("{row}.{column}")).collect::<Vec<_>>().join(", ");
    let on = dataset.and_then(|dataset| on_datasets(places, std::slice::from_ref(dataset)));
    let on = on.map(|on| format!(" AND {on}")).unwrap_or_default();
    let latest = format!("SELECT {} FROM {table} AS s WHERE {}{on} ORDER BY {order} LIMIT 1", of("s"), own("s"));
    format!("{table} AS {o} ON {} AND ({}) = ({latest})", own(o), of(o))
}
