//! Makes typed clauses of comparisons, by what an entity's names and values are.

use crate::error::{SearchError, quoted_list, shown};
use crate::filter::Clause;
use crate::grammar::{Comparator, Comparison, Operand, OperandKind};
use crate::lex::{Kind as TokenKind, Token};
use crate::limits::LIST_LEN_MAX;
use crate::vocabulary::{Attribute, Namespace, Role, Vocabulary, comparators};
use crate::{Condition, Entity, Family, Field, Kind, Op, Pattern, Regexp, Related, Relation};

/// The tag of a trace that holds its name.
pub(crate) const TRACE_NAME: &str = "mlflow.traceName";
/// The metadata of a trace that names the run it was made in.
pub(crate) const SOURCE_RUN: &str = "mlflow.sourceRun";
/// The tag of a trace that lists the prompts it used.
const LINKED_PROMPTS: &str = "mlflow.linkedPrompts";

pub(crate) fn clause(entity: Entity, comparison: &Comparison<'_>) -> Result<Clause, SearchError> {
    let Comparison { left, comparator, right } = comparison;
    if left.kind != OperandKind::Identifier {
        return Err(SearchError::new(format!(
            "Invalid comparison clause. Expected 'Identifier' found '{}'",
            shown(left.text)
        )));
    }
    let subject = Subject::read(entity, left.text)?;
    subject.check(comparator)?;
    let condition = match right {
        None if *comparator == Comparator::IsNull => Condition::Missing,
        None => Condition::Present,
        Some(right) => subject.condition(comparator, right)?,
    };
    Ok(Clause { field: subject.field(&condition)?, condition })
}

/// What stands on the left of a comparison.
struct Subject {
    entity: Entity,
    namespace: Namespace,
    attribute: Option<&'static Attribute>,
    key: String,
}

/// Splits `tags.key` at its first dot and takes the quotes off the key. A bare name is an attribute's.
pub(crate) fn split(entity: Entity, identifier: &str) -> Result<(Namespace, &str), SearchError> {
    let Some((word, key)) = identifier.split_once('.').filter(|_| !is_one_quoted(identifier)) else {
        return Ok((Namespace::Attribute, unquoted(identifier)));
    };
    let word = trimmed(word, '`').unwrap_or(word);
    Ok((Vocabulary::of(entity).namespace(word)?, unquoted(key)))
}

/// Whether all of it is one quoted name, such as `` `a.b` ``.
fn is_one_quoted(identifier: &str) -> bool {
    ['`', '"'].iter().any(|quote| trimmed(identifier, *quote).is_some_and(|inside| !inside.contains(*quote)))
}

fn unquoted(key: &str) -> &str {
    let key = trimmed(key, '\'').or_else(|| trimmed(key, '"')).unwrap_or(key);
    trimmed(key, '`').unwrap_or(key)
}

fn trimmed(text: &str, quote: char) -> Option<&str> {
    text.strip_prefix(quote)?.strip_suffix(quote)
}

impl Subject {
    fn read(entity: Entity, identifier: &str) -> Result<Self, SearchError> {
        let (namespace, key) = split(entity, identifier)?;
        let subject = |namespace, key: &str| Self { entity, namespace, attribute: None, key: key.to_owned() };
        match namespace {
            Namespace::Attribute => {
                let attribute = Vocabulary::of(entity).attribute(key, Role::Filter)?;
                Ok(match (entity, attribute.name) {
                    (Entity::Trace, "name") => subject(Namespace::Keyed(Family::Tag), TRACE_NAME),
                    (Entity::Trace, "run_id") => subject(Namespace::Keyed(Family::Metadata), SOURCE_RUN),
                    (Entity::Trace, "prompt") => subject(Namespace::Related(Relation::Prompt), "id"),
                    (Entity::Trace, "text") => subject(Namespace::Related(Relation::Span), "content"),
                    _ => Self { entity, namespace, attribute: Some(attribute), key: attribute.name.to_owned() },
                })
            }
            Namespace::Keyed(Family::Tag) if entity == Entity::Trace && key == LINKED_PROMPTS => {
                Ok(subject(Namespace::Related(Relation::Prompt), "id"))
            }
            Namespace::Keyed(_) | Namespace::Related(_) => Ok(subject(namespace, key)),
        }
    }

    fn kind(&self) -> Kind {
        self.attribute.map_or(Kind::Text, |attribute| attribute.kind)
    }

    fn takes_lists(&self) -> bool {
        self.attribute.is_some_and(|attribute| attribute.takes_lists)
    }

    fn is_content(&self) -> bool {
        self.namespace == Namespace::Related(Relation::Span) && self.key == "content"
    }

    fn check(&self, comparator: &Comparator) -> Result<(), SearchError> {
        use Comparator::{ILike, In, IsNotNull, IsNull, Like, NotIn};
        let allowed = comparators(self.entity, self.namespace, self.kind(), self.takes_lists());
        let is_list = matches!(comparator, In | NotIn);
        let is_allowed = if self.is_content() {
            matches!(comparator, Like | ILike)
        } else {
            allowed.contains(comparator) || (is_list && self.takes_lists())
        };
        if is_allowed {
            return Ok(());
        }
        let (what, key) = (self.what(), &self.key);
        let valid =
            || quoted_list(allowed.iter().map(Comparator::to_string).collect::<Vec<_>>().iter().map(String::as_str));
        Err(SearchError::new(match (comparator, self.entity) {
            (IsNull | IsNotNull, _) => {
                format!("IS NULL / IS NOT NULL is only supported for tags and params, not for '{what}' '{key}'")
            }
            (_, Entity::Experiment | Entity::RegisteredModel | Entity::ModelVersion | Entity::EvaluationDataset) => {
                format!("Invalid comparator for {what}: {comparator}")
            }
            (_, Entity::LoggedModel) => {
                format!("Invalid comparison operator for {what} {key}: '{comparator}'. Expected one of {}", valid())
            }
            _ => format!("Invalid comparator '{comparator}' not one of '{}'", valid()),
        }))
    }

    fn what(&self) -> &'static str {
        match self.namespace {
            Namespace::Attribute => "attribute",
            Namespace::Keyed(Family::Metric) => "metric",
            Namespace::Keyed(Family::Param) => "parameter",
            Namespace::Keyed(Family::Tag) => "tag",
            Namespace::Keyed(Family::Metadata) => "request_metadata",
            Namespace::Keyed(Family::Feedback) => "feedback",
            Namespace::Keyed(Family::Expectation) => "expectation",
            Namespace::Related(Relation::Dataset) => "dataset",
            Namespace::Related(Relation::Span) => "span",
            Namespace::Related(Relation::Issue) => "issue",
            Namespace::Related(Relation::Prompt) => "prompt",
            Namespace::Related(Relation::Run) => "run",
        }
    }

    fn field(&self, condition: &Condition) -> Result<Field, SearchError> {
        let is_equal = matches!(condition, Condition::Equal(_));
        Ok(match self.namespace {
            Namespace::Attribute => Field::Attribute(self.attribute.map_or("", |a| a.name), self.kind()),
            // A trace belongs to the run it was made in and to those it was linked to.
            Namespace::Keyed(Family::Metadata) if self.key == SOURCE_RUN && is_equal => {
                Field::Related(Relation::Run, Related::Property("run_id"))
            }
            Namespace::Keyed(family) => Field::Keyed(family, self.key.clone()),
            Namespace::Related(relation) => Field::Related(relation, self.related(relation)?),
        })
    }

    fn related(&self, relation: Relation) -> Result<Related, SearchError> {
        let properties: &[&'static str] = match relation {
            Relation::Dataset => &["name", "digest", "context"],
            Relation::Span => &["name", "status", "type", "content"],
            Relation::Issue | Relation::Prompt => &["id"],
            Relation::Run => &["run_id"],
        };
        if let Some(key) = self.key.strip_prefix("attributes.").filter(|_| relation == Relation::Span) {
            let key = trimmed(key, '`').unwrap_or(key);
            if key.is_empty() {
                return Err(SearchError::new("Span attribute name cannot be empty after 'attributes.'"));
            }
            return Ok(Related::SpanAttribute(key.to_owned()));
        }
        let known = properties.iter().find(|property| **property == self.key);
        known.copied().map(Related::Property).ok_or_else(|| {
            let (what, key) = (self.what(), &self.key);
            SearchError::new(match relation {
                Relation::Span => format!(
                    "Invalid span attribute '{key}'. Supported attributes: name, status, type, attributes.<attribute_name>."
                ),
                _ => format!("Invalid {what} key '{key}' specified. Valid keys are '{}'", quoted_list(properties.iter().copied())),
            })
        })
    }

    fn condition(&self, comparator: &Comparator, right: &Operand<'_>) -> Result<Condition, SearchError> {
        if let OperandKind::List(items) = &right.kind {
            return self.listed(comparator, items, right);
        }
        match (self.namespace, op(comparator)) {
            (Namespace::Keyed(Family::Metric), Some(op)) => Ok(Condition::Number(op, self.number(right, "metric")?)),
            (Namespace::Attribute, Some(op)) if self.kind() == Kind::Integer => self.integer(op, right),
            (Namespace::Keyed(Family::Feedback | Family::Expectation), Some(op))
                if !matches!(op, Op::Equal | Op::Differs) =>
            {
                Ok(Condition::Number(op, self.number(right, self.what())?))
            }
            _ => self.textual(comparator, right),
        }
    }

    fn textual(&self, comparator: &Comparator, right: &Operand<'_>) -> Result<Condition, SearchError> {
        let text = self.text(right)?;
        if self.namespace == Namespace::Related(Relation::Prompt) && text.matches('/').count() != 1 {
            return Err(SearchError::new(format!(
                "Invalid prompts filter value '{}'. Expected format: prompt = \"name/version\"",
                shown(&text)
            )));
        }
        Ok(match comparator {
            Comparator::Like => Condition::Like(Pattern::new(text, false)?),
            Comparator::ILike => Condition::Like(Pattern::new(text, true)?),
            Comparator::RLike => Condition::Matches(Regexp::new(&text)?),
            Comparator::Differs => Condition::Differs(text),
            _ => Condition::Equal(text),
        })
    }

    fn number(&self, right: &Operand<'_>, what: &str) -> Result<f64, SearchError> {
        let is_number = matches!(right.kind, OperandKind::Integer | OperandKind::Float);
        let number = right.text.parse().ok().filter(|_| is_number);
        number.ok_or_else(|| {
            SearchError::new(format!("Expected numeric value type for {what}. Found {}", shown(right.text)))
        })
    }

    fn integer(&self, op: Op, right: &Operand<'_>) -> Result<Condition, SearchError> {
        let key = &self.key;
        let invalid =
            || SearchError::new(format!("Invalid value for numeric attribute '{key}': {}", shown(right.text)));
        let is_id = self.entity == Entity::Experiment && self.takes_lists();
        // Ids must be quoted; versions and a trace's times may be.
        if is_id || (matches!(self.entity, Entity::ModelVersion | Entity::Trace) && is_quoted(right)) {
            return integer_text(&self.text(right)?).map(|value| Condition::Integer(op, value)).ok_or_else(invalid);
        }
        let whole_only = matches!(self.entity, Entity::Experiment | Entity::ModelVersion | Entity::EvaluationDataset);
        if whole_only && right.kind == OperandKind::Float {
            return Err(invalid());
        }
        let number = self.number(right, &format!("numeric attribute: {key}"))?;
        // Beyond 2^53 a double is not exact.
        Ok(match right.text.parse() {
            Ok(exact) => Condition::Integer(op, exact),
            Err(_) => Condition::of_integer(op, number),
        })
    }

    fn text(&self, right: &Operand<'_>) -> Result<String, SearchError> {
        if let Some(text) = trimmed(right.text, '\'').or_else(|| trimmed(right.text, '"')) {
            return Ok(text.to_owned());
        }
        let (what, found) = (self.what(), shown(right.text));
        match right.kind {
            // There, any token is a text.
            _ if self.entity == Entity::LoggedModel => Ok(right.text.to_owned()),
            OperandKind::Identifier => Err(SearchError::new(format!(
                "Parameter value is either not quoted or unidentified quote types used for string value {found}. Use \
                 either single or double quotes."
            ))),
            _ => Err(SearchError::new(format!(
                "Expected a quoted string value for {what} (e.g. 'my-value'). Got value {found}"
            ))),
        }
    }

    fn listed(
        &self,
        comparator: &Comparator,
        items: &[Token<'_>],
        right: &Operand<'_>,
    ) -> Result<Condition, SearchError> {
        let is_not = *comparator == Comparator::NotIn;
        if !is_not && *comparator != Comparator::In {
            return Err(SearchError::new(format!(
                "Expected a quoted string value for {} (e.g. 'my-value'). Got value {}",
                self.what(),
                shown(right.text)
            )));
        }
        let takes_lists = self.takes_lists() || !matches!(self.namespace, Namespace::Attribute);
        if !takes_lists {
            let listed = Vocabulary::of(self.entity).attributes.iter().filter(|attribute| attribute.takes_lists);
            let listed = quoted_list(listed.map(|attribute| attribute.name));
            return Err(SearchError::new(format!(
                "Only {listed} attributes support comparison with a list of quoted string values."
            )));
        }
        let values = list(items, right)?;
        if self.kind() == Kind::Text {
            return Ok(if is_not { Condition::NotIn(values) } else { Condition::In(values) });
        }
        let ids: Option<Vec<i64>> = values.iter().map(|value| integer_text(value)).collect();
        let ids = ids.ok_or_else(|| {
            SearchError::new(format!("Invalid value for numeric attribute '{}': {}", self.key, shown(right.text)))
        })?;
        Ok(if is_not { Condition::IntegerNotIn(ids) } else { Condition::IntegerIn(ids) })
    }
}

fn op(comparator: &Comparator) -> Option<Op> {
    match comparator {
        Comparator::Equal => Some(Op::Equal),
        Comparator::Differs => Some(Op::Differs),
        Comparator::Less => Some(Op::Less),
        Comparator::AtMost => Some(Op::AtMost),
        Comparator::More => Some(Op::More),
        Comparator::AtLeast => Some(Op::AtLeast),
        _ => None,
    }
}

fn is_quoted(operand: &Operand<'_>) -> bool {
    operand.kind == OperandKind::Single || trimmed(operand.text, '"').is_some()
}

fn integer_text(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// Quoted values between commas; the last may have one after it.
fn list(items: &[Token<'_>], right: &Operand<'_>) -> Result<Vec<String>, SearchError> {
    let refused = |why: &str| Err(SearchError::new(format!("While parsing a list in the query, expected {why}")));
    if items.is_empty() {
        return refused("a non-empty list of string values, but got empty list");
    }
    let mut values = Vec::with_capacity(items.len() / 2 + 1);
    for pair in items.chunks(2) {
        match pair[0].kind {
            TokenKind::Single | TokenKind::Double => values.push(unescaped(pair[0].text)),
            TokenKind::Integer | TokenKind::Float => {
                return refused(&format!(
                    "string value, punctuation, or whitespace, but got different type in list: {}",
                    shown(right.text)
                ));
            }
            _ => return refused("a non-empty list of string values, but got ill-formed list."),
        }
        if pair.get(1).is_some_and(|comma| comma.kind != TokenKind::Comma) {
            return refused("a non-empty list of string values, but got ill-formed list.");
        }
    }
    if values.len() > LIST_LEN_MAX {
        return refused(&format!("at most {LIST_LEN_MAX} values, but got {}", values.len()));
    }
    Ok(values)
}

/// In a list, a backslash keeps a quote or a backslash from its meaning.
fn unescaped(quoted: &str) -> String {
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted[1..quoted.len() - 1].chars().peekable();
    while let Some(c) = characters.next() {
        let escaped = characters.next_if(|next| c == '\\' && ['\\', '\'', '"'].contains(next));
        text.push(escaped.unwrap_or(c));
    }
    text
}
