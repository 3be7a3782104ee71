//! Tokens and cost of a trace: summed over its spans, each counted once.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

/// What is counted of tokens, in the order in which it is written.
pub const TOKEN_KEYS: [&str; 6] = [
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_input_tokens_above_1hr",
];

/// Those of the tokens that every sum has, if only as 0.
const TOKEN_KEYS_ALWAYS: usize = 3;

/// What is counted of cost, in US dollars. A sum has all of them.
pub const COST_KEYS: [&str; 3] = ["input_cost", "output_cost", "total_cost"];

/// A span as the sums see it.
pub(super) struct Node {
    pub span_id: i64,
    /// 0: none.
    pub parent_id: i64,
    /// A JSON object, such as `{"input_tokens": 3}`.
    pub data: Option<String>,
}

pub(super) fn tokens(nodes: &[Node]) -> Vec<(&'static str, f64)> {
    sums(nodes, &TOKEN_KEYS, TOKEN_KEYS_ALWAYS)
}

pub(super) fn cost(nodes: &[Node]) -> Vec<(&'static str, f64)> {
    sums(nodes, &COST_KEYS, COST_KEYS.len())
}

/// The counts that a JSON object names, where they are whole.
pub(super) fn token_counts(object: &str) -> Vec<(&'static str, f64)> {
    counts(object, &TOKEN_KEYS, |number| number.fract() == 0.0)
}

pub(super) fn cost_amounts(object: &str) -> Vec<(&'static str, f64)> {
    counts(object, &COST_KEYS, f64::is_finite)
}

fn counts(object: &str, keys: &[&'static str], is_good: fn(f64) -> bool) -> Vec<(&'static str, f64)> {
    let fields: Map<String, Json> = serde_json::from_str(object).unwrap_or_default();
    let number = |key: &str| fields.get(key).and_then(Json::as_f64).filter(|number| is_good(*number));
    keys.iter().filter_map(|key| Some((*key, number(key)?))).collect()
}

/// Some libraries report on a parent what its children report too: below a span that reports, nothing counts.
fn sums(nodes: &[Node], keys: &[&'static str], always: usize) -> Vec<(&'static str, f64)> {
    let parents: HashMap<i64, &Node> = nodes.iter().map(|node| (node.span_id, node)).collect();
    let mut totals = vec![None; keys.len()];
    let mut covered = HashMap::new();
    for node in nodes {
        let Some(data) = &node.data else { continue };
        if is_below_a_report(node, &parents, &mut covered) {
            continue;
        }
        let fields: Map<String, Json> = serde_json::from_str(data).unwrap_or_default();
        for (at, key) in keys.iter().enumerate() {
            match fields.get(*key).and_then(Json::as_f64) {
                Some(number) => *totals[at].get_or_insert(0.0) += number,
                None if at < always => _ = totals[at].get_or_insert(0.0),
                None => {}
            }
        }
    }
    keys.iter().zip(totals).filter_map(|(key, total)| Some((*key, total?))).filter(|(_, sum)| sum.is_finite()).collect()
}

/// Whether a span above this one reports. `known` keeps what was found, as many spans share a way up.
fn is_below_a_report(node: &Node, parents: &HashMap<i64, &Node>, known: &mut HashMap<i64, bool>) -> bool {
    let mut way = Vec::new();
    let mut at = node;
    let found = loop {
        if let Some(found) = known.get(&at.span_id) {
            break *found;
        }
        way.push(at.span_id);
        // Spans that name each other as parents make a circle; a way is no longer than there are spans.
        match parents.get(&at.parent_id).filter(|_| at.parent_id != 0 && way.len() <= parents.len()) {
            None => break false,
            Some(parent) if parent.data.is_some() => break true,
            Some(parent) => at = parent,
        }
    };
    known.extend(way.into_iter().map(|span| (span, found)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(span_id: i64, parent_id: i64, total: Option<i64>) -> Node {
        let data = total.map(|total| format!(r#"{{"input_tokens": 1, "output_tokens": 2, "total_tokens": {total}}}"#));
        Node { span_id, parent_id, data }
    }

    fn total(nodes: &[Node]) -> Option<f64> {
        tokens(nodes).into_iter().find(|(key, _)| *key == "total_tokens").map(|(_, total)| total)
    }

    #[test]
    fn siblings_add_up_and_what_a_parent_reports_is_not_counted_again() {
        let flat = [node(1, 0, None), node(2, 1, Some(3)), node(3, 1, Some(4))];
        assert_eq!(total(&flat), Some(7.0));
        let nested = [node(1, 0, Some(10)), node(2, 1, None), node(3, 2, Some(4)), node(4, 9, Some(5))];
        assert_eq!(total(&nested), Some(15.0));
        assert_eq!(tokens(&[node(1, 0, None)]), []);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let circle = [node(1, 2, None), node(2, 1, None), node(3, 1, Some(4))];
        assert_eq!(total(&circle), Some(4.0));
    }

    #[test]
    fn a_deep_tree_is_walked_without_recursion() {
        let mut deep: Vec<_> = (1..100_000).map(|id| node(id, id - 1, None)).collect();
        deep.push(node(100_000, 99_999, Some(6)));
        assert_eq!(total(&deep), Some(6.0));
    }

    #[test]
    fn cache_tokens_are_there_only_if_somebody_counted_them() {
        let nodes = [Node { span_id: 1, parent_id: 0, data: Some(r#"{"cache_read_input_tokens": 5}"#.to_owned()) }];
        let keys: Vec<_> = tokens(&nodes).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens"]);
        assert_eq!(token_counts(r#"{"input_tokens": 1.5, "output_tokens": 2, "x": 3}"#), [("output_tokens", 2.0)]);
    }
}
