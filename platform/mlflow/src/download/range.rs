use axum::http::{HeaderMap, header};

/// What of a file is asked for; first and last byte, both in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Whole,
    Part(u64, u64),
    /// None of the bytes exist.
    Outside,
}

/// Several ranges, another unit and what cannot be read are answered with the whole file, as the protocol allows; so is a
/// range of a file that has changed since.
pub(super) fn span(request: &HeaderMap, tag: &str, bytes: u64) -> Span {
    let text = |name| request.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let Some(range) = text(header::RANGE) else { return Span::Whole };
    if request.contains_key(header::IF_RANGE) && text(header::IF_RANGE) != Some(tag) {
        return Span::Whole;
    }
    of_text(range, bytes).unwrap_or(Span::Whole)
}

fn of_text(range: &str, bytes: u64) -> Option<Span> {
    let (unit, range) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    match (first, last) {
        ("", last) => Some(match number(last)? {
            0 => Span::Outside,
            _ if bytes == 0 => Span::Outside,
            count => Span::Part(bytes.saturating_sub(count), bytes - 1),
        }),
        (first, last) => {
            let first = number(first)?;
            let last = if last.is_empty() { u64::MAX } else { number(last)? };
            if last < first {
                return None;
            }
            Some(if first >= bytes { Span::Outside } else { Span::Part(first, last.min(bytes - 1)) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spanned(range: &str, bytes: u64) -> Span {
        let headers: HeaderMap = [(header::RANGE, range.parse().unwrap())].into_iter().collect();
        span(&headers, "\"t\"", bytes)
    }

    #[test]
    fn one_range_is_cut_to_the_file() {
        for (range, expected) in [
            ("bytes=0-0", Span::Part(0, 0)),
            ("bytes=2-4", Span::Part(2, 4)),
            ("bytes=2-", Span::Part(2, 10)),
            ("bytes=2-99", Span::Part(2, 10)),
            ("bytes=-3", Span::Part(8, 10)),
            ("bytes=-99", Span::Part(0, 10)),
            ("Bytes = 2-4", Span::Part(2, 4)),
            ("bytes=11-", Span::Outside),
            ("bytes=-0", Span::Outside),
            ("bytes=0-18446744073709551615", Span::Part(0, 10)),
        ] {
            assert_eq!(spanned(range, 11), expected, "{range}");
        }
        assert_eq!(spanned("bytes=0-", 0), Span::Outside);
        assert_eq!(spanned("bytes=-1", 0), Span::Outside);
    }

    #[test]
    fn what_cannot_be_read_is_the_whole_file() {
        for range in [
            "bytes=4-2",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=1",
            "bytes=+1-2",
            "bytes=0-99999999999999999999999",
            "bytes= 1 - 2",
        ] {
            assert_eq!(spanned(range, 11), Span::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_file_is_not_sent() {
        for (tag, expected) in [("\"t\"", Span::Part(0, 1)), ("\"u\"", Span::Whole), ("W/\"t\"", Span::Whole)] {
            let headers = [(header::RANGE, "bytes=0-1"), (header::IF_RANGE, tag)];
            let headers: HeaderMap = headers.into_iter().map(|(k, v)| (k, v.parse().unwrap())).collect();
            assert_eq!(span(&headers, "\"t\"", 9), expected, "{tag}");
        }
    }
}
