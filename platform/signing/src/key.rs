use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tiegel_types::Digest;

use crate::{Signature, SigningError};

const KEY_BYTES: usize = 32;
/// PKCS#8 of an Ed25519 key is this, then the seed.
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Written as base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = SigningError;

    fn from_str(text: &str) -> Result<Self, SigningError> {
        let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| SigningError::PublicKey(text.chars().take(2 * KEY_BYTES).collect()))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What signs. Its seed never shows but in [`SigningKey::to_pem`].
pub struct SigningKey {
    seed: [u8; KEY_BYTES],
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, SigningError> {
        let mut seed = [0; KEY_BYTES];
        random.fill(&mut seed).map_err(|_| SigningError::Random)?;
        Self::of_seed(seed)
    }

    fn of_seed(seed: [u8; KEY_BYTES]) -> Result<Self, SigningError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| SigningError::PrivateKey)?;
        Ok(Self { seed, pair })
    }

    /// PKCS#8 in PEM, which OpenSSL reads and writes too.
    pub fn to_pem(&self) -> String {
        let der = [PKCS8_HEAD.as_slice(), &self.seed].concat();
        format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", STANDARD.encode(der))
    }

    /// # Errors
    /// When the text is no such key.
    pub fn from_pem(text: &str) -> Result<Self, SigningError> {
        let (_, rest) = text.split_once(PEM_BEGIN).ok_or(SigningError::PrivateKey)?;
        let (body, _) = rest.split_once(PEM_END).ok_or(SigningError::PrivateKey)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| SigningError::PrivateKey)?;
        let seed = der.strip_prefix(PKCS8_HEAD.as_slice()).and_then(|seed| seed.try_into().ok());
        Self::of_seed(seed.ok_or(SigningError::PrivateKey)?)
    }

    pub fn public_key(&self) -> PublicKey {
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(key)
    }

    pub fn sign(&self, digest: &Digest) -> Signature {
        Signature::new(self.public_key(), self.pair.sign(&crate::signature::message(digest)).as_ref())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public_key()).finish_non_exhaustive()
    }
}
