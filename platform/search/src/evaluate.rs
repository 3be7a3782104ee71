//! What filters and orders mean, said over plain records. Databases are tested against it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::{
    Condition, DatasetFilter, Family, Field, Filter, KeyValue, Kind, Order, OrderKey, PageToken, Related, Relation,
};

/// A record of any entity. What it lacks is absent, never empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    pub attributes: BTreeMap<&'static str, Scalar>,
    pub metrics: BTreeMap<String, Vec<Metric>>,
    /// Params, tags and metadata; feedback and expectations as JSON.
    pub texts: BTreeMap<(Family, String), String>,
    pub related: BTreeMap<Relation, Vec<BTreeMap<Related, String>>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Text(String),
    Integer(i64),
}

/// One value of a metric. A run has one for each key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metric {
    pub value: f64,
    /// Name and digest.
    pub dataset: Option<(String, String)>,
    pub timestamp_ms: i64,
    pub step: i64,
    pub run_id: String,
}

impl Metric {
    fn is_on(&self, dataset: &DatasetFilter) -> bool {
        self.dataset.as_ref().is_some_and(|(name, digest)| {
            *name == dataset.name && dataset.digest.as_ref().is_none_or(|wanted| wanted == digest)
        })
    }
}

impl Filter {
    pub fn matches(&self, record: &Record) -> bool {
        let (about_spans, others): (Vec<_>, Vec<_>) =
            self.clauses.iter().partition(|clause| matches!(clause.field, Field::Related(Relation::Span, _)));
        let spans = record.related.get(&Relation::Span).map_or(&[][..], Vec::as_slice);
        let is_met_by = |span: &BTreeMap<Related, String>| {
            about_spans.iter().all(|clause| match &clause.field {
                Field::Related(_, property) => clause.condition.holds_for_text(span.get(property).map(String::as_str)),
                _ => false,
            })
        };
        (about_spans.is_empty() || spans.iter().any(is_met_by))
            && others.iter().all(|clause| self.holds(&clause.field, &clause.condition, record))
            && self.is_measured(record)
    }

    fn holds(&self, field: &Field, condition: &Condition, record: &Record) -> bool {
        match field {
            Field::Attribute(name, _) => match record.attributes.get(name) {
                Some(Scalar::Integer(value)) => condition.holds_for_integer(Some(*value)),
                Some(Scalar::Text(value)) => condition.holds_for_text(Some(value)),
                None => condition.holds_for_text(None),
            },
            Field::Keyed(Family::Metric, key) => {
                let values = record.metrics.get(key).into_iter().flatten().filter(|metric| self.counts(metric));
                values.into_iter().any(|metric| condition.holds_for_number(metric.value))
            }
            Field::Keyed(family, key) => {
                let value = record.texts.get(&(*family, key.clone())).map(String::as_str);
                match family {
                    Family::Feedback | Family::Expectation => condition.holds_for_json(value),
                    _ => condition.holds_for_text(value),
                }
            }
            Field::Related(relation, property) => {
                let mut values = record.related.get(relation).into_iter().flatten().map(|row| row.get(property));
                values.any(|value| condition.holds_for_text(value.map(String::as_str)))
            }
        }
    }

    fn counts(&self, metric: &Metric) -> bool {
        self.datasets.is_empty() || self.datasets.iter().any(|dataset| metric.is_on(dataset))
    }

    /// Where datasets are given and no clause is about a metric, there must be one on those datasets.
    fn is_measured(&self, record: &Record) -> bool {
        let asks = self.clauses.iter().any(|clause| matches!(clause.field, Field::Keyed(Family::Metric, _)));
        asks || self.datasets.is_empty() || record.metrics.values().flatten().any(|metric| self.counts(metric))
    }
}

impl Condition {
    pub fn holds_for_number(&self, value: f64) -> bool {
        match self {
            Self::Number(op, other) => op.holds(value.partial_cmp(other)),
            Self::Present => true,
            _ => false,
        }
    }

    pub fn holds_for_integer(&self, value: Option<i64>) -> bool {
        let Some(value) = value else { return self.holds_for_nothing() };
        match self {
            Self::Integer(op, other) => op.holds(Some(value.cmp(other))),
            Self::IntegerIn(others) => others.contains(&value),
            Self::IntegerNotIn(others) => !others.contains(&value),
            Self::Present => true,
            _ => false,
        }
    }

    pub fn holds_for_text(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return self.holds_for_nothing() };
        match self {
            Self::Equal(other) => value == other,
            Self::Differs(other) | Self::Unless(other) => value != other,
            Self::Like(pattern) => pattern.matches(value),
            Self::Matches(regexp) => regexp.matches(value),
            Self::In(others) => others.iter().any(|other| other == value),
            Self::NotIn(others) => others.iter().all(|other| other != value),
            Self::Present => true,
            Self::Number(..) | Self::Integer(..) | Self::IntegerIn(_) | Self::IntegerNotIn(_) => false,
            Self::Missing | Self::Never => false,
        }
    }

    /// A JSON value: a text in a filter equals the JSON itself and the JSON string of it.
    pub fn holds_for_json(&self, value: Option<&str>) -> bool {
        let Some(json) = value else { return self.holds_for_nothing() };
        let is = |text: &str| json == text || serde_json::to_string(text).is_ok_and(|string| string == json);
        match self {
            Self::Equal(text) => is(text),
            Self::Differs(text) => !is(text),
            Self::Number(op, other) => {
                json.parse::<f64>().is_ok_and(|number| number.is_finite() && op.holds(number.partial_cmp(other)))
            }
            _ => self.holds_for_text(value),
        }
    }

    fn holds_for_nothing(&self) -> bool {
        matches!(self, Self::Missing | Self::Unless(_))
    }
}

impl Order {
    /// What a page that ends with this record says in its token.
    pub fn token(&self, record: &Record) -> PageToken {
        PageToken { keys: self.keys.iter().map(|key| key.value(record)).collect() }
    }

    pub fn compare(&self, a: &PageToken, b: &PageToken) -> Ordering {
        let pairs = a.keys.iter().zip(&b.keys).zip(&self.keys);
        pairs.map(|((a, b), key)| a.compare(b, key.ascending)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl OrderKey {
    fn value(&self, record: &Record) -> KeyValue {
        match &self.field {
            Field::Attribute(name, kind) => match (record.attributes.get(name), kind) {
                (Some(Scalar::Integer(value)), Kind::Integer) => KeyValue::Integer(*value),
                (Some(Scalar::Text(value)), Kind::Text) => KeyValue::Text(value.clone()),
                _ => KeyValue::Missing,
            },
            Field::Keyed(Family::Metric, key) => {
                let values = record.metrics.get(key).into_iter().flatten();
                let on_dataset = values.filter(|metric| self.dataset.as_ref().is_none_or(|d| metric.is_on(d)));
                let latest = on_dataset.max_by(|a, b| {
                    (a.timestamp_ms, a.step).cmp(&(b.timestamp_ms, b.step)).then(b.run_id.cmp(&a.run_id))
                });
                latest.map_or(KeyValue::Missing, |metric| KeyValue::of_number(metric.value))
            }
            Field::Keyed(family, key) => {
                record.texts.get(&(*family, key.clone())).map_or(KeyValue::Missing, |text| KeyValue::Text(text.clone()))
            }
            Field::Related(..) => KeyValue::Missing,
        }
    }
}

impl KeyValue {
    fn compare(&self, other: &Self, ascending: bool) -> Ordering {
        let order = match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => return self.class().cmp(&other.class()),
        };
        if ascending { order } else { order.reverse() }
    }

    /// Values, then NaN, then nothing.
    fn class(&self) -> u8 {
        match self {
            Self::Integer(_) | Self::Number(_) | Self::Text(_) => 0,
            Self::NaN => 1,
            Self::Missing => 2,
        }
    }
}
