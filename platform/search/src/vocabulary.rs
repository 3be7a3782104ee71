//! Which names each entity's filters and orders know.

use crate::error::quoted_list;
use crate::grammar::Comparator;
use crate::{Entity, Family, Kind, Relation, SearchError};

/// What the word before the first dot of an identifier stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    Attribute,
    Keyed(Family),
    Related(Relation),
}

pub(crate) struct Vocabulary {
    pub namespaces: &'static [(&'static str, Namespace)],
    pub attributes: &'static [Attribute],
}

pub(crate) struct Attribute {
    /// What requests write; the first is what errors show.
    pub written: &'static [&'static str],
    pub name: &'static str,
    pub kind: Kind,
    /// May be compared with a list.
    pub takes_lists: bool,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Filter,
    Order,
    Both,
}

const fn attribute(name: &'static str, written: &'static [&'static str], kind: Kind) -> Attribute {
    Attribute { written, name, kind, takes_lists: false, role: Role::Both }
}

impl Attribute {
    const fn listed(mut self) -> Self {
        self.takes_lists = true;
        self
    }

    const fn only(mut self, role: Role) -> Self {
        self.role = role;
        self
    }
}

use Kind::{Integer, Text};

const METRIC: Namespace = Namespace::Keyed(Family::Metric);
const PARAM: Namespace = Namespace::Keyed(Family::Param);
const TAG: Namespace = Namespace::Keyed(Family::Tag);
const METADATA: Namespace = Namespace::Keyed(Family::Metadata);

static RUN: Vocabulary = Vocabulary {
    namespaces: &[
        ("metric", METRIC),
        ("parameter", PARAM),
        ("tag", TAG),
        ("attribute", Namespace::Attribute),
        ("dataset", Namespace::Related(Relation::Dataset)),
        ("metrics", METRIC),
        ("parameters", PARAM),
        ("param", PARAM),
        ("params", PARAM),
        ("tags", TAG),
        ("attr", Namespace::Attribute),
        ("attributes", Namespace::Attribute),
        ("run", Namespace::Attribute),
        ("datasets", Namespace::Related(Relation::Dataset)),
    ],
    attributes: &[
        attribute("artifact_uri", &["artifact_uri"], Text),
        attribute("end_time", &["end_time"], Integer),
        attribute("run_id", &["run_id"], Text).listed(),
        attribute("run_name", &["run_name"], Text),
        attribute("run_name", &["run name", "Run name", "Run Name"], Text).only(Role::Filter),
        attribute("start_time", &["start_time", "created", "Created"], Integer),
        attribute("status", &["status"], Text),
        attribute("user_id", &["user_id"], Text),
    ],
};

/// Of experiments, registered models and their versions.
const TAGS_AND_ATTRIBUTES: &[(&str, Namespace)] = &[("attribute", Namespace::Attribute), ("tag", TAG), ("tags", TAG)];

static EXPERIMENT: Vocabulary = Vocabulary {
    namespaces: TAGS_AND_ATTRIBUTES,
    attributes: &[
        attribute("name", &["name"], Text),
        attribute("experiment_id", &["experiment_id"], Integer).listed(),
        attribute("creation_time", &["creation_time"], Integer),
        attribute("last_update_time", &["last_update_time"], Integer),
    ],
};

static REGISTERED_MODEL: Vocabulary = Vocabulary {
    namespaces: TAGS_AND_ATTRIBUTES,
    attributes: &[
        attribute("name", &["name"], Text).listed(),
        attribute("last_updated_timestamp", &["timestamp", "last_updated_timestamp"], Integer).only(Role::Order),
    ],
};

static MODEL_VERSION: Vocabulary = Vocabulary {
    namespaces: TAGS_AND_ATTRIBUTES,
    attributes: &[
        attribute("name", &["name"], Text).listed(),
        attribute("version_number", &["version_number"], Integer),
        attribute("run_id", &["run_id"], Text).listed().only(Role::Filter),
        attribute("source_path", &["source_path"], Text).only(Role::Filter),
        attribute("creation_timestamp", &["creation_timestamp"], Integer).only(Role::Order),
        attribute("last_updated_timestamp", &["last_updated_timestamp"], Integer).only(Role::Order),
    ],
};

static LOGGED_MODEL: Vocabulary = Vocabulary {
    namespaces: &[("attributes", Namespace::Attribute), ("metrics", METRIC), ("params", PARAM), ("tags", TAG)],
    attributes: &[
        attribute("name", &["name"], Text).listed(),
        attribute("model_id", &["model_id"], Text).listed(),
        attribute("model_type", &["model_type"], Text).listed(),
        attribute("status", &["status"], Text).listed(),
        attribute("source_run_id", &["source_run_id"], Text).listed(),
        attribute("creation_timestamp", &["creation_timestamp", "creation_time", "creation_timestamp_ms"], Integer),
        attribute(
            "last_updated_timestamp",
            &["last_updated_timestamp", "last_updated_time", "last_updated_timestamp_ms"],
            Integer,
        ),
    ],
};

static TRACE: Vocabulary = Vocabulary {
    namespaces: &[
        ("attribute", Namespace::Attribute),
        ("attributes", Namespace::Attribute),
        ("trace", Namespace::Attribute),
        ("tag", TAG),
        ("tags", TAG),
        ("metadata", METADATA),
        ("request_metadata", METADATA),
        ("span", Namespace::Related(Relation::Span)),
        ("feedback", Namespace::Keyed(Family::Feedback)),
        ("expectation", Namespace::Keyed(Family::Expectation)),
        ("issue", Namespace::Related(Relation::Issue)),
    ],
    attributes: &[
        attribute("request_id", &["request_id"], Text).listed(),
        attribute("timestamp_ms", &["timestamp", "timestamp_ms"], Integer),
        attribute("execution_time_ms", &["execution_time", "execution_time_ms"], Integer),
        attribute("end_time_ms", &["end_time", "end_time_ms"], Integer),
        attribute("status", &["status"], Text).listed(),
        attribute("client_request_id", &["client_request_id"], Text).listed().only(Role::Filter),
        attribute("experiment_id", &["experiment_id"], Integer).only(Role::Order),
        // `resolve` knows these as what they stand for: a tag, metadata, the prompts and the spans of a trace.
        attribute("name", &["name"], Text).listed(),
        attribute("run_id", &["run_id"], Text).listed(),
        attribute("prompt", &["prompt"], Text).only(Role::Filter),
        attribute("text", &["text"], Text).only(Role::Filter),
    ],
};

static EVALUATION_DATASET: Vocabulary = Vocabulary {
    namespaces: &[("tags", TAG)],
    attributes: &[
        attribute("name", &["name"], Text).listed(),
        attribute("created_time", &["created_time"], Integer),
        attribute("last_update_time", &["last_update_time"], Integer),
        attribute("created_by", &["created_by"], Text).only(Role::Filter),
        attribute("last_updated_by", &["last_updated_by"], Text).only(Role::Filter),
        attribute("dataset_id", &[], Text).only(Role::Order),
    ],
};

impl Vocabulary {
    pub fn of(entity: Entity) -> &'static Vocabulary {
        match entity {
            Entity::Run => &RUN,
            Entity::Experiment => &EXPERIMENT,
            Entity::RegisteredModel => &REGISTERED_MODEL,
            Entity::ModelVersion => &MODEL_VERSION,
            Entity::LoggedModel => &LOGGED_MODEL,
            Entity::Trace => &TRACE,
            Entity::EvaluationDataset => &EVALUATION_DATASET,
        }
    }

    pub fn namespace(&self, word: &str) -> Result<Namespace, SearchError> {
        let known = self.namespaces.iter().find(|(known, _)| *known == word);
        known.map(|(_, namespace)| *namespace).ok_or_else(|| {
            let valid = quoted_list(self.namespaces.iter().map(|(known, _)| *known));
            SearchError::new(format!("Invalid entity type '{word}'. Valid values are {valid}"))
        })
    }

    /// `role` is what the attribute is wanted for, `Filter` or `Order`.
    pub fn attribute(&self, key: &str, role: Role) -> Result<&'static Attribute, SearchError>
    where
        Self: 'static,
    {
        let usable = || self.attributes_for(role);
        usable().find(|attribute| attribute.written.contains(&key)).ok_or_else(|| {
            let valid = quoted_list(usable().flat_map(|attribute| attribute.written.iter().copied()));
            SearchError::new(format!("Invalid attribute key '{key}' specified. Valid keys are '{valid}'"))
        })
    }

    fn attributes_for(&self, role: Role) -> impl Iterator<Item = &'static Attribute>
    where
        Self: 'static,
    {
        self.attributes.iter().filter(move |attribute| attribute.role == role || attribute.role == Role::Both)
    }
}

/// The comparators that a field takes.
pub(crate) fn comparators(
    entity: Entity,
    namespace: Namespace,
    kind: Kind,
    takes_lists: bool,
) -> &'static [Comparator] {
    use Comparator::{AtLeast, AtMost, Differs, Equal, ILike, In, IsNotNull, IsNull, Less, Like, More, NotIn, RLike};
    const NUMERIC: &[Comparator] = &[More, AtLeast, Equal, Differs, Less, AtMost];
    const TEXT: &[Comparator] = &[Equal, Differs, Like, ILike];
    const TEXT_LISTS: &[Comparator] = &[Equal, Differs, Like, ILike, In, NotIn];
    const TEXT_NULL: &[Comparator] = &[Equal, Differs, Like, ILike, IsNull, IsNotNull];
    const TEXT_NULL_RLIKE: &[Comparator] = &[Equal, Differs, Like, ILike, RLike, IsNull, IsNotNull];
    const TEXT_LISTS_RLIKE: &[Comparator] = &[Equal, Differs, Like, ILike, RLike, In, NotIn];
    const ASSESSMENT: &[Comparator] =
        &[Equal, Differs, More, AtLeast, Less, AtMost, Like, ILike, RLike, IsNull, IsNotNull];
    match (entity, namespace) {
        (_, Namespace::Keyed(Family::Metric)) => NUMERIC,
        (_, Namespace::Keyed(Family::Feedback | Family::Expectation)) => ASSESSMENT,
        (_, Namespace::Related(Relation::Issue | Relation::Prompt)) => &[Equal],
        (_, Namespace::Related(Relation::Span)) => TEXT_LISTS_RLIKE,
        (_, Namespace::Related(_)) => TEXT_LISTS,
        (Entity::Experiment, Namespace::Attribute) if takes_lists => &[Equal, Differs, In, NotIn],
        (_, Namespace::Attribute) if kind == Integer => NUMERIC,
        (Entity::Trace, Namespace::Attribute) => TEXT_LISTS_RLIKE,
        (Entity::EvaluationDataset, Namespace::Attribute) if takes_lists => &[Equal, Differs, Like, ILike, In],
        (Entity::Experiment | Entity::EvaluationDataset, Namespace::Attribute) => TEXT,
        (_, Namespace::Attribute) => TEXT_LISTS,
        (Entity::Run | Entity::Experiment, Namespace::Keyed(_)) => TEXT_NULL,
        (Entity::Trace, Namespace::Keyed(_)) => TEXT_NULL_RLIKE,
        (Entity::LoggedModel, Namespace::Keyed(_)) => TEXT_LISTS,
        (_, Namespace::Keyed(_)) => TEXT,
    }
}
