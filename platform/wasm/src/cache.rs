use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::Digest as _;
use tempfile::NamedTempFile;
use tiegel_types::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::mac::hmac_sha256;
use crate::package::Package;

const KEY_FILE: &str = "key";

/// Compiled code on disk: `<digest>-<engine>.cwasm`; beside it `.package`, what the component carries besides code; and
/// `.mac`, without whose match to both neither is used.
///
/// The key never leaves the folder; it shows that this server wrote a file, against corruption and against whoever can
/// write files here but cannot read the key.
pub struct Cache {
    dir: PathBuf,
    key: [u8; 32],
    /// Stands for wasmtime's version and settings: code compiled under others is another file.
    engine: String,
}

impl Cache {
    pub fn open(dir: &Path, engine: &Engine) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self { dir: dir.to_owned(), key: key(dir)?, engine: compatibility(engine) })
    }

    /// The compiled code of a component, mapped into memory; none where there is none that can be trusted.
    ///
    /// # Errors
    /// When the code is this server's own, but asks for more than the engine gives any component.
    pub fn load(&self, engine: &Engine, digest: &Digest) -> wasmtime::Result<Option<(Component, Package)>> {
        let Some((code, package)) = self.find(digest) else { return Ok(None) };
        #[expect(unsafe_code, reason = "machine code is mapped from a file")]
        // SAFETY: the file holds what this server's own key vouches for, and it is replaced by renaming, never edited.
        let component = unsafe { Component::deserialize_file(engine, code) };
        Ok(Some((component?, package)))
    }

    /// Where trusted code lies, and what goes with it.
    fn find(&self, digest: &Digest) -> Option<(PathBuf, Package)> {
        let files = self.files(digest);
        let expected = fs::read(&files.mac).ok()?;
        let compiled = fs::read(&files.code).ok()?;
        let package = fs::read(&files.package).ok()?;
        if expected != self.mac(digest, &compiled, &package) {
            tracing::warn!(path = %files.code.display(), "compiled plugin code was changed on disk and is compiled anew");
            return None;
        }
        let package = Package::read(&package);
        let package = package.inspect_err(|error| tracing::warn!(%error, "a stored manifest does not load"));
        Some((files.code, package.ok()?))
    }

    /// Keeps compiled code. A reader sees all of it or nothing.
    pub fn store(&self, digest: &Digest, compiled: &[u8], package: &Package) -> io::Result<()> {
        let files = self.files(digest);
        let package = package.alone();
        self.replace(&files.code, compiled)?;
        self.replace(&files.package, &package)?;
        self.replace(&files.mac, &self.mac(digest, compiled, &package))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(&self.dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    fn files(&self, digest: &Digest) -> Files {
        let stem = format!("{}-{}", digest.hex(), self.engine);
        let file = |extension| self.dir.join(format!("{stem}.{extension}"));
        Files { code: file("cwasm"), package: file("package"), mac: file("mac") }
    }

    fn mac(&self, digest: &Digest, compiled: &[u8], package: &[u8]) -> [u8; 32] {
        // The names are inside, so that one component's code cannot be passed off as another's; the length says where
        // one file ends and the other begins.
        let package_len = (package.len() as u64).to_le_bytes();
        let parts: [&[u8]; 5] = [digest.as_bytes(), self.engine.as_bytes(), &package_len, package, compiled];
        hmac_sha256(&self.key, &parts)
    }
}

struct Files {
    code: PathBuf,
    package: PathBuf,
    mac: PathBuf,
}

/// The folder's key, drawn on first use. A temporary file is readable by its owner only, and stays so when renamed.
fn key(dir: &Path) -> io::Result<[u8; 32]> {
    let path = dir.join(KEY_FILE);
    if !path.exists() {
        let mut key = [0; 32];
        OsRng.try_fill_bytes(&mut key).map_err(io::Error::other)?;
        let mut file = NamedTempFile::new_in(dir)?;
        file.write_all(&key)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => return Err(error.error),
            // Another process was first: its key is the key.
            _ => {}
        }
    }
    let mut key = [0; 32];
    File::open(&path)?.read_exact(&mut key)?;
    Ok(key)
}

fn compatibility(engine: &Engine) -> String {
    struct Sha256(sha2::Sha256);
    impl Hasher for Sha256 {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Sha256(sha2::Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hex::encode(&hasher.0.finalize()[..8])
}
