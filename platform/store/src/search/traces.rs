//! Traces, as the builder searches them.
//!
//! What a search costs: the newest traces are read first, so a page of a common value is soon full. A clause about a run, a
//! prompt or a session begins at its index. Any other clause looks each trace of the experiment up until the page is full:
//! tags, metadata, assessments and the name, type and status of spans in an index entry each, the content of spans by
//! reading all of it.

use tiegel_search::{Entity, Family, Relation};

use super::entity::{Attribute, Link, Lookup, Searched, Side, Values};
use crate::traces::{SESSION_METADATA, TRACE_NAME_TAG};

/// What is said of a trace, and of the session it belongs to.
macro_rules! said_sql {
    ($kind:literal) => {
        concat!(
            "SELECT a.trace, a.name, a.value, a.number, a.is_number FROM assessments AS a WHERE a.kind = '",
            $kind,
            "' AND a.is_valid = 1 UNION ALL SELECT o.id, a.name, a.value, a.number, a.is_number FROM assessments AS a \
             JOIN traces AS m ON m.id = a.trace \
             JOIN traces AS o ON o.experiment_id = m.experiment_id AND o.session_id = m.session_id WHERE a.kind = '",
            $kind,
            "' AND a.is_valid = 1 AND a.is_session_wide = 1 AND o.id <> m.id"
        )
    };
}
pub(crate) static TRACES: Searched = Searched {
    entity: Entity::Trace,
    table: "traces",
    id: "id",
    id_is_text: false,
    scope: "experiment_id",
    stage: None,
    condition: None,
    attributes: &[
        Attribute::new("request_id", "t.trace_id").found(Lookup::Unique),
        Attribute::new("timestamp_ms", "t.timestamp_ms"),
        Attribute::new("execution_time_ms", "(t.end_ms - t.timestamp_ms)").nullable(),
        Attribute::new("end_time_ms", "COALESCE(t.end_ms, t.timestamp_ms)"),
        Attribute::new("status", "t.state"),
        Attribute::new("client_request_id", "t.client_request_id").nullable(),
        Attribute::new("experiment_id", "t.experiment_id"),
        Attribute::new("name", "t.name").nullable(),
        Attribute::new("session", "t.session_id").nullable().found(Lookup::Indexed),
    ],
    columns: &[(Family::Tag, TRACE_NAME_TAG, "name"), (Family::Metadata, SESSION_METADATA, "session")],
    sides: &[
        (Family::Tag, texts("trace_tags")),
        (Family::Metadata, texts("trace_metadata")),
        (Family::Feedback, said(concat!("(", said_sql!("feedback"), ")"))),
        (Family::Expectation, said(concat!("(", said_sql!("expectation"), ")"))),
    ],
    links: &[
        span("name", "l.name"),
        span("type", "l.kind"),
        span("status", "l.status"),
        span("content", "l.content"),
        of_trace(Relation::Run, "run_id", "trace_runs AS l JOIN traces AS x ON x.id = l.trace", "l.run_id"),
        of_trace(Relation::Prompt, "id", "trace_prompts AS l JOIN traces AS x ON x.id = l.trace", "l.prompt"),
        Link {
            relation: Relation::Issue,
            property: "id",
            from: "(SELECT trace, name FROM assessments WHERE kind = 'issue') AS l",
            owner: "l.trace",
            value: "l.name",
            scope: None,
        },
    ],
};

const fn texts(table: &'static str) -> Side {
    Side {
        table,
        owner: "trace",
        key: "key",
        is_interned: false,
        values: Values::Whole("value"),
        scope: None,
        latest: None,
    }
}

const fn said(table: &'static str) -> Side {
    Side { table, owner: "trace", key: "name", is_interned: false, values: Values::Json, scope: None, latest: None }
}

const fn span(property: &'static str, value: &'static str) -> Link {
    Link { relation: Relation::Span, property, from: "spans AS l", owner: "l.trace", value, scope: None }
}

const fn of_trace(relation: Relation, property: &'static str, from: &'static str, value: &'static str) -> Link {
    Link { relation, property, from, owner: "l.trace", value, scope: Some("x.experiment_id") }
}
