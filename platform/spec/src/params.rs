use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tiegel_types::limits::DOCUMENT_BYTES_MAX;
use tiegel_types::nearest;

use crate::field::FieldPath;
use crate::kinds::{PipelineSpec, SplitSpec};

/// A `${…}` that cannot be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}{}", .hint.as_ref().map(|h| format!("; {h}")).unwrap_or_default())]
pub struct ParamError {
    /// Within the spec, such as `steps.joined.sql`.
    pub field: String,
    pub message: String,
    pub hint: Option<String>,
    pub(crate) path: FieldPath,
}

impl PipelineSpec {
    /// The pipeline with every `${name}` in SQL, configs and split replaced by the param's value, and no params left.
    ///
    /// A config value that is exactly `${name}` takes the param's JSON type; inside a longer text, a param must be text,
    /// a number or a boolean. `$${` stands for a literal `${`.
    pub fn resolved(&self) -> Result<PipelineSpec, ParamError> {
        let Substituted { pipeline, mut errors, .. } = substitute(self);
        if errors.is_empty() { Ok(pipeline) } else { Err(errors.swap_remove(0)) }
    }
}

pub(crate) struct Substituted {
    pub(crate) pipeline: PipelineSpec,
    pub(crate) errors: Vec<ParamError>,
    pub(crate) used: BTreeSet<String>,
}

pub(crate) fn substitute(spec: &PipelineSpec) -> Substituted {
    let mut pipeline = spec.clone();
    pipeline.params.clear();
    let mut work = Substitution {
        params: &spec.params,
        used: BTreeSet::new(),
        errors: Vec::new(),
        bytes_left: DOCUMENT_BYTES_MAX,
    };
    let steps = FieldPath::new("steps");
    for (name, step) in &mut pipeline.steps {
        let at = steps.field(name);
        if let Some(sql) = &mut step.sql {
            *sql = work.text(&at.field("sql"), sql);
        }
        if let Some(config) = &mut step.config {
            *config = work.value(&at.field("config"), config);
        }
    }
    if let Some(split) = &mut pipeline.split {
        work.split(&FieldPath::new("split"), split);
    }
    let Substitution { used, errors, .. } = work;
    Substituted { pipeline, errors, used }
}

struct Substitution<'a> {
    params: &'a BTreeMap<String, Value>,
    used: BTreeSet<String>,
    errors: Vec<ParamError>,
    /// Bytes that replacing may still write, so that repeating a long param cannot grow without end.
    bytes_left: usize,
}

impl Substitution<'_> {
    fn split(&mut self, at: &FieldPath, split: &mut SplitSpec) {
        let SplitSpec { step: _, by_time, by_fraction, by_column } = split;
        if let Some(by) = by_time {
            let at = at.field("byTime");
            by.column = self.text(&at.field("column"), &by.column);
            by.test_from = self.text(&at.field("testFrom"), &by.test_from);
            by.validation_from = by.validation_from.as_ref().map(|t| self.text(&at.field("validationFrom"), t));
        }
        if let Some(by) = by_fraction {
            let at = at.field("byFraction").field("key");
            by.key = by.key.iter().enumerate().map(|(i, column)| self.text(&at.item(i), column)).collect();
        }
        if let Some(by) = by_column {
            let at = at.field("byColumn");
            by.column = self.text(&at.field("column"), &by.column);
            for (field, values) in [("validation", &mut by.validation), ("test", &mut by.test)] {
                for (i, value) in values.iter_mut().enumerate() {
                    *value = self.value(&at.field(field).item(i), value);
                }
            }
        }
    }

    fn value(&mut self, at: &FieldPath, value: &Value) -> Value {
        match value {
            Value::String(text) => self.whole(at, text).unwrap_or_else(|| Value::String(self.text(at, text))),
            Value::Array(items) => items.iter().enumerate().map(|(i, item)| self.value(&at.item(i), item)).collect(),
            Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), self.value(&at.field(k), v))).collect(),
            plain => plain.clone(),
        }
    }

    /// The param's value where the text is one `${name}` and nothing else.
    fn whole(&mut self, at: &FieldPath, text: &str) -> Option<Value> {
        let name = text.strip_prefix("${")?.strip_suffix('}')?;
        let value = self.params.get(name)?;
        self.used.insert(name.to_owned());
        if self.spend(at, value.to_string().len()) { Some(value.clone()) } else { Some(Value::Null) }
    }

    fn text(&mut self, at: &FieldPath, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            if let Some(literal) = before.strip_suffix('$') {
                out.push_str(literal);
                out.push_str("${");
                rest = &from[2..];
                continue;
            }
            out.push_str(before);
            let Some(end) = from.find('}') else {
                self.refuse(at, "a '${' has no closing '}'".to_owned(), Some("write $${ for a literal ${".to_owned()));
                return text.to_owned();
            };
            let value = self.scalar(at, &from[2..end]);
            if !self.spend(at, value.len()) {
                return text.to_owned();
            }
            out.push_str(&value);
            rest = &from[end + 1..];
        }
        out + rest
    }

    fn scalar(&mut self, at: &FieldPath, name: &str) -> String {
        let Some(value) = self.params.get(name) else {
            let hint = match nearest(name, self.params.keys().map(String::as_str)) {
                Some(near) => format!("did you mean '${{{near}}}'?"),
                None => format!("add '{name}' to spec.params"),
            };
            self.refuse(at, format!("the param '{name}' is not defined"), Some(hint));
            return String::new();
        };
        self.used.insert(name.to_owned());
        match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                let message = format!("the param '{name}' is no text, number or boolean, so it cannot stand in a text");
                self.refuse(at, message, None);
                String::new()
            }
        }
    }

    fn spend(&mut self, at: &FieldPath, bytes: usize) -> bool {
        let enough = bytes <= self.bytes_left;
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        if !enough {
            self.refuse(at, format!("params write more than {DOCUMENT_BYTES_MAX} bytes into this pipeline"), None);
        }
        enough
    }

    fn refuse(&mut self, at: &FieldPath, message: String, hint: Option<String>) {
        self.errors.push(ParamError { field: at.to_string(), message, hint, path: at.clone() });
    }
}
