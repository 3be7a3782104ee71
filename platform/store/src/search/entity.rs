//! What the builder must know of a table to search it.

use tiegel_search::{Entity, Family, Field, Filter, Kind, Order, Relation};

use super::sql::Bound;
use crate::Result;
use crate::db::Row;

/// A table whose rows can be searched. In all SQL below, `t` is a row of it.
#[derive(Debug)]
pub(crate) struct Searched {
    pub entity: Entity,
    pub table: &'static str,
    /// The column that other tables name a row by, and whether it is text.
    pub id: &'static str,
    pub id_is_text: bool,
    /// The column that every search restricts to some values: the experiment, or the project.
    pub scope: &'static str,
    /// The column that says whether a row is active or deleted.
    pub stage: Option<&'static str>,
    /// What else must be true of a row.
    pub condition: Option<&'static str>,
    pub attributes: &'static [Attribute],
    /// Keys that are no rows of a side table but attributes, by these names.
    pub columns: &'static [(Family, &'static str, &'static str)],
    pub sides: &'static [(Family, Side)],
    pub links: &'static [Link],
}

#[derive(Debug)]
pub(crate) struct Attribute {
    /// As `tiegel_search` calls it.
    pub name: &'static str,
    /// SQL over `t`.
    pub sql: &'static str,
    pub is_nullable: bool,
    /// An empty text stands for none, which no condition is true of.
    pub is_blank_none: bool,
    /// An index has the rows of one scope and stage in its order.
    pub is_sorted: bool,
    /// For an order: its first characters, which an index can hold, and the rest.
    pub split: Option<[&'static str; 2]>,
    pub lookup: Lookup,
}

/// How rows are found by an attribute's value, where that is fast.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// By what the database makes of a condition on it.
    Column,
    /// An index begins with the column, and few rows have one value of it.
    Unique,
    /// An index begins with the scope and the column.
    Indexed,
    /// A side table has the same values under this key, and is asked instead.
    Side(Family, &'static str),
}

impl Attribute {
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            is_nullable: false,
            is_blank_none: false,
            is_sorted: false,
            split: None,
            lookup: Lookup::Column,
        }
    }

    pub const fn nullable(mut self) -> Self {
        self.is_nullable = true;
        self
    }

    pub const fn blank_is_none(mut self) -> Self {
        self.is_blank_none = true;
        self
    }

    pub const fn sorted(mut self) -> Self {
        self.is_sorted = true;
        self
    }

    /// An index has the rows of one scope and stage in the order of the first of these.
    pub const fn sorted_by(mut self, split: [&'static str; 2]) -> Self {
        self.is_sorted = true;
        self.split = Some(split);
        self
    }

    /// What an index has in order.
    pub fn sorted_sql(&self) -> &'static str {
        self.split.map_or(self.sql, |[head, _]| head)
    }

    pub const fn found(mut self, lookup: Lookup) -> Self {
        self.lookup = lookup;
        self
    }
}

/// A table with a row for each key of a record: its metrics, its params, its tags.
#[derive(Debug)]
pub(crate) struct Side {
    pub table: &'static str,
    /// Its column that names the record.
    pub owner: &'static str,
    /// Its column of keys, and whether those are numbers from the table `keys`.
    pub key: &'static str,
    pub is_interned: bool,
    pub values: Values,
    /// Its copy of the record's scope, where an index of scope, key and value finds records by value.
    pub scope: Option<&'static str>,
    /// Where a record may have several rows of one key: which of them counts in an order.
    pub latest: Option<Latest>,
}

/// The columns that tell rows `s` of one key apart, and the order that puts the latest first.
#[derive(Debug)]
pub(crate) struct Latest {
    pub columns: &'static [&'static str],
    pub order: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Values {
    /// `value` and `is_nan`.
    Number,
    /// `head`, the first characters, and `rest`, which is NULL unless the value is longer.
    Split,
    /// A column of text.
    Whole(&'static str),
    /// `value` is JSON in a text, `number` what it is as a number, if it `is_number`.
    Json,
}

/// A property of what records refer to, such as the name of a run's dataset.
#[derive(Debug)]
pub(crate) struct Link {
    pub relation: Relation,
    pub property: &'static str,
    /// The tables between, joined.
    pub from: &'static str,
    /// SQL for the record's id, the property and, where an index begins with it, the scope.
    pub owner: &'static str,
    pub value: &'static str,
    pub scope: Option<&'static str>,
}

impl Searched {
    pub fn attribute(&self, name: &str) -> &Attribute {
        let known = self.attributes.iter().find(|attribute| attribute.name == name);
        known.unwrap_or_else(|| panic!("{} has no column for {name}", self.table))
    }

    /// Names attributes where a filter and an order mean them by keys, and the side table where a filter means that.
    pub fn resolve(&self, filter: &mut Filter, order: &mut Order) {
        let of_filter = filter.clauses.iter_mut().map(|clause| &mut clause.field);
        for field in of_filter.chain(order.keys.iter_mut().map(|key| &mut key.field)) {
            let Field::Keyed(family, key) = field else { continue };
            let column = self.columns.iter().find(|(of, known, _)| of == family && known == key);
            if let Some((.., attribute)) = column {
                *field = Field::Attribute(attribute, Kind::Text);
            }
        }
        for clause in &mut filter.clauses {
            let Field::Attribute(name, _) = &clause.field else { continue };
            if let Lookup::Side(family, key) = self.attribute(name).lookup {
                clause.field = Field::Keyed(family, key.to_owned());
            }
        }
    }

    /// A row's id, from its first column.
    pub fn read_id(&self, row: &Row<'_>) -> Result<Bound> {
        Ok(if self.id_is_text { Bound::Text(row.text(0)?) } else { Bound::Int(row.int(0)?) })
    }

    pub fn side(&self, family: Family) -> &Side {
        let known = self.sides.iter().find(|(known, _)| *known == family);
        known.map_or_else(|| panic!("{} has no table for {family:?}", self.table), |(_, side)| side)
    }
}
