use std::path::Path;
use std::sync::Arc;

use tiegel_engine::{State, Written};
use tiegel_types::{FileRef, StateRef, Table, limits};

use crate::{Context, OpError, OpResult};

impl Context {
    /// Moves a table's scratch files into the blob store.
    pub async fn store_table(&self, written: Written) -> OpResult<Table> {
        let mut files = Vec::with_capacity(written.files.len());
        for file in written.files {
            self.blobs.put_file(&file.path, Some(file.digest)).await?;
            files.push(FileRef { digest: file.digest, bytes: file.bytes, rows: file.rows });
        }
        Ok(Table { schema: written.schema, files, rows: written.rows })
    }

    pub async fn store_state(&self, bytes: Vec<u8>, version: u32) -> OpResult<StateRef> {
        if bytes.len() > limits::STATE_BYTES_MAX {
            let message = format!(
                "the fitted state has {} bytes; at most {} are kept. Lower what the plugin remembers, such as its number of categories",
                bytes.len(),
                limits::STATE_BYTES_MAX
            );
            return Err(OpError::Limit(message));
        }
        let size = bytes.len() as u64;
        let digest = self.blobs.put_bytes(bytes.into()).await?;
        Ok(StateRef { digest, version, bytes: size })
    }

    pub async fn load_state(&self, reference: &StateRef) -> OpResult<State> {
        let bytes = self.blobs.get(&reference.digest).await?;
        Ok(State { reference: reference.clone(), bytes: Arc::from(bytes.as_ref()) })
    }

    /// Whether every file of a table is still in the blob store.
    pub async fn has_table(&self, table: &Table) -> OpResult<bool> {
        for file in &table.files {
            if !self.blobs.exists(&file.digest).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A folder for one operation's scratch files, removed when dropped.
    pub fn scratch(&self) -> OpResult<Scratch> {
        Ok(Scratch(self.blobs.scratch_dir()?))
    }
}

pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}
