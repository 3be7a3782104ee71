use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// How a text becomes words, before they are cut into pieces.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub lowercase: bool,
    pub strip_accents: bool,
}

impl Rules {
    /// The words of a text; a punctuation mark and a Chinese character is a word of its own.
    pub fn words(self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word = String::new();
        for c in self.normalized(text) {
            if is_space(c) {
                finish(&mut word, &mut words);
            } else if is_punctuation(c) || is_chinese(c) {
                finish(&mut word, &mut words);
                words.push(c.to_string());
            } else {
                word.push(c);
            }
        }
        finish(&mut word, &mut words);
        words
    }

    fn normalized(self, text: &str) -> Vec<char> {
        let kept = text.chars().filter(|c| !is_dropped(*c));
        let lowered: String = if self.lowercase { kept.flat_map(char::to_lowercase).collect() } else { kept.collect() };
        if !self.strip_accents {
            return lowered.chars().collect();
        }
        let decomposed = lowered.nfd();
        decomposed.filter(|c| get_general_category(*c) != GeneralCategory::NonspacingMark).collect()
    }
}

fn finish(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r') || get_general_category(c) == GeneralCategory::SpaceSeparator
}

/// Control characters, and what stands for an unreadable one.
fn is_dropped(c: char) -> bool {
    use GeneralCategory::{Control, Format};
    c == '\u{fffd}' || (!is_space(c) && matches!(get_general_category(c), Control | Format))
}

/// All of ASCII that is neither letter, digit, space nor control counts, such as `$` and `^`.
fn is_punctuation(c: char) -> bool {
    use GeneralCategory::{
        ClosePunctuation, ConnectorPunctuation, DashPunctuation, FinalPunctuation, InitialPunctuation, OpenPunctuation,
        OtherPunctuation,
    };
    c.is_ascii_punctuation()
        || matches!(
            get_general_category(c),
            ClosePunctuation
                | ConnectorPunctuation
                | DashPunctuation
                | FinalPunctuation
                | InitialPunctuation
                | OpenPunctuation
                | OtherPunctuation
        )
}

/// The blocks of CJK ideographs; Japanese kana and Korean hangul are written with spaces or cut into pieces.
fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{20000}'..='\u{2a6df}'
        | '\u{2a700}'..='\u{2ceaf}'
        | '\u{f900}'..='\u{faff}'
        | '\u{2f800}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(lowercase: bool, text: &str) -> Vec<String> {
        Rules { lowercase, strip_accents: lowercase }.words(text)
    }

    #[test]
    fn words_part_at_spaces_punctuation_and_chinese_characters() {
        assert_eq!(words(true, " Hello,\tWorld!\u{a0}a"), ["hello", ",", "world", "!", "a"]);
        assert_eq!(words(true, "ah博推zz"), ["ah", "博", "推", "zz"]);
        assert_eq!(words(true, "it's 3$ — x_y"), ["it", "'", "s", "3", "$", "—", "x", "_", "y"]);
        assert_eq!(words(true, " \n"), Vec::<String>::new());
    }

    #[test]
    fn accents_and_case_go_only_where_asked() {
        assert_eq!(words(true, "HÉLLÖ Ünïted"), ["hello", "united"]);
        assert_eq!(words(false, "HÉLLÖ"), ["HÉLLÖ"]);
    }

    #[test]
    fn control_characters_go() {
        assert_eq!(words(true, "a\u{0}b\u{200d}c\u{fffd}d\u{7f}"), ["abcd"]);
    }
}
