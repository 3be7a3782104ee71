//! A small binary format for states and partials: a version byte, then little-endian numbers and length-prefixed bytes.
//!
//! The same value always gives the same bytes, which content addressing needs and which hash maps and JSON numbers
//! do not promise.

use crate::{PluginError, Result};

/// Writes a state or a partial.
#[derive(Clone, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// `version` is raised when the meaning of the bytes changes.
    pub fn new(version: u8) -> Self {
        Self { bytes: vec![version] }
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    pub fn f64(&mut self, value: f64) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// # Panics
    /// When there are more than 4 GiB, which no guest's memory holds.
    pub fn bytes(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).expect("a guest's memory is under 4 GiB"));
        self.bytes.extend(value);
    }

    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what `Writer` wrote; every error says that the state is not this plugin's.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// # Errors
    /// When the bytes start with another version.
    pub fn new(bytes: &'a [u8], version: u8) -> Result<Self> {
        match bytes.split_first() {
            Some((found, rest)) if *found == version => Ok(Self { rest }),
            Some((found, _)) => {
                Err(PluginError::bad_state(format!("the state has version {found}; version {version} is needed")))
            }
            None => Err(PluginError::bad_state("the state is empty")),
        }
    }

    pub fn u8(&mut self) -> Result<u8> {
        self.take().map(u8::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub fn f64(&mut self) -> Result<f64> {
        self.take().map(f64::from_le_bytes)
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.u32()? as usize;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// # Errors
    /// When bytes are left over.
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(PluginError::bad_state(format!("the state has {} bytes too many", self.rest.len())))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

fn ends_early() -> PluginError {
    PluginError::bad_state("the state ends early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_every_cut_is_an_error() {
        let mut writer = Writer::new(3);
        writer.u64(7);
        writer.f64(-0.5);
        writer.bytes(b"abc");
        let bytes = writer.finish();
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes, 3)?;
            let values = (reader.u64()?, reader.f64()?, reader.bytes()?.to_vec());
            reader.finish()?;
            Ok::<_, PluginError>(values)
        };
        assert_eq!(read(&bytes).unwrap(), (7, -0.5, b"abc".to_vec()));
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "{cut}");
        }
        assert_eq!(Reader::new(&bytes, 4).unwrap_err().message, "the state has version 3; version 4 is needed");
    }
}
