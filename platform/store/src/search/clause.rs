//! Clauses of a filter, as SQL over a row `t`.

use std::collections::HashMap;

use tiegel_search::{Clause, Condition, DatasetFilter, Family, Field, Filter, Related, Relation};

use super::compare::{Dialect, Subject};
use super::entity::{Link, Searched, Side};
use super::sql::{Bound, Places};
use super::traces::span_attribute;

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

    /// The conditions that a row must meet. A regular expression becomes the condition that there is a value.
    pub fn conditions(&self, places: &mut Places, filter: &Filter) -> Vec<String> {
        let mut conditions: Vec<_> = self.searched.condition.into_iter().map(str::to_owned).collect();
        let mut about_spans = Vec::new();
        for clause in &filter.clauses {
            match &clause.field {
                Field::Attribute(name, _) => {
                    let subject = Subject::Plain(self.searched.attribute(name).sql);
                    conditions.push(self.condition(places, &subject, &clause.condition));
                }
                Field::Keyed(family, key) => {
                    conditions.extend(self.keyed(places, (*family, key), &clause.condition, filter));
                }
                Field::Related(Relation::Span, property) => about_spans.push((property, &clause.condition)),
                Field::Related(relation, property) => {
                    conditions.push(self.related(places, *relation, &[(property, &clause.condition)]));
                }
            }
        }
        if !about_spans.is_empty() {
            conditions.push(self.related(places, Relation::Span, &about_spans));
        }
        conditions.extend(self.measured(places, filter));
        conditions
    }

    fn condition(&self, places: &mut Places, subject: &Subject<'_>, condition: &Condition) -> String {
        let sql = self.dialect.condition(places, subject, condition);
        sql.unwrap_or_else(|| match subject {
            Subject::Plain(sql) => format!("{sql} IS NOT NULL"),
            Subject::Side(..) => "1 = 1".to_owned(),
        })
    }

    fn keyed(
        &self,
        places: &mut Places,
        (family, key): (Family, &str),
        condition: &Condition,
        filter: &Filter,
    ) -> Option<String> {
        let side = self.searched.side(family);
        let Side { table, owner, key: column, values, .. } = side;
        let key = self.key(side, key)?;
        let mut tests =
            vec![format!("s.{owner} = t.{}", self.searched.id), format!("s.{column} = {}", places.add(key))];
        let subject = Subject::Side("s", *values);
        let (not, test) = match condition {
            Condition::Present => ("", None),
            Condition::Missing => ("NOT ", None),
            Condition::Unless(value) => {
                ("NOT ", self.dialect.condition(places, &subject, &Condition::Equal(value.clone())))
            }
            _ => ("", Some(self.condition(places, &subject, condition))),
        };
        tests.extend(test);
        if family == Family::Metric {
            tests.extend(on_datasets(places, &filter.datasets));
        }
        Some(format!("{not}EXISTS (SELECT 1 FROM {table} AS s WHERE {})", tests.join(" AND ")))
    }

    /// Of logged models, where datasets are named and no metric is: there must be a metric on one of them.
    fn measured(&self, places: &mut Places, filter: &Filter) -> Option<String> {
        let asks = |clause: &Clause| matches!(clause.field, Field::Keyed(Family::Metric, _));
        let on = on_datasets(places, &filter.datasets).filter(|_| !filter.clauses.iter().any(asks))?;
        let Side { table, owner, .. } = self.searched.side(Family::Metric);
        Some(format!("EXISTS (SELECT 1 FROM {table} AS s WHERE s.{owner} = t.{} AND {on})", self.searched.id))
    }

    fn related(&self, places: &mut Places, relation: Relation, conditions: &[(&Related, &Condition)]) -> String {
        let Link { from, owner, .. } = self.link(relation, conditions[0].0);
        let mut tests = vec![format!("{owner} = t.{}", self.searched.id)];
        for (property, condition) in conditions {
            let value = self.related_value(places, relation, property);
            tests.push(self.condition(places, &Subject::Plain(&value), condition));
        }
        format!("EXISTS (SELECT 1 FROM {from} WHERE {})", tests.join(" AND "))
    }

    /// A property of what is related, over the tables of its link.
    pub fn related_value(&self, places: &mut Places, relation: Relation, property: &Related) -> String {
        match property {
            Related::Property(_) => self.link(relation, property).value.to_owned(),
            Related::SpanAttribute(key) => span_attribute(self.dialect, places, key),
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
