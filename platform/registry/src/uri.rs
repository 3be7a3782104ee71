use percent_encoding::percent_decode_str;

/// The parts of a URI that decide where something lies. Anything is one: text without a scheme is a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// Empty where there is none.
    pub scheme: &'a str,
    /// What stands between `//` and the path.
    pub authority: &'a str,
    pub path: &'a str,
}

/// Rounds of percent-encoding that are undone. What is encoded more often is nobody's path.
const ENCODINGS_MAX: usize = 16;

impl<'a> Uri<'a> {
    pub fn parse(text: &'a str) -> Self {
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            _ => ("", text),
        };
        let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
        match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                Self { scheme, authority: &rest[..end], path: &rest[end..] }
            }
            None => Self { scheme, authority: "", path: rest },
        }
    }

    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// Whether it is a path of the machine that reads it.
    pub fn is_local(&self) -> bool {
        self.scheme.is_empty() || self.is("file")
    }

    /// The parts of the path with every layer of percent-encoding undone.
    pub fn parts(&self) -> impl Iterator<Item = String> + 'a {
        self.path.split('/').filter(|part| !part.is_empty()).map(decoded)
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'))
}

/// Text with every layer of percent-encoding undone.
pub(crate) fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..ENCODINGS_MAX {
        let next = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if next == text {
            break;
        }
        text = next;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_scheme_authority_and_path() {
        let parts = |text| {
            let Uri { scheme, authority, path } = Uri::parse(text);
            (scheme, authority, path)
        };
        assert_eq!(parts("mlflow-artifacts:/0/r/artifacts"), ("mlflow-artifacts", "", "/0/r/artifacts"));
        assert_eq!(parts("s3://bucket/a?x=1#y"), ("s3", "bucket", "/a"));
        assert_eq!(parts("file:///a:b"), ("file", "", "/a:b"));
        assert_eq!(parts("/a/b:c"), ("", "", "/a/b:c"));
        assert_eq!(parts("s3://bucket"), ("s3", "bucket", ""));
        assert_eq!(parts("dummy-source"), ("", "", "dummy-source"));
    }

    #[test]
    fn encodings_are_undone_to_the_last() {
        assert_eq!(decoded("a%252e%252E"), "a..");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(Uri::parse("x:/a//%62/").parts().collect::<Vec<_>>(), ["a", "b"]);
    }
}
