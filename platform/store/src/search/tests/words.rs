//! Few keys and few values, so that they meet.

use proptest::prelude::*;

/// Values that differ in case, in characters that patterns treat specially, in length, and beyond their head.
pub fn values() -> Vec<String> {
    let short = ["", "a", "A", "ab", "aB", "b%", "a_b", "É1", "é1", "*[?]\\z", "10", "9", "it''s", "a\nb"];
    let long =
        [(249, ""), (250, ""), (250, "y"), (250, "z%"), (260, "")].map(|(n, end)| format!("{}{end}", "x".repeat(n)));
    short.into_iter().map(str::to_owned).chain(long).collect()
}

pub fn value() -> impl Strategy<Value = String> {
    prop::sample::select(values())
}

pub fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "long key.1"])
}

/// A key that some records may have, and one that none has.
pub fn asked_key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "long key.1", "nobody's"])
}

pub fn number() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![-1.5, 0.0, 0.1, 1.0, 2.0, f64::MAX, f64::NAN])
}

/// A comparison of a text, after its field.
pub fn text_test() -> impl Strategy<Value = String> {
    let pattern = prop::sample::select(vec![
        "%", "a%", "%B", "_", "é_", "É%", "%x", "x%y", "%[%", "a\\_b", "%%1", "", "a_b", "*%",
    ]);
    prop_oneof![
        (prop::sample::select(vec!["=", "!="]), value()).prop_map(|(op, value)| format!("{op} '{value}'")),
        (prop::sample::select(vec!["LIKE", "ILIKE"]), pattern).prop_map(|(op, pattern)| format!("{op} '{pattern}'")),
    ]
}

/// A comparison with a list, after its field.
pub fn list_test(values: Vec<String>) -> impl Strategy<Value = String> {
    let values = prop::collection::vec(prop::sample::select(values), 1..4);
    (prop::sample::select(vec!["IN", "NOT IN"]), values).prop_map(|(op, values)| {
        let values: Vec<_> = values.iter().map(|value| format!("'{value}'")).collect();
        format!("{op} ({})", values.join(", "))
    })
}

/// A comparison of a number, after its field.
pub fn number_test() -> impl Strategy<Value = String> {
    let numbers = prop::sample::select(vec!["-1.5", "0", "0.1", "1", "2.5", "1e308", "1e400"]);
    (prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]), numbers).prop_map(|(op, n)| format!("{op} {n}"))
}

pub fn null_test() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["IS NULL", "IS NOT NULL"]).prop_map(str::to_owned)
}

pub fn direction() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", " ASC", " DESC"])
}
