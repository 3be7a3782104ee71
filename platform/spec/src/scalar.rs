//! What an unquoted YAML scalar means.
//!
//! The rules are YAML 1.2's core schema (section 10.3.2), by which `no` is text and `1e-4` a number. Parsers of YAML 1.1
//! read some scalars differently; where nothing else says which type is meant, those are refused, so that a document
//! means the same to every tool.

/// An unquoted scalar, resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(&'a str),
}

pub(crate) fn resolve(text: &str) -> Scalar<'_> {
    match text {
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ if is_null(text) => return Scalar::Null,
        _ => {}
    }
    if is_decimal_integer(text) {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let unsigned = digits.parse().map(Scalar::Unsigned);
        let either = unsigned.or_else(|_| digits.parse().map(Scalar::Negative));
        return either.unwrap_or_else(|_| Scalar::Float(digits.parse().unwrap_or(f64::INFINITY)));
    }
    if is_float(text) {
        return text.parse().map_or(Scalar::Text(text), Scalar::Float);
    }
    match text.trim_start_matches(['+', '-']) {
        ".inf" | ".Inf" | ".INF" => Scalar::Float(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        _ => Scalar::Text(text),
    }
}

pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// What a YAML 1.1 parser would read where a 1.2 parser reads something else.
pub(crate) fn other_reading(text: &str) -> Option<&'static str> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "on" => return Some("true"),
        "n" | "no" | "off" => return Some("false"),
        _ => {}
    }
    if unsigned.len() > 1 && unsigned.starts_with('0') && digits(unsigned) {
        return Some("an octal number");
    }
    if unsigned.starts_with(|c: char| c.is_ascii_digit()) && unsigned.contains('_') {
        return unsigned.bytes().all(|b| b.is_ascii_digit() || b == b'_' || b == b'.').then_some("a number");
    }
    if ["0x", "0o", "0b"].iter().any(|p| unsigned.starts_with(p)) {
        return unsigned[2..].bytes().all(|b| b.is_ascii_hexdigit()).then_some("a number of another base");
    }
    let parts: Vec<_> = unsigned.split(':').collect();
    (parts.len() > 1 && parts.iter().all(|p| digits(p))).then_some("a number of base 60")
}

fn is_decimal_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let points = mantissa.bytes().filter(|b| *b == b'.').count();
    digits > 0 && points <= 1 && digits + points == mantissa.len() && exponent.is_none_or(is_decimal_integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_the_core_schema_says() {
        for (text, meaning) in [
            ("no", Scalar::Text("no")),
            ("on", Scalar::Text("on")),
            ("2013-10-31", Scalar::Text("2013-10-31")),
            ("1e-4", Scalar::Float(1e-4)),
            ("1E5", Scalar::Float(1e5)),
            (".5", Scalar::Float(0.5)),
            ("-3.", Scalar::Float(-3.0)),
            ("+7", Scalar::Unsigned(7)),
            ("-7", Scalar::Negative(-7)),
            ("18446744073709551615", Scalar::Unsigned(u64::MAX)),
            ("99999999999999999999", Scalar::Float(1e20)),
            ("True", Scalar::Bool(true)),
            ("~", Scalar::Null),
            ("", Scalar::Null),
            ("1.2.3", Scalar::Text("1.2.3")),
            ("e5", Scalar::Text("e5")),
            (".", Scalar::Text(".")),
            ("sha256:12", Scalar::Text("sha256:12")),
        ] {
            assert_eq!(resolve(text), meaning, "{text}");
        }
        assert_eq!(resolve("-.inf"), Scalar::Float(f64::INFINITY));
    }

    #[test]
    fn scalars_that_parsers_of_yaml_1_1_read_differently_are_known() {
        for text in ["yes", "No", "ON", "off", "y", "010", "1_000", "0x1F", "0o17", "12:30", "12:30:45"] {
            assert!(other_reading(text).is_some(), "{text}");
        }
        for text in ["true", "2013-10-31", "NOT", "0", "10", "1e-4", "a:b", "s3://raw", "0xyz", "2013-10-31T12:30:00Z"]
        {
            assert!(other_reading(text).is_none(), "{text}");
        }
    }
}
