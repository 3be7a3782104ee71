use std::fmt;

use serde_json::{Map, Value};

use crate::{MlflowError, MlflowResult};

/// The fields of a request. Reading one checks its type; fields that nobody reads are ignored.
///
/// Both `run_id` and `runId` name a field. A number may be written as text, and in a query string everything is text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Params {
    fields: Map<String, Value>,
    is_query: bool,
    /// What a message calls a field is its name behind this, such as `metrics[0].`.
    place: String,
}

impl Params {
    pub fn new(fields: Map<String, Value>) -> Self {
        Self { fields, ..Self::default() }
    }

    pub fn of_query(fields: Map<String, Value>) -> Self {
        Self { fields, is_query: true, place: String::new() }
    }

    /// The raw field, if it is there and not null.
    pub fn get(&self, name: &str) -> MlflowResult<Option<&Value>> {
        let camel = camel_case(name);
        match (self.fields.get(name), self.fields.get(&camel)) {
            (Some(_), Some(_)) if camel != name => Err(MlflowError::invalid(format!(
                "Request specifies both '{name}' and '{camel}'; provide only one of them."
            ))),
            (value, other) => Ok(value.or(other).filter(|value| !value.is_null())),
        }
    }

    pub fn text(&self, name: &str) -> MlflowResult<Option<&str>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.invalid(name, other)),
        }
    }

    /// Text that must be there and not be empty.
    pub fn required_text(&self, name: &str) -> MlflowResult<&str> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| self.missing(name))
    }

    pub fn int(&self, name: &str) -> MlflowResult<Option<i64>> {
        self.get(name)?.map(|value| int_of(value).ok_or_else(|| self.invalid(name, value))).transpose()
    }

    pub fn required_int(&self, name: &str) -> MlflowResult<i64> {
        self.int(name)?.ok_or_else(|| self.missing(name))
    }

    pub fn double(&self, name: &str) -> MlflowResult<Option<f64>> {
        self.get(name)?.map(|value| double_of(value).ok_or_else(|| self.invalid(name, value))).transpose()
    }

    pub fn required_double(&self, name: &str) -> MlflowResult<f64> {
        self.double(name)?.ok_or_else(|| self.missing(name))
    }

    pub fn flag(&self, name: &str) -> MlflowResult<Option<bool>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if self.is_query => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Some(true)),
                "false" => Ok(Some(false)),
                _ => {
                    let why = format!("Invalid boolean value: {text}, must be 'true' or 'false'.");
                    Err(MlflowError::invalid(why))
                }
            },
            Some(other) => Err(self.invalid(name, other)),
        }
    }

    /// A list; in a query string one value is a list of one.
    pub fn list(&self, name: &str) -> MlflowResult<Vec<&Value>> {
        match self.get(name)? {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values.iter().collect()),
            Some(value) if self.is_query => Ok(vec![value]),
            Some(other) => Err(self.invalid(name, other)),
        }
    }

    /// A list that must be there; it may be empty.
    pub fn required_list(&self, name: &str) -> MlflowResult<Vec<&Value>> {
        self.get(name)?.ok_or_else(|| self.missing(name))?;
        self.list(name)
    }

    pub fn texts(&self, name: &str) -> MlflowResult<Vec<&str>> {
        let texts = self.list(name)?.into_iter().map(|value| match value {
            Value::String(text) => Ok(text.as_str()),
            other => Err(self.invalid(name, other)),
        });
        texts.collect()
    }

    /// A message inside this one.
    pub fn message(&self, name: &str) -> MlflowResult<Option<Params>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(self.inner(fields, format_args!("{name}.")))),
            Some(other) => Err(self.invalid(name, other)),
        }
    }

    /// A list of messages.
    pub fn messages(&self, name: &str) -> MlflowResult<Vec<Params>> {
        let message = |(at, value): (usize, &Value)| match value {
            Value::Object(fields) => Ok(self.inner(fields, format_args!("{name}[{at}]."))),
            other => Err(self.invalid(name, other)),
        };
        self.list(name)?.into_iter().enumerate().map(message).collect()
    }

    /// A list of `{"key": …, "value": …}`; what is not there is empty.
    pub fn pairs(&self, name: &str) -> MlflowResult<Vec<(String, String)>> {
        let pair = |pair: &Params| {
            let (key, value) = (pair.text("key")?, pair.text("value")?);
            Ok((key.unwrap_or_default().to_owned(), value.unwrap_or_default().to_owned()))
        };
        self.messages(name)?.iter().map(pair).collect()
    }

    fn inner(&self, fields: &Map<String, Value>, place: fmt::Arguments<'_>) -> Self {
        Self { fields: fields.clone(), is_query: false, place: format!("{}{place}", self.place) }
    }

    fn invalid(&self, name: &str, value: &Value) -> MlflowError {
        invalid(&format!("{}{name}", self.place), value)
    }

    fn missing(&self, name: &str) -> MlflowError {
        missing(&format!("{}{name}", self.place))
    }
}

/// A field of the wrong type or range. The hint names the type as clients in Python know it.
pub(crate) fn invalid(name: &str, value: &Value) -> MlflowError {
    let kind = match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    };
    invalid_because(name, value, &format!(" Hint: Value was of type '{kind}'"))
}

pub(crate) fn invalid_because(name: &str, value: &Value, why: &str) -> MlflowError {
    MlflowError::invalid(format!(
        "Invalid value {value} for parameter '{name}' supplied: {why}. See the API docs for more information about request parameters."
    ))
}

pub(crate) fn missing(name: &str) -> MlflowError {
    MlflowError::invalid(format!(
        "Missing value for required parameter '{name}'. See the API docs for more information about request parameters."
    ))
}

pub(crate) fn int_of(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().filter(|v| v.fract() == 0.0 && v.abs() < 9.2e18).map(|v| v as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Numbers, numbers as text, `NaN` and the infinities; `true` is 1 here, as clients have relied on it.
pub(crate) fn double_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(*flag)),
        Value::String(text) => match text.trim() {
            "NaN" | "nan" => Some(f64::NAN),
            "Infinity" | "inf" => Some(f64::INFINITY),
            "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
            number => number.parse().ok(),
        },
        _ => None,
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use crate::wire::{of_body, of_query};

    #[test]
    fn a_field_has_two_names_and_takes_one() {
        assert_eq!(of_body(br#"{"runId": "a"}"#).unwrap().text("run_id").unwrap(), Some("a"));
        let both = of_body(br#"{"runId": "a", "run_id": "a"}"#).unwrap();
        assert!(both.text("run_id").is_err());
    }

    #[test]
    fn numbers_may_be_text_and_doubles_have_names() {
        let body = of_body(br#"{"step": "3", "value": "NaN", "other": 2.5, "on": true}"#).unwrap();
        assert_eq!(body.int("step").unwrap(), Some(3));
        assert!(body.double("value").unwrap().is_some_and(f64::is_nan));
        assert!(body.int("other").unwrap_err().message.contains("parameter 'other'"));
        assert_eq!(body.double("on").unwrap(), Some(1.0));
    }

    #[test]
    fn a_query_repeats_a_field_to_make_a_list() {
        let query = of_query("run_id=a&run_id=b&flag=true&n=5").unwrap();
        assert_eq!(query.texts("run_id").unwrap(), ["a", "b"]);
        assert_eq!(query.texts("n").unwrap(), ["5"]);
        assert_eq!((query.flag("flag").unwrap(), query.int("n").unwrap()), (Some(true), Some(5)));
    }

    #[test]
    fn a_body_that_was_encoded_twice_is_read_and_another_kind_is_refused() {
        assert_eq!(of_body(br#""{\"a\": \"b\"}""#).unwrap().text("a").unwrap(), Some("b"));
        assert!(of_body(b"[1]").unwrap_err().message.contains("a list"));
        assert!(of_body(b"{").is_err());
    }
}
