use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::NAME_CHARS_MAX;

/// A name of a project, resource, step, model, plugin or alias: safe in URLs, file names and SQL table names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct Name(#[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_.-]{0,62}$"))] String);

#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a name: use 1 to {NAME_CHARS_MAX} letters, digits, '_', '-' or '.', starting with a letter")]
pub struct NameError(String);

impl Name {
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let mut chars = text.chars();
        let starts_well = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
        let goes_on_well = chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if starts_well && goes_on_well && text.len() <= NAME_CHARS_MAX && !text.contains("..") {
            Ok(Self(text))
        } else {
            Err(NameError(text.chars().take(NAME_CHARS_MAX + 1).collect()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The kinds of document that a project file declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    Dataset,
    Pipeline,
    Training,
    Endpoint,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Dataset, Kind::Pipeline, Kind::Training, Kind::Endpoint];

    /// As in `training/delay`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Dataset => "dataset",
            Kind::Pipeline => "pipeline",
            Kind::Training => "training",
            Kind::Endpoint => "endpoint",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `kind/name`, as in `training/delay`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceRef {
    pub kind: Kind,
    pub name: Name,
}

impl ResourceRef {
    pub fn new(kind: Kind, name: Name) -> Self {
        Self { kind, name }
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl FromStr for ResourceRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').ok_or_else(|| {
            format!("'{text}' names no resource: write KIND/NAME, such as pipeline/features or training/delay")
        })?;
        let kind = Kind::ALL
            .into_iter()
            .find(|k| k.as_str() == kind.to_ascii_lowercase())
            .ok_or_else(|| format!("'{kind}' is not a kind: use dataset, pipeline, training or endpoint"))?;
        Ok(Self { kind, name: Name::new(name).map_err(|e| e.to_string())? })
    }
}

impl Serialize for ResourceRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ResourceRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResourceRef".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(dataset|pipeline|training|endpoint)/.+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_a_folder_or_a_url_are_refused() {
        for bad in ["", "../x", "a/b", "a..b", "1a", "a b", "é", &"a".repeat(64)] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
        for good in ["flights", "one-hot", "a.b_c-9"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_reference_without_a_kind_says_what_to_write() {
        let err = "delay".parse::<ResourceRef>().unwrap_err();
        assert!(err.contains("KIND/NAME"), "{err}");
        assert_eq!("training/delay".parse::<ResourceRef>().unwrap().to_string(), "training/delay");
    }
}
