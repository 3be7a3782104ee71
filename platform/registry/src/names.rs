//! What clients may call things. The texts are those that MLflow's clients know.

use serde_json::json;

/// Characters of a registered model's name.
const MODEL_NAME_CHARS_MAX: usize = 256;
/// Characters of a logged model's name.
const LOGGED_MODEL_NAME_CHARS_MAX: usize = 500;
const ALIAS_CHARS_MAX: usize = 255;
const TAG_KEY_CHARS_MAX: usize = 250;
/// The text of a prompt is a tag's value.
const TAG_VALUE_CHARS_MAX: usize = 100_000;
const PROMPT_TEXT_TAG: &str = tiegel_store::PROMPT_TEXT_TAG;

/// `field` is what the request calls it.
pub fn check_model_name(field: &str, name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err(format!("Missing value for required parameter '{field}'."));
    }
    if name.contains(['/', ':']) {
        return Err(format!("Invalid model name '{name}'. Names cannot contain '/' or ':'."));
    }
    check_path(field, name)?;
    check_length("name", MODEL_NAME_CHARS_MAX, name)
}

pub fn check_logged_model_name(name: &str) -> Result<(), String> {
    const FORBIDDEN: [char; 6] = ['/', ':', '.', '%', '"', '\''];
    if name.is_empty() || name.contains(FORBIDDEN) {
        return Err(format!(
            "Invalid model name ({name:?}) provided. Model name must be a non-empty string and cannot contain the \
             following characters: ('/', ':', '.', '%', '\"', \"'\")"
        ));
    }
    check_length("name", LOGGED_MODEL_NAME_CHARS_MAX, name)
}

/// An alias that is to be read, or set if `is_set`: some names have a meaning of their own.
pub fn check_alias(alias: &str, is_set: bool) -> Result<(), String> {
    if alias.is_empty() {
        return Err("Registered model alias name cannot be empty.".to_owned());
    }
    if !alias.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        return Err(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        ));
    }
    check_length("Registered model alias name", ALIAS_CHARS_MAX, alias)?;
    if is_set && alias.eq_ignore_ascii_case("latest") {
        return Err("'latest' alias name (case insensitive) is reserved.".to_owned());
    }
    let number = alias.strip_prefix(['v', 'V']).unwrap_or_default();
    if is_set && !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("Version alias name '{alias}' is reserved."));
    }
    Ok(())
}

/// A tag of a registered model or a version.
pub fn check_tag(key: &str, value: &str) -> Result<(), String> {
    check_tag_key(key)?;
    check_length("key", TAG_KEY_CHARS_MAX, key)?;
    if key == PROMPT_TEXT_TAG && value.chars().count() > TAG_VALUE_CHARS_MAX {
        return Err(format!("Prompt text exceeds max length of {TAG_VALUE_CHARS_MAX} characters."));
    }
    check_length("value", TAG_VALUE_CHARS_MAX, value)
}

pub fn check_tag_key(key: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' ' | ':');
    if !key.chars().all(is_plain) {
        let why = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) \
                   and slashes (/).";
        return Err(format!("Invalid value {} for parameter 'key' supplied: {why}", json!(key)));
    }
    check_path("key", key)
}

/// Names may become paths of files, so none may be another's path.
fn check_path(field: &str, name: &str) -> Result<(), String> {
    let normal = normal_path(name);
    if normal == name && normal != "." && !normal.starts_with("..") && !normal.starts_with('/') {
        return Ok(());
    }
    Err(format!(
        "Invalid value {} for parameter '{field}' supplied: Names may be treated as files in certain cases, and must not \
         resolve to other names when treated as such. This name would resolve to '{normal}'",
        json!(name)
    ))
}

/// A path without `.`, `..` and repeated slashes, as far as it can be without looking at files.
pub(crate) fn normal_path(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match (part, parts.last()) {
            ("..", Some(&last)) if last != ".." => _ = parts.pop(),
            ("..", None) if is_absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

fn check_length(what: &str, chars_max: usize, text: &str) -> Result<(), String> {
    if text.chars().count() <= chars_max {
        return Ok(());
    }
    Err(format!("'{what}' exceeds the maximum length of {chars_max} characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names_are_free_but_for_what_uris_and_paths_need() {
        for good in ["delay", "Größe & co.", "a b", "...a"[3..].as_ref(), "0", "m-1%2F", &"ä".repeat(256)] {
            assert_eq!(check_model_name("name", good), Ok(()), "{good}");
        }
        for bad in ["", "  ", "a/b", "a:b", ".", "..", "..a", &"a".repeat(257)] {
            assert!(check_model_name("name", bad).is_err(), "{bad}");
        }
        assert_eq!(
            check_model_name("new_name", " "),
            Err("Missing value for required parameter 'new_name'.".to_owned())
        );
    }

    #[test]
    fn some_aliases_are_reserved_but_may_be_asked_for() {
        for good in ["champion", "0best", "_-", "v1a", "vx", "ä"] {
            assert_eq!(check_alias(good, true), Ok(()), "{good}");
        }
        for reserved in ["latest", "Latest", "v1", "V20"] {
            assert!(check_alias(reserved, true).is_err() && check_alias(reserved, false).is_ok(), "{reserved}");
        }
        for bad in ["", "a b", "a.b", "a/b", "a@b", &"a".repeat(256)] {
            assert!(check_alias(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tag_key_is_no_path_to_another() {
        for good in ["mlflow.prompt.text", "a/b", "a: b-c", "Ü", "..."] {
            assert_eq!(check_tag(good, "x").is_ok(), good != "...", "{good}");
        }
        for bad in ["a//b", "a/./b", "/a", "../a", "a/", "a\nb", "a\\b", &"a".repeat(251)] {
            assert!(check_tag(bad, "x").is_err(), "{bad}");
        }
        assert!(check_tag("a", &"ä".repeat(100_000)).is_ok() && check_tag("a", &"a".repeat(100_001)).is_err());
        let refused = check_tag(PROMPT_TEXT_TAG, &"a".repeat(100_001)).unwrap_err();
        assert_eq!(refused, "Prompt text exceeds max length of 100000 characters.");
    }

    #[test]
    fn paths_are_made_normal() {
        for (path, normal) in [("a/../..", ".."), ("/..", "/"), ("", "."), ("a//b/.", "a/b"), ("../../a", "../../a")] {
            assert_eq!(normal_path(path), normal, "{path}");
        }
    }
}
