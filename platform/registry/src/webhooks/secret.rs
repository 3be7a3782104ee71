//! What signs a webhook's requests, and how it lies in the database: encrypted with the server's key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use tiegel_store::SealedSecret;
use uuid::Uuid;

const KEY_BYTES: usize = 32;
/// How a sealed secret begins, so that another way to seal can follow.
const FORMAT: &str = "1.";

/// The key that signs a webhook's requests. It prints as `***` and is stored nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The server's key, with which secrets are sealed.
pub struct SecretKey(LessSafeKey);

impl SecretKey {
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("the algorithm takes 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// As a file or a setting holds it: the base64 of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or_else(|| {
            format!("it is not the base64 of {KEY_BYTES} bytes; make one with `openssl rand -base64 {KEY_BYTES}`")
        })?;
        Ok(Self::new(bytes))
    }

    /// `once` is a number that was never used with this key. What is sealed for one webhook opens for no other.
    pub fn seal(&self, secret: &WebhookSecret, webhook_id: &str, once: Uuid) -> SealedSecret {
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&once.as_bytes()[..NONCE_LEN]);
        let mut bytes = secret.as_bytes().to_vec();
        let about = Aad::from(webhook_id.as_bytes());
        let tag = self.0.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), about, &mut bytes);
        let tag = tag.expect("a secret is far shorter than what may be sealed at once");
        let sealed = [&nonce[..], &bytes, tag.as_ref()].concat();
        SealedSecret::new(format!("{FORMAT}{}", STANDARD.encode(sealed)))
    }

    pub(super) fn open(&self, sealed: &SealedSecret, webhook_id: &str) -> Result<WebhookSecret, String> {
        let opened = || {
            let mut bytes = STANDARD.decode(sealed.as_str().strip_prefix(FORMAT)?).ok()?;
            let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
            let about = Aad::from(webhook_id.as_bytes());
            let opened = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), about, sealed).ok()?;
            String::from_utf8(opened.to_vec()).ok().map(WebhookSecret)
        };
        opened().ok_or_else(|| {
            "its secret was stored with another key than this server's; restore webhooks.key in the data folder, or \
             `webhooks.secret_key`, or set the webhook's secret again"
                .to_owned()
        })
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(number: u128) -> Uuid {
        Uuid::from_u128(number << 64)
    }

    #[test]
    fn a_sealed_secret_opens_with_its_key_for_its_webhook() {
        let (key, secret) = (SecretKey::new([7; KEY_BYTES]), WebhookSecret::new("s3cret"));
        let sealed = key.seal(&secret, "w1", once(1));
        assert_eq!(key.open(&sealed, "w1"), Ok(secret.clone()));
        assert!(!sealed.as_str().contains("s3cret"));
        assert_ne!(sealed, key.seal(&secret, "w1", once(2)), "the same secret again looks different");
        assert!(key.open(&sealed, "w2").is_err());
        assert!(SecretKey::new([8; KEY_BYTES]).open(&sealed, "w1").unwrap_err().contains("another key"));
        for broken in ["", "1.", "1.AAAA", "2.AAAA", "s3cret", &sealed.as_str()[..sealed.as_str().len() - 4]] {
            assert!(key.open(&SealedSecret::new(broken), "w1").is_err(), "{broken}");
        }
    }

    #[test]
    fn a_key_is_the_base64_of_32_bytes() {
        assert!(SecretKey::parse(&format!(" {}\n", STANDARD.encode([1; KEY_BYTES]))).is_ok());
        for bad in ["", "abc", &STANDARD.encode([1; 16])] {
            assert!(SecretKey::parse(bad).unwrap_err().contains("openssl rand"), "{bad}");
        }
    }

    #[test]
    fn nothing_prints_a_secret_or_a_key() {
        let (key, secret) = (SecretKey::new([7; KEY_BYTES]), WebhookSecret::new("s3cret"));
        let sealed = key.seal(&secret, "w1", once(1));
        assert_eq!(format!("{key:?} {secret:?} {sealed:?}"), "*** *** ***");
    }
}
