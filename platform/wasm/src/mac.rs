use sha2::{Digest, Sha256};

/// Bytes of SHA-256's input block.
const BLOCK_BYTES: usize = 64;

/// HMAC-SHA-256 (RFC 2104) of the parts one after the other.
pub fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK_BYTES];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let mut inner = Sha256::new().chain_update(pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_that_of_another_implementation() {
        // Python: hmac.new(bytes(range(32)), b"Hi There", "sha256").hexdigest()
        let key: [u8; 32] = std::array::from_fn(|i| i as u8);
        let expected = "278639ec02309d3afded1b273f1349ba63b9089c12476d716bee3ecc94673e9e";
        assert_eq!(hex::encode(hmac_sha256(&key, &[b"Hi ", b"There"])), expected);
        assert_ne!(hex::encode(hmac_sha256(&key, &[b"Hi There", b"!"])), expected);
    }
}
