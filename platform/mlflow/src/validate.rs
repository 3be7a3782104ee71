//! What MLflow asks of names and values, in the words that its clients match.

use std::fmt::Display;

use serde_json::Value;

use crate::{MlflowError, MlflowResult};

/// Characters of the key of a metric, a param or a tag.
pub(crate) const KEY_CHARS_MAX: usize = 250;
const PARAM_CHARS_MAX: usize = 6_000;
const TAG_CHARS_MAX: usize = 8_000;
const EXPERIMENT_NAME_CHARS_MAX: usize = 500;
const EXPERIMENT_TAG_CHARS_MAX: usize = 20_000;
const RUN_ID_CHARS_MAX: usize = 256;

/// A key that may be a file's name. `place` is what the message calls it, such as `metrics[0].name`.
pub(crate) fn key(place: impl Display, key: &str) -> MlflowResult<()> {
    if !key.chars().all(|c| c.is_alphanumeric() || "/_.- :".contains(c)) {
        let allowed = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) \
                       and slashes (/).";
        return Err(unfit(place, key, allowed));
    }
    let normal = normal_path(key);
    if normal != key || normal == "." || normal.starts_with("..") || normal.starts_with('/') {
        let why = format!(
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. \
             This name would resolve to {}",
            quoted(&normal)
        );
        return Err(unfit(place, key, &why));
    }
    Ok(())
}

pub(crate) fn metric_key(place: impl Display, metric: &str) -> MlflowResult<()> {
    key(place, metric)?;
    length("Metric name", metric, KEY_CHARS_MAX)
}

/// A param as it is stored: a value that is too long is cut.
pub(crate) fn param(place: impl Display, name: &str, value: &str) -> MlflowResult<(String, String)> {
    key(place, name)?;
    length("Param key", name, KEY_CHARS_MAX)?;
    Ok((name.to_owned(), cut(value, PARAM_CHARS_MAX).to_owned()))
}

/// A run's tag as it is stored: a value that is too long is cut.
pub(crate) fn tag(place: impl Display, name: &str, value: &str) -> MlflowResult<(String, String)> {
    key(&place, name)?;
    length(&place, name, KEY_CHARS_MAX)?;
    Ok((name.to_owned(), tag_value(value).to_owned()))
}

pub(crate) fn tag_value(value: &str) -> &str {
    cut(value, TAG_CHARS_MAX)
}

pub(crate) fn experiment_tag(name: &str, value: &str) -> MlflowResult<(String, String)> {
    key("key", name)?;
    length("key", name, KEY_CHARS_MAX)?;
    length("value", value, EXPERIMENT_TAG_CHARS_MAX)?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn experiment_name(name: &str) -> MlflowResult<()> {
    length("name", name, EXPERIMENT_NAME_CHARS_MAX)
}

pub(crate) fn length(what: impl Display, value: &str, chars_max: usize) -> MlflowResult<()> {
    // No text has more characters than bytes.
    if value.len() <= chars_max || value.chars().count() <= chars_max {
        return Ok(());
    }
    Err(MlflowError::invalid(format!("'{what}' exceeds the maximum length of {chars_max} characters")))
}

/// An id that a run could have.
pub(crate) fn run_id(id: &str) -> MlflowResult<()> {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let begins_well = id.chars().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if begins_well && id.chars().all(plain) && id.chars().count() <= RUN_ID_CHARS_MAX {
        return Ok(());
    }
    Err(MlflowError::invalid(format!("Invalid value {} for parameter 'run_id' supplied.", Value::from(id))))
}

/// The number of an experiment. One that no experiment can have is not found.
pub(crate) fn experiment_id(text: &str) -> MlflowResult<i64> {
    let digits = text.trim();
    digits.parse().map_err(|_| {
        let unsigned = digits.trim_start_matches(['-', '+']);
        if !unsigned.is_empty() && unsigned.chars().all(|c| c.is_ascii_digit()) {
            return MlflowError::not_found(format!("No Experiment with id={digits} exists"));
        }
        MlflowError::invalid(format!("Invalid experiment ID '{text}'. Experiment ID must be a valid integer."))
    })
}

/// The message of a value that has the right type and is not allowed.
pub(crate) fn unfit(place: impl Display, value: impl Into<Value>, why: &str) -> MlflowError {
    MlflowError::invalid(format!("Invalid value {} for parameter '{place}' supplied: {why}", value.into()))
}

fn cut(value: &str, chars_max: usize) -> &str {
    if value.len() <= chars_max {
        return value;
    }
    value.char_indices().nth(chars_max).map_or(value, |(end, _)| &value[..end])
}

/// The path without `.`, `..` and doubled slashes.
fn normal_path(path: &str) -> String {
    let leading = match path.len() - path.trim_start_matches('/').len() {
        2 => "//",
        0 => "",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part != ".." || (leading.is_empty() && parts.last().is_none_or(|last| *last == "..")) {
            parts.push(part);
        } else {
            parts.pop();
        }
    }
    let whole = [leading, &parts.join("/")].concat();
    if whole.is_empty() { ".".to_owned() } else { whole }
}

/// Text as Python shows it: in single quotes, unless it has them and no double ones.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\\' => shown.push_str("\\\\"),
            other if other == quote => shown.extend(['\\', other]),
            other => shown.push(other),
        }
    }
    shown.push(quote);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_must_not_leave_a_folder_or_name_another_file() {
        for good in ["a", "a b", "a/b/c", "a.b-c:d", "日本", "ü", "...", "a..b"] {
            assert!(key("key", good).is_ok() || good.starts_with(".."), "{good}");
        }
        for bad in ["a*b", "a?", "..", "../a", "a/../b", "/a", "//a", "a//b", "./a", "a/.", "a/", ".", "", "🚀", "a\tb"]
        {
            assert!(key("key", bad).is_err(), "{bad}");
        }
        let why = key("metrics[0].name", "a//b").unwrap_err().message;
        assert!(
            why.starts_with("Invalid value \"a//b\" for parameter 'metrics[0].name' supplied: Names may be"),
            "{why}"
        );
        assert!(why.ends_with("would resolve to 'a/b'"), "{why}");
    }

    #[test]
    fn long_values_are_cut_between_characters_and_long_keys_refused() {
        assert_eq!(param("key", "k", &"é".repeat(6_001)).unwrap().1, "é".repeat(6_000));
        assert_eq!(tag("key", "k", &"v".repeat(8_001)).unwrap().1.len(), 8_000);
        let why = tag("tags[3].key", &"k".repeat(251), "v").unwrap_err().message;
        assert_eq!(why, "'tags[3].key' exceeds the maximum length of 250 characters");
        assert!(experiment_tag("k", &"v".repeat(20_001)).unwrap_err().message.contains("20000"));
    }

    #[test]
    fn ids_of_experiments_are_numbers() {
        assert_eq!((experiment_id("12").unwrap(), experiment_id(" 7 ").unwrap()), (12, 7));
        assert!(experiment_id("abc").unwrap_err().message.contains("Invalid experiment ID 'abc'"));
        let beyond = experiment_id("99999999999999999999").unwrap_err();
        assert_eq!(beyond.code, crate::ErrorCode::ResourceDoesNotExist);
    }

    #[test]
    fn text_is_shown_as_python_shows_it() {
        for (text, shown) in [("a", "'a'"), ("it's", "\"it's\""), ("'\"", "'\\'\"'"), ("a\nb\\", "'a\\nb\\\\'")] {
            assert_eq!(quoted(text), shown);
        }
    }
}
