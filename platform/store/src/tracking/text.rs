//! Values of params and tags: a head that an index can hold, and the rest.

/// Characters of a head, as in the tables' comments.
pub(crate) const HEAD_CHARS: usize = 250;

/// The head, and the rest of a value that is longer.
pub(crate) fn split(value: &str) -> (&str, Option<&str>) {
    // No value has more characters than bytes.
    if value.len() <= HEAD_CHARS {
        return (value, None);
    }
    match value.char_indices().nth(HEAD_CHARS) {
        Some((at, _)) => (&value[..at], Some(&value[at..])),
        None => (value, None),
    }
}

pub(crate) fn join(head: &str, rest: Option<String>) -> String {
    match rest {
        Some(rest) => [head, &rest].concat(),
        None => head.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_between_characters() {
        for (chars, rest) in [(0, 0), (250, 0), (251, 1), (600, 350)] {
            for letter in ["a", "é", "🚀"] {
                let value = letter.repeat(chars);
                let (head, tail) = split(&value);
                assert_eq!(head.chars().count(), chars - rest);
                assert_eq!(tail.map(|tail| tail.chars().count()), (rest > 0).then_some(rest));
                assert_eq!(join(head, tail.map(str::to_owned)), value);
            }
        }
    }
}
