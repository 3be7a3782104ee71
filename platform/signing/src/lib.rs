//! Who made a plugin: Ed25519 signatures over a component's digest, and whose are believed.
//!
//! Invariants: a signature that does not fit its key and digest is never a [`Trust`]ed one; where a project asks for
//! signatures, a component without one by a trusted key is refused. No I/O; randomness is given.

mod key;
mod signature;
mod trust;

pub use key::{PublicKey, SigningKey};
pub use ring::rand::{SecureRandom, SystemRandom};
pub use signature::{FILE_SUFFIX, SIGNATURE_BYTES_MAX, Signature};
pub use trust::Trust;

/// A key or signature that is none, or that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    #[error("'{0}' is no public key: it is the base64 of 32 bytes, as `tiegel plugin keygen` prints it")]
    PublicKey(String),
    #[error("this is no private key: it is PEM of PKCS#8 with an Ed25519 key, as `tiegel plugin keygen` writes it")]
    PrivateKey,
    #[error("this is no signature: it is one line, `ed25519:PUBLIC KEY:SIGNATURE`, as `tiegel plugin sign` writes it")]
    Malformed,
    #[error("the signature by {key} does not fit {digest}: these bytes are not what was signed")]
    Forged { key: PublicKey, digest: tiegel_types::Digest },
    #[error("no source of randomness answers")]
    Random,
}
