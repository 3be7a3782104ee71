use std::iter::once;

use crate::error::{SearchError, shown};
use crate::limits::{PATTERN_BYTES_MAX, REGEXP_BYTES_MAX};

/// A LIKE pattern: `%` is any text, `_` is any one character, and there is no escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    any_case: bool,
}

impl Pattern {
    pub(crate) fn new(text: String, any_case: bool) -> Result<Self, SearchError> {
        check_length(&text)?;
        Ok(Self { text, any_case })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether letters match only themselves.
    pub fn minds_case(&self) -> bool {
        !self.any_case
    }

    /// The same pattern for GLOB, which minds letters' case in SQLite, other than LIKE there.
    pub fn glob(&self) -> String {
        self.written(|c, written| match c {
            '%' => written.push('*'),
            '_' => written.push('?'),
            '*' | '?' | '[' => written.extend(['[', c, ']']),
            _ => self.letter(c, written),
        })
    }

    /// The same pattern as a POSIX regular expression, as Postgres has them.
    pub fn posix(&self) -> String {
        let body = self.written(|c, written| match c {
            '%' => written.push_str(".*"),
            '_' => written.push('.'),
            _ if c.is_ascii_punctuation() => written.extend(['\\', c]),
            _ => self.letter(c, written),
        });
        format!("^{body}$")
    }

    fn written(&self, each: impl Fn(char, &mut String)) -> String {
        let mut written = String::with_capacity(self.text.len() * 4);
        self.text.chars().for_each(|c| each(c, &mut written));
        written
    }

    /// A letter, or the set of its cases.
    fn letter(&self, c: char, written: &mut String) {
        let cases: Vec<char> = self.cases(c).collect();
        if cases.len() == 1 {
            written.push(c);
        } else {
            written.push('[');
            written.extend(cases);
            written.push(']');
        }
    }

    /// What matches a character of the pattern. Letters whose other case is more than one character have none.
    fn cases(&self, c: char) -> impl Iterator<Item = char> {
        let lower = only(c.to_lowercase()).filter(|lower| *lower != c && self.any_case);
        let upper = only(c.to_uppercase()).filter(|upper| *upper != c && self.any_case);
        once(c).chain(lower).chain(upper)
    }

    pub fn matches(&self, value: &str) -> bool {
        let pattern: Vec<char> = self.text.chars().collect();
        let value: Vec<char> = value.chars().collect();
        let (mut p, mut v) = (0, 0);
        // Where to go on when what follows the last `%` did not match: that `%` takes one character more.
        let mut retry = None;
        while v < value.len() {
            match pattern.get(p) {
                Some('%') => {
                    retry = Some((p, v));
                    p += 1;
                }
                Some(&c) if c == '_' || self.cases(c).any(|case| case == value[v]) => {
                    p += 1;
                    v += 1;
                }
                _ => {
                    let Some((wildcard, taken)) = retry else { return false };
                    retry = Some((wildcard, taken + 1));
                    p = wildcard + 1;
                    v = taken + 1;
                }
            }
        }
        pattern[p..].iter().all(|c| *c == '%')
    }
}

fn only(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

/// A regular expression, which matches a text that has it anywhere. Its size is bounded and its time is linear, so it has
/// neither look-around nor back-references.
#[derive(Clone, Debug)]
pub struct Regexp(regex::Regex);

impl PartialEq for Regexp {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Regexp {
    pub(crate) fn new(text: &str) -> Result<Self, SearchError> {
        check_length(text)?;
        let built = regex::RegexBuilder::new(text).size_limit(REGEXP_BYTES_MAX).build();
        built.map(Self).map_err(|error| {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            SearchError::new(format!("Invalid regular expression '{}': {why}", shown(text)))
        })
    }

    pub fn matches(&self, value: &str) -> bool {
        self.0.is_match(value)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

fn check_length(pattern: &str) -> Result<(), SearchError> {
    if pattern.len() <= PATTERN_BYTES_MAX {
        return Ok(());
    }
    Err(SearchError::new(format!(
        "Invalid pattern: {} bytes long; at most {PATTERN_BYTES_MAX} are allowed",
        pattern.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(pattern: &str, value: &str) -> bool {
        Pattern::new(pattern.to_owned(), false).unwrap().matches(value)
    }

    fn ilike(pattern: &str, value: &str) -> bool {
        Pattern::new(pattern.to_owned(), true).unwrap().matches(value)
    }

    #[test]
    fn wildcards_are_any_text_and_any_one_character() {
        assert!(like("a%b%c", "a--b-b-c") && like("%", "") && like("a_c", "aéc") && like("", ""));
        assert!(!like("a%b", "a-c") && !like("_", "") && !like("a", "ab") && !like("a_c", "ac"));
        assert!(like(r"a\%", r"a\b"), "a backslash is a character like any other");
    }

    #[test]
    fn case_counts_for_like_only() {
        assert!(!like("ABC%", "abcd") && ilike("ABC%", "abcd") && ilike("é_", "Éa") && !like("é_", "Éa"));
        assert!(ilike("straße", "STRAßE") && !ilike("straße", "STRASSE"));
    }

    #[test]
    fn a_glob_and_a_posix_expression_escape_what_is_special_to_them() {
        let pattern = Pattern::new("a*[?]%_".to_owned(), false).unwrap();
        assert_eq!(pattern.glob(), "a[*][[][?]]*?");
        assert_eq!(pattern.posix(), r"^a\*\[\?\].*.$");
        let pattern = Pattern::new("aÉ1".to_owned(), true).unwrap();
        assert_eq!(pattern.glob(), "[aA][Éé]1");
        assert_eq!(pattern.posix(), "^[aA][Éé]1$");
    }

    #[test]
    fn a_regular_expression_that_does_not_compile_is_refused_with_the_reason() {
        let refused = Regexp::new("a(b").unwrap_err().to_string();
        assert_eq!(refused, "Invalid regular expression 'a(b': unclosed group");
        assert!(Regexp::new("(?=a)").is_err());
        assert!(Regexp::new(&"(a{1000}){1000}".repeat(3)).is_err());
        assert!(Pattern::new("a".repeat(PATTERN_BYTES_MAX + 1), false).is_err());
    }
}
