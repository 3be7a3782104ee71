use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tiegel_types::Digest;
use uuid::Uuid;

use super::secret::WebhookSecret;

/// The body of a request: what happened, when, and to what.
pub(super) fn body_of(event: &str, at_ms: i64, data: &Value) -> String {
    let (entity, action) = event.split_once('.').unwrap_or((event, ""));
    let at = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    let timestamp = at.to_rfc3339_opts(SecondsFormat::Micros, false);
    json!({ "entity": entity, "action": action, "timestamp": timestamp, "data": data }).to_string()
}

/// `v1,` and the base64 of the HMAC-SHA256 of id, time and body, joined by dots.
pub(super) fn signature_of(secret: &WebhookSecret, id: &str, seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The id of a delivery, the same for each attempt, so that a receiver knows what it has already.
pub(super) fn id_of(webhook_id: &str, delivery: i64, created_ms: i64) -> String {
    let digest = Digest::of(format!("{webhook_id} {delivery} {created_ms}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

pub(super) fn fresh_id(uuid: Uuid) -> String {
    uuid.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_receivers_of_mlflow_compute() {
        // hmac.new(b"s3cret", b'id-1.1700000000.{"a": 1}', hashlib.sha256), in base64.
        let signature = signature_of(&WebhookSecret::new("s3cret"), "id-1", 1_700_000_000, r#"{"a": 1}"#);
        assert_eq!(signature, "v1,YW5PRvKTy+IERaaAfKQzg15qWC7EzIzNmMWjrKRbRvY=");
    }

    #[test]
    fn a_delivery_keeps_its_id() {
        let id = id_of("w", 1, 5);
        assert_eq!(id, id_of("w", 1, 5));
        assert_ne!(id, id_of("w", 2, 5));
        assert!(Uuid::parse_str(&id).is_ok());
    }

    #[test]
    fn a_body_says_what_happened_and_when() {
        let body: Value =
            serde_json::from_str(&body_of("prompt_tag.set", 1_700_000_000_123, &json!({ "name": "p" }))).unwrap();
        let expected = json!({
            "entity": "prompt_tag", "action": "set", "timestamp": "2023-11-14T22:13:20.123000+00:00",
            "data": { "name": "p" },
        });
        assert_eq!(body, expected);
    }
}
