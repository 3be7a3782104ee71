//! What models and tags may be called.

use tiegel_store::PROMPT_TEXT_TAG;

use crate::validate::{KEY_CHARS_MAX, key, length, unfit};
use crate::{MlflowError, MlflowResult};

const MODEL_NAME_CHARS_MAX: usize = 256;
const LOGGED_MODEL_NAME_CHARS_MAX: usize = 500;
/// The text of a prompt is a tag's value.
const TAG_CHARS_MAX: usize = 100_000;

/// The name of a model to be. `field` is what the request calls it.
pub(crate) fn new_model_name(field: &str, name: &str) -> MlflowResult<()> {
    model_name(field, name)?;
    length(field, name, MODEL_NAME_CHARS_MAX)
}

pub(crate) fn model_name(field: &str, name: &str) -> MlflowResult<()> {
    if name.trim().is_empty() {
        return Err(MlflowError::invalid(format!("Missing value for required parameter '{field}'.")));
    }
    if name.contains(['/', ':']) {
        return Err(MlflowError::invalid(format!("Invalid model name '{name}'. Names cannot contain '/' or ':'.")));
    }
    if name == "." || name.starts_with("..") {
        let why =
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such.";
        return Err(unfit(field, name, why));
    }
    Ok(())
}

pub(crate) fn logged_model_name(name: &str) -> MlflowResult<()> {
    const FORBIDDEN: [char; 6] = ['/', ':', '.', '%', '"', '\''];
    if name.contains(FORBIDDEN) {
        return Err(MlflowError::invalid(format!(
            "Invalid model name ({name:?}) provided. Model name must be a non-empty string and cannot contain the \
             following characters: ('/', ':', '.', '%', '\"', \"'\")"
        )));
    }
    length("name", name, LOGGED_MODEL_NAME_CHARS_MAX)
}

/// A tag of a registered model or a version.
pub(crate) fn tag(name: &str, value: &str) -> MlflowResult<()> {
    key("key", name)?;
    length("key", name, KEY_CHARS_MAX)?;
    if name == PROMPT_TEXT_TAG && value.chars().count() > TAG_CHARS_MAX {
        return Err(MlflowError::invalid(format!("Prompt text exceeds max length of {TAG_CHARS_MAX} characters.")));
    }
    length("value", value, TAG_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names_are_free_but_for_what_uris_and_paths_need() {
        for good in ["delay", "Größe & co.", "a b", "0", "m-1%2F", ".a", &"ä".repeat(256)] {
            assert_eq!(new_model_name("name", good), Ok(()), "{good}");
        }
        for bad in ["", "  ", "a/b", "a:b", ".", "..", "..a", &"a".repeat(257)] {
            assert!(new_model_name("name", bad).is_err(), "{bad}");
        }
        let missing = model_name("new_name", " ").unwrap_err().message;
        assert_eq!(missing, "Missing value for required parameter 'new_name'.");
    }

    #[test]
    fn a_tag_may_hold_a_prompt() {
        assert!(tag("a", &"ä".repeat(100_000)).is_ok() && tag("a", &"a".repeat(100_001)).is_err());
        assert!(tag("../a", "x").is_err() && tag("", "x").is_err() && tag(&"a".repeat(251), "x").is_err());
        let refused = tag(PROMPT_TEXT_TAG, &"a".repeat(100_001)).unwrap_err().message;
        assert_eq!(refused, "Prompt text exceeds max length of 100000 characters.");
    }
}
