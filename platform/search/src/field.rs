/// What can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entity {
    Run,
    Experiment,
    RegisteredModel,
    ModelVersion,
    LoggedModel,
    Trace,
    EvaluationDataset,
}

/// What a clause or an order looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// A property of the record itself, by its canonical name: `start_time`, and never its alias `created`.
    Attribute(&'static str, Kind),
    /// A value that somebody gave under a key: `params.lr`.
    Keyed(Family, String),
    /// A property of what the record refers to: `dataset.name`.
    Related(Relation, Related),
}

/// What the values of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Text,
    Integer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Numbers. A run has one for each key, the latest; a logged model may have many.
    Metric,
    Param,
    Tag,
    /// Of a trace.
    Metadata,
    /// Of a trace. Values are JSON.
    Feedback,
    /// Of a trace. Values are JSON.
    Expectation,
}

/// A record may refer to many things of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Relation {
    /// The datasets that are inputs of a run.
    Dataset,
    /// The spans of a trace. All conditions on spans are about one and the same span.
    Span,
    /// The issues that a trace is evidence of.
    Issue,
    /// The prompt versions that a trace used.
    Prompt,
    /// The runs that a trace belongs to: its own and those it was linked to.
    Run,
}

/// A property of a related thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Related {
    Property(&'static str),
    /// An attribute of a span, by its key.
    SpanAttribute(String),
}
