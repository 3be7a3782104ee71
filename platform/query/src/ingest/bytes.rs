//! The bytes of a source file, unpacked while they stream.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use tiegel_engine::{SourceFile, TableError};
use tiegel_types::limits;

use crate::error::invalid;

const BUFFER_BYTES: usize = 1 << 18;

/// Opens a file, looking into a `.zip` of one member or a `.gz`, and hands its bytes to `read`.
pub(super) fn with_bytes<T>(
    file: &SourceFile,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T, TableError>,
) -> Result<T, TableError> {
    let opened = open(file)?;
    let label = file.label.to_lowercase();
    if label.ends_with(".gz") {
        let unpacked = flate2::read::MultiGzDecoder::new(BufReader::new(opened));
        return read(&mut BufReader::with_capacity(BUFFER_BYTES, Limited::new(unpacked)));
    }
    if !label.ends_with(".zip") {
        return read(&mut BufReader::with_capacity(BUFFER_BYTES, opened));
    }
    let broken = |error: zip::result::ZipError| invalid(format!("{}: cannot be unpacked: {error}", file.label));
    let mut archive = zip::ZipArchive::new(BufReader::new(opened)).map_err(broken)?;
    let mut files = Vec::new();
    for index in 0..archive.len() {
        if archive.by_index(index).map_err(broken)?.is_file() {
            files.push(index);
        }
    }
    let [member] = files.as_slice() else {
        return Err(invalid(format!("{}: holds {} files, but exactly one is expected", file.label, files.len())));
    };
    let member = archive.by_index(*member).map_err(broken)?;
    read(&mut BufReader::with_capacity(BUFFER_BYTES, Limited::new(member)))
}

pub(super) fn open(file: &SourceFile) -> Result<File, TableError> {
    File::open(&file.path).map_err(|error| invalid(format!("{}: cannot be opened: {error}", file.label)))
}

/// A reading error of a text format, which is an unpacking error or a disk's.
pub(super) fn reading(label: &str, error: &std::io::Error) -> TableError {
    invalid(format!("{label}: cannot be read: {error}"))
}

/// Ends with an error instead of unpacking without end.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R> Limited<R> {
    fn new(inner: R) -> Self {
        Self { inner, left: limits::UPLOAD_BYTES_MAX }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            std::io::Error::other(format!("it unpacks to more than {} bytes", limits::UPLOAD_BYTES_MAX))
        })?;
        Ok(read)
    }
}
