use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::field::FieldPath;

/// One field that differs between two specs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Such as `steps.joined.sql`.
    pub path: String,
    /// None where the field is new.
    pub old: Option<Value>,
    /// None where the field is gone.
    pub new: Option<Value>,
}

/// What differs between two canonical specs, field by field, in the order of the new one, then what is gone.
///
/// The order of fields does not count and `1` equals `1.0`. Lists of plain values count as one value.
pub fn diff(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare(&FieldPath::default(), Some(old), Some(new), &mut changes);
    changes
}

fn compare(path: &FieldPath, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => compare_fields(path, old, new, changes),
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.iter().chain(new).any(is_compound) => {
            for i in 0..old.len().max(new.len()) {
                compare(&path.item(i), old.get(i), new.get(i), changes);
            }
        }
        (Some(old), Some(new)) if equal(old, new) => {}
        (None, None) => {}
        (old, new) => changes.push(FieldChange { path: path.to_string(), old: old.cloned(), new: new.cloned() }),
    }
}

fn compare_fields(
    path: &FieldPath,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    changes: &mut Vec<FieldChange>,
) {
    for (key, value) in new {
        compare(&path.field(key), old.get(key), Some(value), changes);
    }
    for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        compare(&path.field(key), Some(value), None, changes);
    }
}

fn is_compound(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn equal(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        _ => old == new,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_diff_names_each_field_that_changed() {
        let old = json!({"a": {"x": 1, "y": [1, 2]}, "steps": [{"sql": "a"}, {"sql": "b"}], "gone": true});
        let new = json!({"steps": [{"sql": "a"}, {"sql": "c"}, {"sql": "d"}], "a": {"y": [1, 3], "x": 1.0, "z": null}});
        let change = |path: &str, old, new| FieldChange { path: path.to_owned(), old, new };
        assert_eq!(
            diff(&old, &new),
            [
                change("steps[1].sql", Some(json!("b")), Some(json!("c"))),
                change("steps[2]", None, Some(json!({"sql": "d"}))),
                change("a.y", Some(json!([1, 2])), Some(json!([1, 3]))),
                change("a.z", None, Some(Value::Null)),
                change("gone", Some(json!(true)), None),
            ]
        );
        assert_eq!(diff(&old, &old), []);
    }
}
