//! Clauses of a filter, as SQL over a row `t`.

use std::collections::HashMap;

use tiegel_search::{Clause, Condition, DatasetFilter, Family, Field, Filter, Related, Relation};

use super::compare::{Dialect, Subject};
use super::entity::{Link, Searched, Side};
use super::sql::{Bound, Places};

/// What turns names into SQL.
pub(super) struct Names {
    pub searched: &'static Searched,
    pub dialect: Dialect,
    /// Of the keys that a query names, those that anything was ever logged under.
    pub keys: HashMap<String, i64>,
}

/// What is known of a clause before any row is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Always,
    Never,
    Depends,
}

impl Names {
    /// A key as a side table has it; none if no record can have it.
    pub fn key(&self, side: &Side, key: &str) -> Option<Bound> {
        if side.is_interned { self.keys.get(key).copied().map(Bound::Int) } else { Some(key.into()) }
    }

    pub fn verdict(&self, clause: &Clause) -> Verdict {
        let is_unknown = match &clause.field {
            Field::Keyed(family, key) => self.key(self.searched.side(*family), key).is_none(),
            Field::Attribute(..) | Field::Related(..) => false,
        };
        match &clause.condition {
            Condition::Never => Verdict::Never,
            Condition::Missing | Condition::Unless(_) if is_unknown => Verdict::Always,
            _ if is_unknown => Verdict::Never,
            _ => Verdict::Depends,
        }
    }

    /// A property of what is related, over the tables of its link.
    pub fn related_value(&self, places: &mut Places, relation: Relation, property: &Related) -> String {
        match property {
            Related::Property(_) => self.link(relation, property).value.to_owned(),
            Related::SpanAttribute(key) => self.dialect.span_attribute(places, key),
        }
    }

    pub fn link(&self, relation: Relation, property: &Related) -> &'static Link {
        let is_it = |link: &&Link| {
            let is_named = match property {
                Related::Property(name) => link.property == *name,
                // All that is known of a span is in one table.
                Related::SpanAttribute(_) => true,
            };
            link.relation == relation && is_named
        };
        let known = self.searched.links.iter().find(is_it);
        known.unwrap_or_else(|| panic!("{} has no way to {relation:?} {property:?}", self.searched.table))
    }
}

/// How the conditions of a statement reach what belongs to a record.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    /// SQL for the record's id.
    pub id: &'a str,
    /// With a scope: by the set of all matches in it, made once. Otherwise each record is looked up by itself.
    pub sets_of: Option<&'a Bound>,
}

/// The conditions of a filter on one statement's rows.
pub(super) struct Conditions<'a> {
    names: &'a Names,
    filter: &'a Filter,
    reach: Reach<'a>,
    pub tests: Vec<String>,
    /// Definitions for WITH.
    pub sets: Vec<String>,
}

impl<'a> Conditions<'a> {
    /// A regular expression becomes the condition that there is a value.
    pub fn new(names: &'a Names, places: &mut Places, filter: &'a Filter, reach: Reach<'a>) -> Self {
        let tests = names.searched.condition.into_iter().map(str::to_owned).collect();
        let mut conditions = Self { names, filter, reach, tests, sets: Vec::new() };
        let mut about_spans = Vec::new();
        for clause in &filter.clauses {
            let test = match &clause.field {
                Field::Attribute(name, _) => {
                    let attribute = names.searched.attribute(name);
                    let test = conditions.condition(places, &Subject::Plain(attribute.sql), &clause.condition);
                    Some(if attribute.is_blank_none { format!("{test} AND {} <> ''", attribute.sql) } else { test })
                }
                Field::Keyed(family, key) => conditions.keyed(places, *family, key, &clause.condition),
                Field::Related(Relation::Span, property) => {
                    about_spans.push((property, &clause.condition));
                    None
                }
                Field::Related(relation, property) => {
                    Some(conditions.related(places, *relation, &[(property, &clause.condition)]))
                }
            };
            conditions.tests.extend(test);
        }
        if !about_spans.is_empty() {
            let test = conditions.related(places, Relation::Span, &about_spans);
            conditions.tests.push(test);
        }
        let measured = conditions.measured(places);
        conditions.tests.extend(measured);
        conditions
    }

    fn condition(&self, places: &mut Places, subject: &Subject<'_>, condition: &Condition) -> String {
        let sql = self.names.dialect.condition(places, subject, condition);
        sql.unwrap_or_else(|| match subject {
            Subject::Plain(sql) => format!("{sql} IS NOT NULL"),
            Subject::Side(..) => "1 = 1".to_owned(),
        })
    }

    fn keyed(&mut self, places: &mut Places, family: Family, key: &str, condition: &Condition) -> Option<String> {
        let side = self.names.searched.side(family);
        let key = self.names.key(side, key)?;
        let mut tests = vec![format!("s.{} = {}", side.key, places.add(key))];
        let subject = Subject::Side("s", side.values);
        let (is_not, test) = match condition {
            Condition::Present => (false, None),
            Condition::Missing => (true, None),
            Condition::Unless(value) => {
                (true, Some(self.condition(places, &subject, &Condition::Equal(value.clone()))))
            }
            _ => (false, Some(self.condition(places, &subject, condition))),
        };
        tests.extend(test);
        if family == Family::Metric {
            tests.extend(on_datasets(places, &self.filter.datasets));
        }
        Some(self.exists(places, is_not, &Rows::of(side), tests))
    }

    /// Of logged models, where datasets are named and no metric is: there must be a metric on one of them.
    fn measured(&mut self, places: &mut Places) -> Option<String> {
        let asks = |clause: &Clause| matches!(clause.field, Field::Keyed(Family::Metric, _));
        if self.filter.datasets.is_empty() || self.filter.clauses.iter().any(asks) {
            return None;
        }
        let tests = on_datasets(places, &self.filter.datasets).into_iter().collect();
        Some(self.exists(places, false, &Rows::of(self.names.searched.side(Family::Metric)), tests))
    }

    fn related(&mut self, places: &mut Places, relation: Relation, conditions: &[(&Related, &Condition)]) -> String {
        let Link { from, owner, scope, .. } = self.names.link(relation, conditions[0].0);
        let mut tests = Vec::new();
        for (property, condition) in conditions {
            let value = self.names.related_value(places, relation, property);
            tests.push(self.condition(places, &Subject::Plain(&value), condition));
        }
        let rows = Rows { from: (*from).to_owned(), owner: (*owner).to_owned(), scope: scope.map(str::to_owned) };
        self.exists(places, false, &rows, tests)
    }

    /// True of records that have, or have not, a row that meets all tests.
    fn exists(&mut self, places: &mut Places, is_not: bool, rows: &Rows, mut tests: Vec<String>) -> String {
        let Rows { from, owner, scope } = rows;
        let not = if is_not { "NOT " } else { "" };
        let id = self.reach.id;
        let (Some(of), Some(scope)) = (self.reach.sets_of, scope) else {
            tests.insert(0, format!("{owner} = {id}"));
            return format!("{not}EXISTS (SELECT 1 FROM {from} WHERE {})", tests.join(" AND "));
        };
        tests.insert(0, format!("{scope} = {}", places.add(of)));
        let set = format!("SELECT {owner} FROM {from} WHERE {}", tests.join(" AND "));
        match self.names.dialect {
            // The sign keeps SQLite from beginning with the set instead of reading in order.
            Dialect::Sqlite => format!("+{id} {not}IN ({set})"),
            Dialect::Postgres => {
                let name = format!("x{}", self.sets.len());
                self.sets.push(format!("{name} (id) AS MATERIALIZED ({set})"));
                format!("{not}EXISTS (SELECT 1 FROM {name} WHERE {name}.id = {id})")
            }
        }
    }
}

/// The rows that belong to records, in SQL.
struct Rows {
    from: String,
    owner: String,
    /// Where an index begins with it.
    scope: Option<String>,
}

impl Rows {
    fn of(side: &Side) -> Self {
        let scope = side.scope.map(|scope| format!("s.{scope}"));
        Self { from: format!("{} AS s", side.table), owner: format!("s.{}", side.owner), scope }
    }
}

/// The condition that a metric `s` was measured on one of a filter's datasets, if it names any.
pub(super) fn on_datasets(places: &mut Places, datasets: &[DatasetFilter]) -> Option<String> {
    let one = |places: &mut Places, name: &str, digest: Option<&String>| {
        let name = format!("s.dataset_name = {}", places.add(name));
        match digest {
            Some(digest) => format!("({name} AND s.dataset_digest = {})", places.add(digest)),
            None => name,
        }
    };
    let each: Vec<_> = datasets.iter().map(|d| one(places, &d.name, d.digest.as_ref())).collect();
    (!each.is_empty()).then(|| format!("({})", each.join(" OR ")))
}
