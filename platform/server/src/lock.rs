use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};
use uuid::Uuid;

/// Keeps a second server off the same data folder, for as long as it lives.
pub struct DataLock(#[expect(dead_code, reason = "the lock goes when the file is closed")] File);

/// Makes the data folder and takes it.
pub fn take(data_dir: &Path) -> anyhow::Result<DataLock> {
    std::fs::create_dir_all(data_dir).with_context(|| format!("cannot make the data folder {}", data_dir.display()))?;
    let path = data_dir.join("lock");
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot write to the data folder {}", data_dir.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(DataLock(file)),
        Err(TryLockError::WouldBlock) => {
            bail!("another tiegel server uses {}; stop it, or choose another --data-dir", data_dir.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// The node's name under which it leases jobs: the same after a restart.
pub fn node(data_dir: &Path, new: Uuid) -> anyhow::Result<String> {
    let path = data_dir.join("node");
    match std::fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        _ => {
            let name = format!("node-{}", new.simple());
            std::fs::write(&path, &name).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(name)
        }
    }
}
