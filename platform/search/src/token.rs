use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tiegel_types::Digest;

use crate::limits::PAGE_TOKEN_BYTES_MAX;
use crate::{Field, Kind, Order, OrderKey, SearchError};

/// Tells one query from another: a token goes on with the query that it came from and with no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of all that decides which records there are and in which order.
    pub fn of(query: &dyn Debug) -> Self {
        const DIGITS: usize = 16;
        Self(Digest::of(format!("{query:?}").as_bytes()).hex()[..DIGITS].to_owned())
    }
}

/// Where a page ended: what the order's keys were of its last record.
#[derive(Clone, Debug, PartialEq)]
pub struct PageToken {
    pub keys: Vec<KeyValue>,
}

/// The value of an order's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum KeyValue {
    #[serde(rename = "i")]
    Integer(i64),
    /// Never NaN.
    #[serde(rename = "f", with = "bits")]
    Number(f64),
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "n")]
    NaN,
    #[serde(rename = "m")]
    Missing,
}

/// A double as its bits: infinity has no JSON, and no digit may be lost.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.to_bits())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let number = f64::from_bits(u64::deserialize(deserializer)?);
        if number.is_nan() { Err(serde::de::Error::custom("NaN is no number")) } else { Ok(number) }
    }
}

/// What a token holds.
#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(rename = "v")]
    version: u32,
    #[serde(rename = "q")]
    query: String,
    #[serde(rename = "k")]
    keys: Vec<KeyValue>,
}

const VERSION: u32 = 1;

impl PageToken {
    /// Text for a URL, which means nothing to who gets it.
    pub fn encode(&self, query: &Fingerprint) -> String {
        let envelope = Envelope { version: VERSION, query: query.0.clone(), keys: self.keys.clone() };
        let json = serde_json::to_vec(&envelope).expect("numbers and texts have a JSON form");
        URL_SAFE_NO_PAD.encode(json)
    }

    /// Refuses what is no token of this query, a forged one too.
    pub fn decode(text: &str, query: &Fingerprint, order: &Order) -> Result<Self, SearchError> {
        let refused = |why: &str| SearchError::new(format!("Invalid page token, {why}"));
        if text.len() > PAGE_TOKEN_BYTES_MAX {
            return Err(refused("it is too long"));
        }
        let json =
            URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| refused("could not base64-decode"))?;
        let envelope: Envelope =
            serde_json::from_slice(&json).map_err(|_| refused("it is not one of this server's"))?;
        if envelope.version != VERSION {
            return Err(refused("another version of this server made it"));
        }
        if envelope.query != query.0 {
            return Err(refused("it belongs to a search with other experiments, another filter or another order"));
        }
        let fits = envelope.keys.len() == order.keys.len()
            && envelope.keys.iter().zip(&order.keys).all(|(value, key)| value.fits(key));
        if fits { Ok(Self { keys: envelope.keys }) } else { Err(refused("it is not one of this server's")) }
    }
}

impl KeyValue {
    /// NaN and numbers are what they are; zero has one sign.
    pub fn of_number(number: f64) -> Self {
        if number.is_nan() { Self::NaN } else { Self::Number(number + 0.0) }
    }

    fn fits(&self, key: &OrderKey) -> bool {
        match self {
            Self::Missing => true,
            Self::NaN | Self::Number(_) => key.is_metric(),
            Self::Integer(_) => matches!(key.field, Field::Attribute(_, Kind::Integer)),
            Self::Text(text) => {
                let is_text = !matches!(key.field, Field::Attribute(_, Kind::Integer)) && !key.is_metric();
                is_text && !text.contains('\0')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entity, Filter};

    fn order(clause: &str) -> Order {
        Order::parse(Entity::Run, &[clause]).unwrap()
    }

    fn token(metric: KeyValue) -> PageToken {
        PageToken { keys: vec![metric, KeyValue::Integer(-5), KeyValue::Text("r\"é".to_owned())] }
    }

    #[test]
    fn a_token_comes_back_as_it_was() {
        let query = Fingerprint::of(&"query");
        let metrics = [f64::INFINITY, -0.1, 5e-324, f64::MAX].map(KeyValue::of_number);
        for metric in metrics.into_iter().chain([KeyValue::NaN, KeyValue::Missing]) {
            let text = token(metric.clone()).encode(&query);
            assert_eq!(PageToken::decode(&text, &query, &order("metrics.a")), Ok(token(metric)));
        }
    }

    #[test]
    fn a_token_of_another_query_is_refused() {
        let filter = |text| Filter::parse(Entity::Run, text).unwrap();
        let of = |text| Fingerprint::of(&(["1"], filter(text), order("metrics.a")));
        assert_eq!(of("metrics.a > 1"), of("metric.`a`>1.0"));
        assert_ne!(of("metrics.a > 1"), of("metrics.a >= 1"));
        let text = token(KeyValue::NaN).encode(&of("metrics.a > 1"));
        let refused = PageToken::decode(&text, &of(""), &order("metrics.a")).unwrap_err().to_string();
        assert!(refused.starts_with("Invalid page token, it belongs to a search"), "{refused}");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let query = Fingerprint::of(&"query");
        let by_metric = order("metrics.a");
        let decode = |text: &str, order: &Order| PageToken::decode(text, &query, order);
        for text in ["x", "%%%", "", "eyJvZmZzZXQiOiAxMH0=", "bnVsbA"] {
            assert!(decode(text, &by_metric).unwrap_err().to_string().starts_with("Invalid page token, "), "{text}");
        }
        let forged = |keys: Vec<KeyValue>| PageToken { keys }.encode(&query);
        assert!(decode(&forged(vec![]), &by_metric).is_err());
        assert!(decode(&token(KeyValue::Text("x".to_owned())).encode(&query), &by_metric).is_err());
        assert!(decode(&token(KeyValue::NaN).encode(&query), &order("params.a")).is_err());
        assert!(decode(&"A".repeat(PAGE_TOKEN_BYTES_MAX + 4), &by_metric).is_err());
    }
}
