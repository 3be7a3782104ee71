//! The grammar of filters: comparisons joined by AND. It knows no names; `resolve` does.

use std::fmt;

use crate::error::{SearchError, shown};
use crate::lex::{Kind, Token, lex};
use crate::limits::{FILTER_BYTES_MAX, NESTING_MAX};

/// Clauses that an error names.
const INVALID_CLAUSES_SHOWN_MAX: usize = 20;

/// `left comparator right`; for IS NULL and IS NOT NULL there is no right side.
#[derive(Debug)]
pub(crate) struct Comparison<'s> {
    pub left: Operand<'s>,
    pub comparator: Comparator,
    pub right: Option<Operand<'s>>,
}

#[derive(Debug)]
pub(crate) struct Operand<'s> {
    pub kind: OperandKind<'s>,
    /// As written, quotes included.
    pub text: &'s str,
}

#[derive(Debug, PartialEq)]
pub(crate) enum OperandKind<'s> {
    /// Names and quoted keys joined by dots, or one value in double quotes.
    Identifier,
    Single,
    Integer,
    Float,
    /// What stands between parentheses.
    List(Vec<Token<'s>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    Differs,
    Less,
    AtMost,
    More,
    AtLeast,
    Like,
    ILike,
    RLike,
    In,
    NotIn,
    IsNull,
    IsNotNull,
    /// What the grammar takes and no field allows, such as `==` or `NOT LIKE`.
    Unknown(String),
}

const NAMES: [(&str, Comparator); 13] = [
    ("=", Comparator::Equal),
    ("!=", Comparator::Differs),
    ("<", Comparator::Less),
    ("<=", Comparator::AtMost),
    (">", Comparator::More),
    (">=", Comparator::AtLeast),
    ("LIKE", Comparator::Like),
    ("ILIKE", Comparator::ILike),
    ("RLIKE", Comparator::RLike),
    ("IN", Comparator::In),
    ("NOT IN", Comparator::NotIn),
    ("IS NULL", Comparator::IsNull),
    ("IS NOT NULL", Comparator::IsNotNull),
];

impl Comparator {
    fn named(name: String) -> Self {
        let known = NAMES.iter().find(|(known, _)| *known == name);
        known.map_or(Self::Unknown(name), |(_, comparator)| comparator.clone())
    }
}

impl fmt::Display for Comparator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = NAMES.iter().find(|(_, comparator)| comparator == self);
        match self {
            Self::Unknown(name) => f.write_str(name),
            _ => f.write_str(known.map_or("", |(name, _)| name)),
        }
    }
}

/// AND separates comparisons; like MLflow, one too many or too few of it is not minded. But a value and a lone key
/// after it read as one thing, so that IS NULL needs its AND.
///
/// Where `has_bare_signs`, keys may have signs in them without quotes: `metrics.val-loss`.
pub(crate) fn comparisons(source: &str, has_bare_signs: bool) -> Result<Vec<Comparison<'_>>, SearchError> {
    if source.len() > FILTER_BYTES_MAX {
        return Err(SearchError::new(format!(
            "Invalid filter: {} bytes long; at most {FILTER_BYTES_MAX} are allowed",
            source.len()
        )));
    }
    let tokens = lex(source);
    if tokens.is_empty() {
        return Err(SearchError::new(format!("Invalid filter '{}'. Could not be parsed.", shown(source))));
    }
    if tokens.iter().position(|token| token.text == ";").is_some_and(|at| at + 1 < tokens.len()) {
        return Err(SearchError::new(format!(
            "Search filter contained multiple expression '{}'. Provide AND-ed expression list.",
            shown(source)
        )));
    }
    let mut parser = Parser { source, tokens: &tokens, has_bare_signs };
    let mut found = Vec::new();
    let mut invalid = Vec::new();
    let mut follows_value = false;
    while let Some(token) = parser.tokens.first() {
        let before = parser.tokens;
        if token.is_word("AND") {
            parser.skip(1);
            follows_value = false;
            continue;
        }
        match parser.comparison() {
            Some(comparison) if comparison.right.is_some() || !follows_value => {
                follows_value = comparison.right.is_some();
                found.push(comparison);
            }
            _ => {
                parser.tokens = before;
                invalid.push(format!("'{}'", shown(parser.anything())));
            }
        }
    }
    if invalid.is_empty() {
        Ok(found)
    } else {
        invalid.truncate(INVALID_CLAUSES_SHOWN_MAX);
        Err(SearchError::new(format!("Invalid clause(s) in filter string: {}", invalid.join(", "))))
    }
}

/// An identifier and the one word after it, if there is one; nothing else may follow.
pub(crate) fn ordering(source: &str) -> Option<(&str, Option<&str>)> {
    let tokens = lex(source);
    let mut parser = Parser { source, tokens: &tokens, has_bare_signs: false };
    let key = parser.identifier()?;
    match parser.tokens {
        [] => Some((key.text, None)),
        [word] if word.kind == Kind::Word => Some((key.text, Some(word.text))),
        _ => None,
    }
}

/// A value in single quotes is a key only after a dot.
fn is_part(token: &Token<'_>) -> bool {
    matches!(token.kind, Kind::Word | Kind::Back | Kind::Double | Kind::Single)
}

struct Parser<'t, 's> {
    source: &'s str,
    tokens: &'t [Token<'s>],
    has_bare_signs: bool,
}

impl<'s> Parser<'_, 's> {
    fn skip(&mut self, count: usize) {
        self.tokens = &self.tokens[count..];
    }

    fn comparison(&mut self) -> Option<Comparison<'s>> {
        let left = self.operand()?;
        let comparator = self.comparator()?;
        let right = match comparator {
            Comparator::IsNull | Comparator::IsNotNull => None,
            Comparator::In | Comparator::NotIn => {
                Some(self.operand().filter(|right| matches!(right.kind, OperandKind::List(_)))?)
            }
            _ => Some(self.operand()?),
        };
        Some(Comparison { left, comparator, right })
    }

    fn comparator(&mut self) -> Option<Comparator> {
        let is = |at: usize, word: &str| self.tokens.get(at).is_some_and(|token| token.is_word(word));
        let is_pattern = |at: usize| ["LIKE", "ILIKE", "RLIKE"].iter().any(|word| is(at, word));
        let first = self.tokens.first()?;
        let (name, len) = if first.kind == Kind::Comparator || is_pattern(0) || is(0, "IN") {
            (first.text.to_ascii_uppercase(), 1)
        } else if is(0, "NOT") && (is(1, "IN") || is_pattern(1)) {
            (format!("NOT {}", self.tokens[1].text.to_ascii_uppercase()), 2)
        } else if is(0, "IS") && is(1, "NULL") {
            ("IS NULL".to_owned(), 2)
        } else if is(0, "IS") && is(1, "NOT") && is(2, "NULL") {
            ("IS NOT NULL".to_owned(), 3)
        } else {
            return None;
        };
        self.skip(len);
        Some(Comparator::named(name))
    }

    fn operand(&mut self) -> Option<Operand<'s>> {
        let token = *self.tokens.first()?;
        let kind = match token.kind {
            Kind::Word | Kind::Back | Kind::Double => return self.identifier(),
            Kind::Open => return self.list(),
            Kind::Single => OperandKind::Single,
            Kind::Integer => OperandKind::Integer,
            Kind::Float => OperandKind::Float,
            Kind::Comparator | Kind::Dot | Kind::Close | Kind::Comma | Kind::Other => return None,
        };
        self.skip(1);
        Some(Operand { kind, text: token.text })
    }

    /// Parts joined by dots, with no space between them. The last part may be empty.
    fn identifier(&mut self) -> Option<Operand<'s>> {
        let first = *self.tokens.first().filter(|token| is_part(token) && token.kind != Kind::Single)?;
        let mut end = first.end();
        self.skip(1);
        while let Some(joint) = self.tokens.first().filter(|token| token.start == end) {
            let part = self.tokens.get(1).filter(|part| part.start == joint.end() && is_part(part));
            match (joint.kind, part) {
                (Kind::Dot, None) => {
                    end = joint.end();
                    self.skip(1);
                    break;
                }
                (Kind::Other, Some(part)) if self.has_bare_signs => end = part.end(),
                (Kind::Dot, Some(part)) => end = part.end(),
                _ => break,
            }
            self.skip(2);
        }
        Some(Operand { kind: OperandKind::Identifier, text: &self.source[first.start..end] })
    }

    fn list(&mut self) -> Option<Operand<'s>> {
        let start = self.tokens.first()?.start;
        let mut depth = 0;
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                _ => {}
            }
            if depth > NESTING_MAX {
                return None;
            }
            if depth == 0 {
                let items = self.tokens[1..at].to_vec();
                let text = &self.source[start..token.end()];
                self.skip(at + 1);
                return Some(Operand { kind: OperandKind::List(items), text });
            }
        }
        None
    }

    /// The longest operand here, or the next token: what an error message shows as one piece.
    fn anything(&mut self) -> &'s str {
        let before = self.tokens;
        if let Some(operand) = self.operand() {
            return operand.text;
        }
        self.tokens = before;
        let text = self.tokens[0].text;
        self.skip(1);
        text
    }
}
