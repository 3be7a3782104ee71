use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::{BODY_BYTES_MAX, Compression, IngestError};

/// What was compressed. One byte more than is taken tells that there is too much.
pub(crate) fn inflated(body: &[u8], compression: Compression) -> Result<Vec<u8>, IngestError> {
    let (name, read) = match compression {
        Compression::Gzip => ("gzip", all(MultiGzDecoder::new(body))),
        Compression::Deflate => ("deflate", all(ZlibDecoder::new(body)).or_else(|_| all(DeflateDecoder::new(body)))),
    };
    read.map_err(|_| IngestError::Malformed(format!("Failed to decompress {name} payload")))
}

fn all(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn all_three_kinds_are_read() {
        let level = flate2::Compression::fast();
        let mut gzip = GzEncoder::new(Vec::new(), level);
        gzip.write_all(b"spans").unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), level);
        zlib.write_all(b"spans").unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), level);
        raw.write_all(b"spans").unwrap();
        for (body, compression) in [
            (gzip.finish().unwrap(), Compression::Gzip),
            (zlib.finish().unwrap(), Compression::Deflate),
            (raw.finish().unwrap(), Compression::Deflate),
        ] {
            assert_eq!(inflated(&body, compression).unwrap(), b"spans");
        }
        assert!(inflated(b"spans", Compression::Gzip).is_err());
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::best());
        let megabyte = vec![0; 1 << 20];
        for _ in 0..80 {
            gzip.write_all(&megabyte).unwrap();
        }
        let bomb = gzip.finish().unwrap();
        assert_eq!(inflated(&bomb, Compression::Gzip).unwrap().len(), BODY_BYTES_MAX + 1);
        let refused = crate::decode::decode(&bomb, crate::Form::Protobuf, Some(Compression::Gzip)).unwrap_err();
        assert!(refused.to_string().contains("at most"), "{refused}");
    }
}
