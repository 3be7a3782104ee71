use crate::error::{SearchError, shown};
use crate::filter::DatasetFilter;
use crate::grammar::ordering;
use crate::limits::ORDER_KEYS_MAX;
use crate::resolve::split;
use crate::vocabulary::{Namespace, Role, Vocabulary};
use crate::{Entity, Family, Field, Kind};

/// A total order of an entity's records: the keys that a request named, and those that break ties.
///
/// Records without a key's value come last, whether it ascends or descends; NaN comes just before them.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub keys: Vec<OrderKey>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OrderKey {
    pub field: Field,
    pub ascending: bool,
    /// Of a logged model's metric: only its values on this dataset count.
    pub dataset: Option<DatasetFilter>,
}

impl OrderKey {
    pub(crate) fn new(field: Field, ascending: bool) -> Self {
        Self { field, ascending, dataset: None }
    }

    /// Whether the values are numbers that may be NaN.
    pub fn is_metric(&self) -> bool {
        matches!(self.field, Field::Keyed(Family::Metric, _))
    }
}

/// An attribute and whether it ascends.
type Tie = (&'static str, Kind, bool);

impl Order {
    /// The order of an entity's records where the request names none.
    pub fn default_of(entity: Entity) -> Self {
        let keys: &[Tie] = match entity {
            Entity::Experiment => &[("creation_time", Kind::Integer, false), ("experiment_id", Kind::Integer, true)],
            Entity::ModelVersion => &[("last_updated_timestamp", Kind::Integer, false)],
            Entity::EvaluationDataset => &[("created_time", Kind::Integer, false)],
            Entity::Run | Entity::RegisteredModel | Entity::LoggedModel | Entity::Trace => &[],
        };
        Self { keys: keys.iter().map(tie).collect() }.total(entity)
    }

    /// Parses clauses such as ``metrics.`a b` DESC``.
    pub fn parse<S: AsRef<str>>(entity: Entity, clauses: &[S]) -> Result<Self, SearchError> {
        if clauses.is_empty() {
            return Ok(Self::default_of(entity));
        }
        let keys = clauses.iter().map(|clause| key(entity, clause.as_ref())).collect::<Result<Vec<_>, _>>()?;
        Self::of(entity, keys)
    }

    pub(crate) fn of(entity: Entity, keys: Vec<OrderKey>) -> Result<Self, SearchError> {
        if keys.len() > ORDER_KEYS_MAX {
            return Err(SearchError::new(format!(
                "Invalid order_by: {} clauses; at most {ORDER_KEYS_MAX} are allowed",
                keys.len()
            )));
        }
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|before| before.field == key.field && before.dataset == key.dataset) {
                return Err(SearchError::new(format!("`order_by` contains duplicate fields: {:?}", key.field)));
            }
        }
        Ok(Self { keys }.total(entity))
    }

    /// With the keys that break ties, up to a unique one.
    fn total(mut self, entity: Entity) -> Self {
        let ties: &[Tie] = match entity {
            Entity::Run => &[("start_time", Kind::Integer, false), ("run_id", Kind::Text, true)],
            Entity::Experiment => &[("experiment_id", Kind::Integer, false)],
            Entity::RegisteredModel => &[("name", Kind::Text, true)],
            Entity::ModelVersion => &[("name", Kind::Text, true), ("version_number", Kind::Integer, false)],
            Entity::LoggedModel => &[("creation_timestamp", Kind::Integer, false), ("model_id", Kind::Text, true)],
            Entity::Trace => &[("timestamp_ms", Kind::Integer, false), ("request_id", Kind::Text, true)],
            Entity::EvaluationDataset => &[("dataset_id", Kind::Text, false)],
        };
        for tie in ties.iter().map(tie) {
            if self.keys.iter().all(|key| key.field != tie.field) {
                self.keys.push(tie);
            }
        }
        self
    }
}

fn tie((name, kind, ascending): &Tie) -> OrderKey {
    OrderKey::new(Field::Attribute(name, *kind), *ascending)
}

fn key(entity: Entity, clause: &str) -> Result<OrderKey, SearchError> {
    let (identifier, direction) = ordering(clause).ok_or_else(|| {
        SearchError::new(format!("Invalid order_by clause '{}'. Could not be parsed.", shown(clause)))
    })?;
    let ascending = match direction {
        None => true,
        Some(word) if word.eq_ignore_ascii_case("asc") => true,
        Some(word) if word.eq_ignore_ascii_case("desc") => false,
        Some(_) => {
            let message = format!("Invalid ordering key in order_by clause '{}'.", shown(clause));
            return Err(SearchError::new(message));
        }
    };
    Ok(OrderKey::new(field(entity, identifier)?, ascending))
}

fn field(entity: Entity, identifier: &str) -> Result<Field, SearchError> {
    let (namespace, key) = split(entity, identifier)?;
    let refused = |word: &str| Err(SearchError::new(format!("Invalid order_by entity: {word}")));
    match namespace {
        Namespace::Attribute => {
            let attribute = Vocabulary::of(entity).attribute(key, Role::Order)?;
            Ok(match (entity, attribute.name) {
                (Entity::Trace, "name") => Field::Keyed(Family::Tag, crate::resolve::TRACE_NAME.to_owned()),
                (Entity::Trace, "run_id") => Field::Keyed(Family::Metadata, crate::resolve::SOURCE_RUN.to_owned()),
                (_, name) => Field::Attribute(name, attribute.kind),
            })
        }
        Namespace::Keyed(family) if matches!(entity, Entity::Run | Entity::LoggedModel | Entity::Trace) => match family
        {
            Family::Metric | Family::Param | Family::Tag | Family::Metadata => Ok(Field::Keyed(family, key.to_owned())),
            Family::Feedback | Family::Expectation => refused("assessment"),
        },
        Namespace::Keyed(_) => refused("tag"),
        Namespace::Related(_) => refused("it has no single value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(entity: Entity, clauses: &[&str]) -> Vec<String> {
        let order = Order::parse(entity, clauses).unwrap();
        let field = |field: &Field| match field {
            Field::Attribute(name, _) => (*name).to_owned(),
            Field::Keyed(family, key) => format!("{family:?} {key}"),
            Field::Related(..) => unreachable!("no order looks at related records"),
        };
        let direction = |key: &OrderKey| if key.ascending { "up" } else { "down" };
        order.keys.iter().map(|key| format!("{} {}", field(&key.field), direction(key))).collect()
    }

    fn refused(entity: Entity, clauses: &[&str]) -> String {
        Order::parse(entity, clauses).unwrap_err().to_string()
    }

    #[test]
    fn an_order_ends_with_keys_that_break_ties() {
        assert_eq!(keys(Entity::Run, &[]), ["start_time down", "run_id up"]);
        assert_eq!(keys(Entity::Run, &["metrics.`a b` DESC"]), ["Metric a b down", "start_time down", "run_id up"]);
        assert_eq!(keys(Entity::Run, &["run_id desc", "created"]), ["run_id down", "start_time up"]);
        assert_eq!(keys(Entity::Experiment, &[]), ["creation_time down", "experiment_id up"]);
        assert_eq!(keys(Entity::Experiment, &["name"]), ["name up", "experiment_id down"]);
        assert_eq!(keys(Entity::RegisteredModel, &["timestamp DESC"]), ["last_updated_timestamp down", "name up"]);
        assert_eq!(keys(Entity::ModelVersion, &[]), ["last_updated_timestamp down", "name up", "version_number down"]);
        assert_eq!(keys(Entity::EvaluationDataset, &[]), ["created_time down", "dataset_id down"]);
        assert_eq!(keys(Entity::Trace, &["name"]), ["Tag mlflow.traceName up", "timestamp_ms down", "request_id up"]);
    }

    #[test]
    fn keys_may_be_quoted_in_three_ways_and_directions_in_any_case() {
        assert_eq!(keys(Entity::Run, &["metric.\"a b\" Asc"])[0], "Metric a b up");
        assert_eq!(keys(Entity::Run, &["params.'x'\tdesc"])[0], "Param x down");
        assert_eq!(keys(Entity::Run, &["tags.mlflow.user"])[0], "Tag mlflow.user up");
    }

    #[test]
    fn what_is_no_order_is_refused_in_the_words_of_mlflow() {
        for clause in ["", "  ", "metrics.a-b", "metrics.a, metrics.b", "tags.a b c", "metrics.a DESC NULLS LAST", "1"]
        {
            assert_eq!(
                refused(Entity::Run, &[clause]),
                format!("Invalid order_by clause '{clause}'. Could not be parsed.")
            );
        }
        assert_eq!(refused(Entity::Run, &["metrics.a up"]), "Invalid ordering key in order_by clause 'metrics.a up'.");
        assert!(
            refused(Entity::Run, &["lifecycle_stage"]).starts_with("Invalid attribute key 'lifecycle_stage' specified")
        );
        assert!(
            refused(Entity::Run, &["metrics.a", "metrics.a DESC"]).starts_with("`order_by` contains duplicate fields")
        );
        assert!(refused(Entity::Run, &["dataset.name"]).starts_with("Invalid order_by entity"));
        assert!(refused(Entity::Run, &["`run name`"]).starts_with("Invalid attribute key 'run name' specified"));
        assert!(refused(Entity::Experiment, &["tags.a"]).starts_with("Invalid order_by entity: tag"));
        assert!(refused(Entity::RegisteredModel, &["creation_timestamp"]).starts_with("Invalid attribute key"));
        let many: Vec<_> = (0..=ORDER_KEYS_MAX).map(|at| format!("metrics.m{at}")).collect();
        assert!(Order::parse(Entity::Run, &many).is_err());
    }
}
