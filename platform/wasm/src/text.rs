//! What guests write is for people's eyes and terminals: cut to a length, without control characters.

/// At most `bytes_max` bytes of a guest's text; control characters, among them those that start terminal escape
/// sequences, become spaces.
pub fn clean(text: &str, bytes_max: usize) -> String {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let mut clean: String = text[..end].chars().map(|c| if is_harmless(c) { c } else { ' ' }).collect();
    if end < text.len() {
        clean.push('…');
    }
    clean
}

fn is_harmless(c: char) -> bool {
    // The second range would let a guest write right to left over the rest of the line.
    !c.is_control() && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A size as people say it: `256 MiB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        b if b >= 1 << 20 && b.is_multiple_of(1 << 20) => format!("{} MiB", b >> 20),
        b if b >= 1 << 10 && b.is_multiple_of(1 << 10) => format!("{} KiB", b >> 10),
        b => format!("{b} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_long_texts_lose_their_bite() {
        assert_eq!(clean("a\u{1b}[31mred\r\nb", 100), "a [31mred  b");
        assert_eq!(clean("ab\u{202e}c", 100), "ab c");
        assert_eq!(clean("æøå", 3), "æ…");
        assert_eq!(clean("abc", 3), "abc");
    }
}
