/// Characters of a word that are compared; longer words are never near.
const WORD_CHARS_MAX: usize = 64;

/// The candidate that a mistyped word most likely meant, for "did you mean"; none where nothing is near.
///
/// Case, `_` and `-` do not count, so `serve_from` finds `serveFrom`; a word that begins a candidate finds it.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    let far = (folded.len() / 3).max(1);
    let measured = candidates.into_iter().map(|candidate| (distance(&folded, &fold(candidate)), candidate));
    measured.filter(|(d, _)| *d <= far).min_by_key(|(d, _)| *d).map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> Vec<char> {
    word.chars().take(WORD_CHARS_MAX + 1).filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Edits between two words: insert, delete, replace, swap neighbours (Damerau 1964, optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    if a.len() > WORD_CHARS_MAX || b.len() > WORD_CHARS_MAX {
        return usize::MAX;
    }
    if a.len() >= 3 && b.len() >= 3 && (a.starts_with(b) || b.starts_with(a)) && a.len() != b.len() {
        return 1;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_finds_what_was_meant() {
        let fields = ["sql", "key", "wasm", "serveFrom", "epochsMax", "description"];
        for (word, meant) in [
            ("sqll", Some("sql")),
            ("serve_from", Some("serveFrom")),
            ("epochs", Some("epochsMax")),
            ("desciption", Some("description")),
            ("wams", Some("wasm")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, fields), meant, "{word}");
        }
        assert_eq!(nearest(&"s".repeat(1_000_000), fields), None);
    }
}
