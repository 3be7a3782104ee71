use std::collections::{BTreeMap, HashMap, HashSet};

use super::info::TRACES;
use super::start::{foreign, put_usage};
use super::tags::upsert_pairs;
use super::usage::{self, Node};
use super::{COST_KEYS, IN_PROGRESS, TOKEN_KEYS};
use crate::db::{Column, Insert, Tx, Value, in_lists};
use crate::tracking::expect_experiment;
use crate::{Result, Scope, Store};

/// One span. Ids are their eight bytes as one number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewSpan {
    pub span_id: i64,
    /// 0: it is a root.
    pub parent_id: i64,
    pub start_ns: i64,
    /// 0: it has not ended.
    pub end_ns: i64,
    pub name: String,
    pub kind: Option<String>,
    pub status: &'static str,
    pub model: Option<String>,
    pub provider: Option<String>,
    /// JSON objects of numbers.
    pub usage: Option<String>,
    pub cost: Option<String>,
    /// The whole span as JSON.
    pub content: String,
}

/// What one request says of one trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracePart {
    pub spans: Vec<NewSpan>,
    /// `None` as long as the root span is not among them.
    pub state: Option<&'static str>,
    /// Holds only where the trace has none.
    pub name: Option<String>,
    pub session_id: Option<String>,
    pub request_preview: Option<String>,
    pub response_preview: Option<String>,
    /// A name that somebody gave: it replaces another.
    pub given_name: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Holds only where the trace has none of the same key.
    pub metadata: BTreeMap<String, String>,
}

/// Spans of one request, by trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanBatch {
    pub experiment_id: i64,
    /// By trace id, so that two writers take locks in the same order.
    pub traces: BTreeMap<String, TracePart>,
}

/// A trace that the batch writes to.
struct Known {
    id: i64,
    /// Whether it was there before.
    is_old: bool,
    is_final: bool,
}

type Parts<'b> = Vec<(Known, &'b TracePart)>;

impl Store {
    /// Writes spans, and what they say of their traces. A span that was written before is replaced.
    #[tracing::instrument(name = "db.traces.write_spans", skip_all)]
    pub async fn write_spans(&self, scope: &Scope, batch: SpanBatch) -> Result<()> {
        let scope = scope.clone();
        self.transact(move |tx| {
            expect_experiment(tx, &scope, batch.experiment_id)?;
            put_traces(tx, &batch)?;
            let parts = known(tx, &scope, &batch)?;
            put_spans(tx, &parts)?;
            put_usages(tx, &parts)?;
            put_given_names(tx, &parts)?;
            put_all(tx, &upsert_pairs("trace_tags"), &parts, |part| &part.tags)?;
            let metadata =
                Insert { on_conflict: "ON CONFLICT (trace, key) DO NOTHING", ..upsert_pairs("trace_metadata") };
            put_all(tx, &metadata, &parts, |part| &part.metadata)
        })
        .await
    }
}

impl TracePart {
    fn start_ms(&self) -> i64 {
        self.spans.iter().map(|span| span.start_ns).min().unwrap_or_default() / 1_000_000
    }

    fn end_ms(&self) -> Option<i64> {
        let last = self.spans.iter().map(|span| span.end_ns).max().filter(|end| *end > 0)?;
        Some(last / 1_000_000)
    }
}

/// Times widen to what the spans span, as long as the client has not told the whole of the trace.
const MERGE: &str = "ON CONFLICT (trace_id) DO UPDATE SET \
     timestamp_ms = CASE WHEN traces.is_final = 0 AND excluded.timestamp_ms < traces.timestamp_ms \
       THEN excluded.timestamp_ms ELSE traces.timestamp_ms END, \
     end_ms = CASE WHEN traces.is_final = 0 AND (traces.end_ms IS NULL OR excluded.end_ms > traces.end_ms) \
       THEN excluded.end_ms ELSE traces.end_ms END, \
     state = CASE WHEN traces.state IN ('IN_PROGRESS', 'STATE_UNSPECIFIED') AND excluded.state <> 'IN_PROGRESS' \
       THEN excluded.state ELSE traces.state END, \
     name = COALESCE(traces.name, excluded.name), \
     session_id = COALESCE(traces.session_id, excluded.session_id), \
     request_preview = COALESCE(traces.request_preview, excluded.request_preview), \
     response_preview = COALESCE(traces.response_preview, excluded.response_preview), \
     has_spans = 1, writes = traces.writes + 1";

fn put_traces(tx: &mut Tx<'_>, batch: &SpanBatch) -> Result<()> {
    let len = batch.traces.len();
    let parts = || batch.traces.values();
    let same = |number: i64| Column::Same(Value::Int(Some(number)), len);
    let texts = |text: fn(&TracePart) -> Option<&str>| Column::TextOpt(parts().map(text).collect());
    let columns = [
        ("trace_id", Column::Text(batch.traces.keys().map(String::as_str).collect())),
        ("experiment_id", same(batch.experiment_id)),
        ("timestamp_ms", Column::Int(parts().map(TracePart::start_ms).collect())),
        ("end_ms", Column::IntOpt(parts().map(TracePart::end_ms).collect())),
        ("state", Column::Text(parts().map(|part| part.state.unwrap_or(IN_PROGRESS)).collect())),
        ("name", texts(|part| part.given_name.as_deref().or(part.name.as_deref()))),
        ("session_id", texts(|part| part.session_id.as_deref())),
        ("request_preview", texts(|part| part.request_preview.as_deref())),
        ("response_preview", texts(|part| part.response_preview.as_deref())),
        ("is_final", same(0)),
        ("has_spans", same(1)),
        ("writes", same(1)),
    ];
    let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    tx.insert(&Insert { table: "traces", columns: &names, on_conflict: MERGE }, &columns)?;
    Ok(())
}

/// Refuses all if one of the traces is another project's.
fn known<'b>(tx: &mut Tx<'_>, scope: &Scope, batch: &'b SpanBatch) -> Result<Parts<'b>> {
    let ids: Vec<&str> = batch.traces.keys().map(String::as_str).collect();
    let mut parts = Vec::with_capacity(ids.len());
    for (places, values) in in_lists(&ids, 1) {
        let sql = format!(
            "SELECT t.trace_id, t.id, t.writes, t.is_final, e.project FROM {TRACES} WHERE t.trace_id IN ({places})"
        );
        tx.for_each(&sql, &values, |row| {
            if !scope.sees(row.str(4)?) {
                return Err(foreign(row.str(0)?));
            }
            let known = Known { id: row.int(1)?, is_old: row.int(2)? > 1, is_final: row.flag(3)? };
            parts.extend(batch.traces.get(row.str(0)?).map(|part| (known, part)));
            Ok(())
        })?;
    }
    // Rows of one trace stay side by side, and new traces come after old ones.
    parts.sort_by_key(|(known, _)| known.id);
    Ok(parts)
}

const SPANS: Insert<'_> = Insert {
    table: "spans",
    columns: &[
        "trace",
        "span_id",
        "parent_id",
        "start_ns",
        "end_ns",
        "name",
        "kind",
        "status",
        "model",
        "provider",
        "usage",
        "cost",
        "content",
    ],
    on_conflict: "ON CONFLICT (trace, span_id) DO UPDATE SET parent_id = excluded.parent_id, \
         start_ns = excluded.start_ns, end_ns = excluded.end_ns, name = excluded.name, kind = excluded.kind, \
         status = excluded.status, model = excluded.model, provider = excluded.provider, usage = excluded.usage, \
         cost = excluded.cost, content = excluded.content",
};

fn put_spans(tx: &mut Tx<'_>, parts: &Parts<'_>) -> Result<()> {
    let mut spans = Vec::with_capacity(parts.iter().map(|(_, part)| part.spans.len()).sum());
    for (known, part) in parts {
        spans.extend(last_of_each(&part.spans).map(|span| (known.id, span)));
    }
    let ints = |number: fn(&NewSpan) -> i64| Column::Int(spans.iter().map(|(_, span)| number(span)).collect());
    let texts = |text: fn(&NewSpan) -> &str| Column::Text(spans.iter().map(|(_, span)| text(span)).collect());
    let options =
        |text: fn(&NewSpan) -> Option<&str>| Column::TextOpt(spans.iter().map(|(_, span)| text(span)).collect());
    let columns = [
        Column::Int(spans.iter().map(|(trace, _)| *trace).collect()),
        ints(|span| span.span_id),
        ints(|span| span.parent_id),
        ints(|span| span.start_ns),
        ints(|span| span.end_ns),
        texts(|span| &span.name),
        options(|span| span.kind.as_deref()),
        texts(|span| span.status),
        options(|span| span.model.as_deref()),
        options(|span| span.provider.as_deref()),
        options(|span| span.usage.as_deref()),
        options(|span| span.cost.as_deref()),
        texts(|span| &span.content),
    ];
    tx.insert(&SPANS, &columns)?;
    Ok(())
}

/// A span that a batch has twice counts as its last state.
fn last_of_each(spans: &[NewSpan]) -> impl Iterator<Item = &NewSpan> {
    let mut seen = HashSet::with_capacity(spans.len());
    let mut last: Vec<_> = spans.iter().rev().filter(|span| seen.insert(span.span_id)).collect();
    last.reverse();
    last.into_iter()
}

/// Sums tokens and cost anew over all spans of a trace, unless its client gave the sum.
fn put_usages(tx: &mut Tx<'_>, parts: &Parts<'_>) -> Result<()> {
    let mut sums = Vec::new();
    put_sums(
        tx,
        parts,
        Counted { keys: &TOKEN_KEYS, column: "usage", of: |span| &span.usage, sum: usage::tokens },
        &mut sums,
    )?;
    put_sums(
        tx,
        parts,
        Counted { keys: &COST_KEYS, column: "cost", of: |span| &span.cost, sum: usage::cost },
        &mut sums,
    )?;
    put_usage(tx, &sums)
}

struct Counted {
    keys: &'static [&'static str],
    column: &'static str,
    of: fn(&NewSpan) -> &Option<String>,
    sum: fn(&[Node]) -> Vec<(&'static str, f64)>,
}

fn put_sums(
    tx: &mut Tx<'_>,
    parts: &Parts<'_>,
    counted: Counted,
    sums: &mut Vec<(i64, &'static str, f64)>,
) -> Result<()> {
    let reports = parts.iter().filter(|(_, part)| part.spans.iter().any(|span| (counted.of)(span).is_some()));
    let (old, new): (Vec<_>, Vec<_>) = reports.partition(|(known, _)| known.is_old);
    for (known, part) in new {
        let node = |span: &NewSpan| Node {
            span_id: span.span_id,
            parent_id: span.parent_id,
            data: (counted.of)(span).clone(),
        };
        let nodes: Vec<_> = last_of_each(&part.spans).map(node).collect();
        sums.extend((counted.sum)(&nodes).into_iter().map(|(key, sum)| (known.id, key, sum)));
    }
    let given = given(tx, old.iter().filter(|(known, _)| known.is_final).map(|(known, _)| known.id), counted.keys)?;
    let open: Vec<i64> = old.iter().map(|(known, _)| known.id).filter(|id| !given.contains(id)).collect();
    for (trace, nodes) in stored_nodes(tx, &open, counted.column)? {
        sums.extend((counted.sum)(&nodes).into_iter().map(|(key, sum)| (trace, key, sum)));
    }
    Ok(())
}

/// Those of the traces that have one of the keys.
fn given(tx: &mut Tx<'_>, traces: impl Iterator<Item = i64>, keys: &[&'static str]) -> Result<HashSet<i64>> {
    let traces: Vec<i64> = traces.collect();
    let mut given = HashSet::new();
    for (places, values) in in_lists(&traces, 1) {
        let sql = format!("SELECT trace, key FROM trace_usage WHERE trace IN ({places})");
        tx.for_each(&sql, &values, |row| {
            if keys.contains(&row.str(1)?) {
                given.insert(row.int(0)?);
            }
            Ok(())
        })?;
    }
    Ok(given)
}

fn stored_nodes(tx: &mut Tx<'_>, traces: &[i64], column: &str) -> Result<HashMap<i64, Vec<Node>>> {
    let mut nodes: HashMap<i64, Vec<Node>> = HashMap::new();
    for (places, values) in in_lists(traces, 1) {
        let sql = format!("SELECT trace, span_id, parent_id, {column} FROM spans WHERE trace IN ({places})");
        tx.for_each(&sql, &values, |row| {
            let node = Node { span_id: row.int(1)?, parent_id: row.int(2)?, data: row.text_opt(3)? };
            nodes.entry(row.int(0)?).or_default().push(node);
            Ok(())
        })?;
    }
    Ok(nodes)
}

/// A new trace got its name as it was made.
fn put_given_names(tx: &mut Tx<'_>, parts: &Parts<'_>) -> Result<()> {
    for (known, part) in parts.iter().filter(|(known, _)| known.is_old) {
        if let Some(name) = &part.given_name {
            let sql = "UPDATE traces SET name = $1 WHERE id = $2 AND (name IS NULL OR name <> $1)";
            tx.execute(sql, &[name.into(), known.id.into()])?;
        }
    }
    Ok(())
}

fn put_all(
    tx: &mut Tx<'_>,
    insert: &Insert<'_>,
    parts: &Parts<'_>,
    of: fn(&TracePart) -> &BTreeMap<String, String>,
) -> Result<()> {
    let pairs = || parts.iter().flat_map(|(known, part)| of(part).iter().map(|(key, value)| (known.id, key, value)));
    let traces = Column::Int(pairs().map(|(trace, ..)| trace).collect());
    let keys = Column::Text(pairs().map(|(_, key, _)| key.as_str()).collect());
    let values = Column::Text(pairs().map(|(.., value)| value.as_str()).collect());
    tx.insert(insert, &[traces, keys, values])?;
    Ok(())
}
