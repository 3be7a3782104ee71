use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde::de::IgnoredAny;
use serde_json::Value as Json;

use crate::json::{push_string, push_value};
use crate::{TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX};

/// The attributes of one span in their order, each value as JSON in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// Of a key that is there twice, the last value counts.
    pub fn of(pairs: Vec<KeyValue>) -> Self {
        let mut attributes = Self(Vec::with_capacity(pairs.len() + 1));
        for KeyValue { key, value, .. } in pairs {
            attributes.set(key, text_of(value));
        }
        attributes
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str())
    }

    /// A value that says something: not null, false, 0 or empty.
    pub fn filled(&self, key: &str) -> Option<&str> {
        self.get(key).filter(|text| !matches!(*text, "null" | "false" | "0" | "0.0" | "\"\"" | "[]" | "{}" | ""))
    }

    /// The text that a value is, or its JSON where it is none.
    pub fn decoded(&self, key: &str) -> Option<String> {
        self.get(key).map(decoded)
    }

    pub fn set(&mut self, key: impl Into<String>, text: String) {
        let key = key.into();
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = text,
            None => self.0.push((key, text)),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, text)| (key.as_str(), text.as_str()))
    }
}

/// The text that some JSON is, or the JSON itself where it is no text.
pub fn decoded(json: &str) -> String {
    match serde_json::from_str::<String>(json) {
        Ok(text) => text,
        Err(_) => json.to_owned(),
    }
}

/// A text that is JSON already (an object, a list, a quoted text) stays as it is: libraries that only know plain values
/// encode theirs before.
fn text_of(value: Option<AnyValue>) -> String {
    match value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => {
            if is_encoded(&text) {
                // Databases refuse the character that this stands for.
                return if text.contains(NUL) { text.replace(NUL, "\\ufffd") } else { text };
            }
            let mut out = String::with_capacity(text.len() + 2);
            push_string(&mut out, &text);
            out
        }
        other => {
            let mut out = String::new();
            push_value(&mut out, other.as_ref());
            out
        }
    }
}

/// A NUL in JSON.
const NUL: &str = "\\u0000";

fn is_encoded(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[', '"'])
        && !text.contains('\0')
        && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The attributes of what made the spans, as tags: without those about the exporter and those that are reserved.
pub(crate) fn tags_of_resource(pairs: Vec<KeyValue>) -> impl Iterator<Item = (String, String)> {
    pairs.into_iter().filter_map(|KeyValue { key, value, .. }| {
        let is_reserved = ["telemetry.sdk.", "mlflow."].iter().any(|start| key.starts_with(start));
        if is_reserved || !is_tag_key(&key) {
            return None;
        }
        let text = match value {
            Some(AnyValue { value: Some(Value::StringValue(text)) }) => text,
            other => {
                let mut out = String::new();
                push_value(&mut out, other.as_ref());
                out
            }
        };
        Some((key, tag_value(&text)))
    })
}

pub(crate) fn tag_value(text: &str) -> String {
    without_nul(&cut(text, TAG_VALUE_CHARS_MAX))
}

/// The first so many characters.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

pub(crate) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Letters, digits and `_ / . - : ` and spaces; no way up or from the root.
pub fn is_tag_key(key: &str) -> bool {
    let is_good = |c: char| c.is_alphanumeric() || "_/.-: ".contains(c);
    let is_path_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    !key.is_empty()
        && key.chars().count() <= TAG_KEY_CHARS_MAX
        && key.chars().all(is_good)
        && key.split('/').all(is_path_part)
}

/// The JSON object that a text is, or that it quotes.
pub(crate) fn object_in(text: &str) -> Option<Json> {
    match serde_json::from_str(text).ok()? {
        Json::String(inner) => serde_json::from_str(&inner).ok().filter(Json::is_object),
        value => Some(value).filter(Json::is_object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        text_of(Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) }))
    }

    #[test]
    fn a_text_is_encoded_unless_it_is_json_of_some_structure() {
        assert_eq!(text("plain"), "\"plain\"");
        assert_eq!(text("5"), "\"5\"");
        assert_eq!(text(r#"{"a": 1}"#), r#"{"a": 1}"#);
        assert_eq!(text(r#""quoted""#), r#""quoted""#);
        assert_eq!(text("{broken"), "\"{broken\"");
        assert_eq!(text_of(None), "null");
        assert_eq!(decoded(&text("plain")), "plain");
        assert_eq!(decoded("5"), "5");
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let pair = |value: &str| KeyValue {
            key: "k".to_owned(),
            value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }),
            ..KeyValue::default()
        };
        let attributes = Attributes::of(vec![pair("a"), pair("b")]);
        assert_eq!((attributes.0.len(), attributes.get("k")), (1, Some("\"b\"")));
    }

    #[test]
    fn keys_of_tags_are_checked() {
        for good in ["service.name", "a b/c-d:e", "é"] {
            assert!(is_tag_key(good), "{good}");
        }
        for bad in ["", "a\"b", "../a", "/a", "a//b", "a\n"] {
            assert!(!is_tag_key(bad), "{bad}");
        }
        assert!(!is_tag_key(&"k".repeat(251)));
    }
}
