//! What aliases may be called. The texts are those that MLflow's clients know.

const ALIAS_CHARS_MAX: usize = 255;

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
    if alias.chars().count() > ALIAS_CHARS_MAX {
        return Err(format!(
            "'Registered model alias name' exceeds the maximum length of {ALIAS_CHARS_MAX} characters"
        ));
    }
    if is_set && alias.eq_ignore_ascii_case("latest") {
        return Err("'latest' alias name (case insensitive) is reserved.".to_owned());
    }
    let number = alias.strip_prefix(['v', 'V']).unwrap_or_default();
    if is_set && !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("Version alias name '{alias}' is reserved."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
