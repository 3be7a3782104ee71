//! Splits a filter or an order into tokens. It never fails: what is no token is a token of kind `Other`.

use winnow::combinator::{alt, not, opt};
use winnow::error::ContextError;
use winnow::prelude::*;
use winnow::token::{any, one_of, take_while};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bare name or a keyword; after a dot it may begin with a digit.
    Word,
    /// `` `a key` ``
    Back,
    /// `"a key or a value"`
    Double,
    /// `'a value'`
    Single,
    Integer,
    Float,
    /// Any run of `<`, `>`, `=`, `~` and `!`.
    Comparator,
    Dot,
    Open,
    Close,
    Comma,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token<'s> {
    pub kind: Kind,
    pub text: &'s str,
    /// Where it begins in the source, in bytes.
    pub start: usize,
}

impl Token<'_> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

type Lexed<T> = Result<T, ContextError>;

pub(crate) fn lex(source: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        let start = source.len() - rest.len();
        let before = tokens.last().filter(|token| token.end() == start).map(|token| token.kind);
        let scanned = match before {
            // A key may look like a number, and a number may begin with a dot: what stands before decides.
            Some(Kind::Dot) => alt((key, token)).with_taken().parse_next(&mut rest),
            Some(Kind::Word | Kind::Back | Kind::Double) => alt((dot, token)).with_taken().parse_next(&mut rest),
            _ => token.with_taken().parse_next(&mut rest),
        };
        let Ok((kind, text)) = scanned else { return tokens };
        tokens.push(Token { kind, text, start });
    }
}

fn token(input: &mut &str) -> Lexed<Kind> {
    alt((
        alt((quoted('`', Kind::Back), quoted('"', Kind::Double), quoted('\'', Kind::Single))),
        number,
        word,
        take_while(1.., ['<', '>', '=', '~', '!']).value(Kind::Comparator),
        dot,
        '('.value(Kind::Open),
        ')'.value(Kind::Close),
        ','.value(Kind::Comma),
        any.value(Kind::Other),
    ))
    .parse_next(input)
}

fn dot(input: &mut &str) -> Lexed<Kind> {
    '.'.value(Kind::Dot).parse_next(input)
}

fn is_letter(c: char) -> bool {
    c == '_' || (c.is_alphanumeric() && !c.is_numeric())
}

fn is_in_word(c: char) -> bool {
    c == '_' || c == '$' || c == '#' || c.is_alphanumeric()
}

fn word(input: &mut &str) -> Lexed<Kind> {
    (one_of(|c: char| c == '_' || c.is_alphanumeric()), take_while(0.., is_in_word)).value(Kind::Word).parse_next(input)
}

/// A word after a dot, which ends before the next dot.
fn key(input: &mut &str) -> Lexed<Kind> {
    word(input)
}

fn number(input: &mut &str) -> Lexed<Kind> {
    let digits = |least| take_while(least.., |c: char| c.is_ascii_digit());
    let exponent = (opt('-'), digits(1), opt(('.', digits(1))), one_of(['e', 'E']), opt('-'), digits(1));
    let float = (opt('-'), alt(((digits(1), '.', digits(0)).void(), ('.', digits(1)).void())), not(one_of(is_letter)));
    let integer = (opt('-'), digits(1), not(one_of(is_letter)));
    alt((exponent.value(Kind::Float), float.value(Kind::Float), integer.value(Kind::Integer))).parse_next(input)
}

/// Text between two equal quotes. Inside, a doubled quote and (but for back-ticks) one after a backslash do not end it,
/// unless nothing else would.
fn quoted<'s>(quote: char, kind: Kind) -> impl Parser<&'s str, Kind, ContextError> {
    move |input: &mut &'s str| {
        let len = quoted_len(input, quote).ok_or_else(ContextError::new)?;
        *input = &input[len..];
        Ok(kind)
    }
}

fn quoted_len(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    if characters.next()?.1 != quote {
        return None;
    }
    let mut last_resort = None;
    while let Some((at, c)) = characters.next() {
        let follows = characters.peek().is_some_and(|(_, next)| *next == quote);
        if c == quote && !follows {
            return Some(at + 1);
        }
        if c == quote || (c == '\\' && quote != '`' && follows) {
            last_resort = Some(if c == quote { at + 1 } else { at + 2 });
            characters.next();
        }
    }
    last_resort
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &[(Kind, &str)]) {
        let tokens: Vec<_> = lex(source).into_iter().map(|token| (token.kind, token.text)).collect();
        assert_eq!(tokens, expected, "{source}");
    }

    #[test]
    fn names_numbers_and_comparators_need_no_space() {
        use Kind::{Comparator, Dot, Float, Integer, Word};
        check(
            "metrics.a>=-1.5e3",
            &[(Word, "metrics"), (Dot, "."), (Word, "a"), (Comparator, ">="), (Float, "-1.5e3")],
        );
        check(
            "a<.5 b!=2.",
            &[(Word, "a"), (Comparator, "<"), (Float, ".5"), (Word, "b"), (Comparator, "!="), (Float, "2.")],
        );
        check("1 1AND", &[(Integer, "1"), (Word, "1AND")]);
    }

    #[test]
    fn after_a_dot_a_key_may_begin_with_a_digit() {
        use Kind::{Comparator, Dot, Integer, Word};
        check(
            "a.1.2b=1",
            &[(Word, "a"), (Dot, "."), (Word, "1"), (Dot, "."), (Word, "2b"), (Comparator, "="), (Integer, "1")],
        );
    }

    #[test]
    fn a_doubled_or_escaped_quote_does_not_end_a_value_unless_nothing_else_does() {
        check("'it''s' x", &[(Kind::Single, "'it''s'"), (Kind::Word, "x")]);
        check(r"'it\'s'", &[(Kind::Single, r"'it\'s'")]);
        check(r"'C:\'", &[(Kind::Single, r"'C:\'")]);
        check("''", &[(Kind::Single, "''")]);
        check("'a", &[(Kind::Other, "'"), (Kind::Word, "a")]);
        check(r"`a\` b", &[(Kind::Back, r"`a\`"), (Kind::Word, "b")]);
    }

    #[test]
    fn anything_else_is_a_token_too() {
        check("é;-", &[(Kind::Word, "é"), (Kind::Other, ";"), (Kind::Other, "-")]);
    }
}
