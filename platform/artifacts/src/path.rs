use std::fmt;

use tiegel_context::OpError;

/// Bytes of a path: both databases index it whole.
const PATH_BYTES_MAX: usize = 2_000;
/// Folders on the way to a file.
const SEGMENTS_MAX: usize = 100;
/// How often text may be percent-encoded over and over.
const ENCODINGS_MAX: usize = 10;

/// A place in a tree of files: segments parted by `/`, none of them empty, `.` or `..`. The empty path is the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactPath(String);

impl ArtifactPath {
    /// Reads what a client sent, decoding it until nothing is encoded any more, so that no spelling hides a `..`.
    /// Control characters are kept as `%0a`. A `/` at the end and segments `.` mean nothing.
    pub fn decode(text: &str) -> Result<Self, OpError> {
        let text = decode_all(text).ok_or_else(invalid)?;
        let text = text.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(&text);
        if text.is_empty() {
            return Ok(Self::default());
        }
        let segments: Vec<String> = text.split('/').filter(|s| *s != ".").map(escape_controls).collect();
        let path = segments.join("/");
        let misleads = |segment: &String| segment.is_empty() || segment == "..";
        if is_foreign(text) || is_foreign(&path) || segments.iter().any(misleads) {
            return Err(invalid());
        }
        if segments.len() > SEGMENTS_MAX || path.len() > PATH_BYTES_MAX {
            return Err(invalid());
        }
        Ok(Self(path))
    }

    /// As `decode`, for what will be made: it must be spelled the one way, and name something.
    pub fn decode_new(text: &str) -> Result<Self, OpError> {
        let path = Self::decode(text)?;
        let is_plain = decode_all(text).is_some_and(|text| text.split('/').all(|s| !s.is_empty() && s != "."));
        if is_plain { Ok(path) } else { Err(invalid()) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The last segment; of the root the empty text.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// A place inside this one.
    pub fn join(&self, inside: &ArtifactPath) -> Self {
        match (self.is_root(), inside.is_root()) {
            (true, _) => inside.clone(),
            (_, true) => self.clone(),
            _ => Self(format!("{}/{}", self.0, inside.0)),
        }
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Clients match this text, so it says no more.
fn invalid() -> OpError {
    OpError::invalid("invalid_path", "Invalid path")
}

fn decode_all(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    for _ in 0..ENCODINGS_MAX {
        let decoded = decode_once(&text)?;
        if decoded == text {
            return Some(text);
        }
        text = decoded;
    }
    None
}

/// A `%` that begins no escape is itself. None where the escapes are no text.
fn decode_once(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

/// What is no relative path, here or on another system; and what cannot be stored or listed.
fn is_foreign(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has_drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    let is_on_drive = has_drive && matches!(bytes.get(2), None | Some(b'/'));
    let is_file_url = bytes.len() >= 5 && bytes[..5].eq_ignore_ascii_case(b"file:");
    text.starts_with('/') || is_on_drive || is_file_url || text.contains(['#', '\\', '\0', '\u{10ffff}'])
}

fn escape_controls(segment: &str) -> String {
    let mut escaped = String::with_capacity(segment.len());
    for character in segment.chars() {
        if character.is_ascii_control() {
            escaped.push_str(&format!("%{:02x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
