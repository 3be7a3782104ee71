use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// A SHA-256 digest, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a digest: expected 'sha256:' and 64 hexadecimal digits")]
pub struct ParseDigestError(String);

const PREFIX: &str = "sha256:";
const HEX_CHARS: usize = 64;

impl Digest {
    /// All digests in a text, whatever else it is.
    pub fn all_in(text: &str) -> impl Iterator<Item = Self> {
        text.match_indices(PREFIX).filter_map(|(at, _)| Self::at_start(&text[at..]))
    }

    /// The digest that a text begins with.
    pub fn at_start(text: &str) -> Option<Self> {
        text.get(..PREFIX.len() + HEX_CHARS)?.parse().ok()
    }

    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The digest of a value's canonical JSON: keys sorted, no white space.
    pub fn of_json(value: &serde_json::Value) -> Self {
        Self::of(canonical(value).to_string().as_bytes())
    }

    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }

    /// Where the blob store keeps the bytes, relative to its root.
    pub fn blob_path(&self) -> String {
        let hex = self.hex();
        format!("sha256/{}/{}", &hex[..2], hex)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn canonical(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|k| (k.clone(), canonical(&map[k]))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

/// Digests bytes as they stream past.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex_part = text.strip_prefix(PREFIX).unwrap_or(text);
        let mut bytes = [0; 32];
        hex::decode_to_slice(hex_part, &mut bytes).map_err(|_| ParseDigestError(text.to_owned()))?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.short())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^sha256:[0-9a-f]{64}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_ignores_the_order_of_keys() {
        let a = serde_json::json!({"b": 1, "a": [{"y": 2, "x": 3}]});
        let b = serde_json::json!({"a": [{"x": 3, "y": 2}], "b": 1});
        assert_eq!(Digest::of_json(&a), Digest::of_json(&b));
    }

    #[test]
    fn a_digest_survives_its_text_form() {
        let digest = Digest::of(b"flights");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("sha256:12".parse::<Digest>().is_err());
    }

    #[test]
    fn digests_are_found_in_any_text() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let text = format!("{{\"x\":\"{a}\",\"y\":[\"sha256:12\",\"{b}ff\"]}} sha256:");
        assert_eq!(Digest::all_in(&text).collect::<Vec<_>>(), [a, b]);
    }
}
