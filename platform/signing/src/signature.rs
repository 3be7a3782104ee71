use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use tiegel_types::Digest;

use crate::{PublicKey, SigningError};

/// Of the file beside a component: `NAME.wasm.sig`.
pub const FILE_SUFFIX: &str = ".sig";
/// Bytes of a signature as text.
pub const SIGNATURE_BYTES_MAX: usize = 1 << 10;

const SCHEME: &str = "ed25519";
const BYTES: usize = 64;
/// In front of what is signed, so that no signature made for something else is one of a plugin.
const DOMAIN: &str = "tiegel plugin signature v1\n";

/// One key's signature over a component's digest, which it does not hold. Written `ed25519:KEY:SIGNATURE` in base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    key: PublicKey,
    bytes: [u8; BYTES],
}

pub(crate) fn message(digest: &Digest) -> Vec<u8> {
    format!("{DOMAIN}{digest}").into_bytes()
}

impl Signature {
    pub(crate) fn new(key: PublicKey, signed: &[u8]) -> Self {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(signed);
        Self { key, bytes }
    }

    /// By whom, once [`Signature::verify`] said so.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// # Errors
    /// When the key did not sign this digest.
    pub fn verify(&self, digest: &Digest) -> Result<(), SigningError> {
        let key = UnparsedPublicKey::new(&ED25519, self.key.as_bytes());
        key.verify(&message(digest), &self.bytes).map_err(|_| SigningError::Forged { key: self.key, digest: *digest })
    }
}

impl FromStr for Signature {
    type Err = SigningError;

    fn from_str(text: &str) -> Result<Self, SigningError> {
        let text = text.trim();
        let mut parts = text.split(':');
        let (Some(SCHEME), Some(key), Some(bytes), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SigningError::Malformed);
        };
        let key = key.parse().map_err(|_| SigningError::Malformed)?;
        let bytes = STANDARD.decode(bytes).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self { key, bytes: bytes.ok_or(SigningError::Malformed)? })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}:{}:{}", self.key, STANDARD.encode(self.bytes))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}:{}:…", self.key)
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::SigningKey;

    #[test]
    fn a_signature_fits_what_was_signed_and_nothing_else() {
        let key = SigningKey::generate(&SystemRandom::new()).unwrap();
        let digest = Digest::of(b"component");
        let signature = key.sign(&digest);
        let read: Signature = format!("{signature}\n").parse().unwrap();
        assert_eq!(read, signature);
        read.verify(&digest).unwrap();
        let other = read.verify(&Digest::of(b"another")).unwrap_err();
        assert!(other.to_string().contains("does not fit sha256:"), "{other}");
        let stolen = Signature { key: SigningKey::generate(&SystemRandom::new()).unwrap().public_key(), ..signature };
        stolen.verify(&digest).unwrap_err();
    }

    #[test]
    fn a_key_is_read_back_from_its_file_and_its_seed_never_shows() {
        let key = SigningKey::generate(&SystemRandom::new()).unwrap();
        let pem = key.to_pem();
        let again = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(key.public_key().to_string().parse::<PublicKey>().unwrap(), key.public_key());
        assert!(!format!("{key:?}").contains(pem.lines().nth(1).unwrap()));
        SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").unwrap_err();
    }

    /// The first vector of RFC 8032 names this key pair.
    #[test]
    fn a_private_key_has_the_public_key_that_the_standard_says() {
        let der = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
        let key = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(key.public_key().to_string(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for bad in ["", "ed25519", "rsa:AAAA:AAAA", "ed25519:AAAA:AAAA", "ed25519:a:b:c"] {
            assert_eq!(bad.parse::<Signature>().unwrap_err(), SigningError::Malformed, "{bad}");
        }
    }
}
