use tiegel_types::Digest;

use super::{ArtifactRow, put};
use crate::db::{Row, Tx};
use crate::{Result, Store, StoreError};

/// An upload in parts, open until it is completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    pub upload_id: String,
    /// Where the file will be.
    pub path: String,
    pub parts_max: u32,
    pub created_ms: i64,
    pub expires_ms: i64,
    /// Of the file, once it is complete.
    pub digest: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    pub upload_id: String,
    pub path: String,
    pub parts_max: u32,
    pub created_ms: i64,
    pub expires_ms: i64,
    /// How many uploads may be open at once, this one among them.
    pub open_max: u32,
}

/// A part, numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    pub number: u32,
    pub digest: Digest,
    pub bytes: u64,
}

impl Store {
    #[tracing::instrument(name = "db.uploads.create", skip_all)]
    pub async fn create_upload(&self, new: NewUpload) -> Result<()> {
        self.transact(move |tx| {
            let open = "SELECT COUNT(*) FROM artifact_uploads WHERE digest IS NULL AND expires_ms > $1";
            let open = tx.row(open, &[new.created_ms.into()], |row| row.int(0))?.unwrap_or(0);
            if open >= i64::from(new.open_max) {
                return Err(StoreError::Conflict(format!(
                    "{open} uploads in parts are open, and no more are taken: complete or abort some of them"
                )));
            }
            tx.execute(
                "INSERT INTO artifact_uploads (upload_id, path, parts_max, created_ms, expires_ms) \
                 VALUES ($1, $2, $3, $4, $5)",
                &[
                    (&new.upload_id).into(),
                    (&new.path).into(),
                    i64::from(new.parts_max).into(),
                    new.created_ms.into(),
                    new.expires_ms.into(),
                ],
            )?;
            Ok(())
        })
        .await
    }

    #[tracing::instrument(name = "db.uploads.get", level = "debug", skip_all)]
    pub async fn upload(&self, upload_id: &str) -> Result<Option<UploadRow>> {
        let id = upload_id.to_owned();
        let sql = "SELECT upload_id, path, parts_max, created_ms, expires_ms, digest FROM artifact_uploads \
                   WHERE upload_id = $1";
        self.query(move |tx| tx.row(sql, &[(&id).into()], read)).await
    }

    /// The same number again replaces the part. All parts together have at most `bytes_max` bytes.
    #[tracing::instrument(name = "db.uploads.put_part", skip_all)]
    pub async fn put_part(&self, upload_id: &str, part: PartRow, bytes_max: u64) -> Result<()> {
        let id = upload_id.to_owned();
        self.transact(move |tx| {
            must_be_open(tx, &id)?;
            let others = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM artifact_parts \
                          WHERE upload_id = $1 AND number <> $2";
            let number = i64::from(part.number);
            let others = tx.row(others, &[(&id).into(), number.into()], |row| row.int(0))?.unwrap_or(0) as u64;
            if others.saturating_add(part.bytes) > bytes_max {
                return Err(StoreError::Conflict(format!(
                    "the parts have more than {bytes_max} bytes together, the most that one file may have"
                )));
            }
            tx.execute(
                "INSERT INTO artifact_parts (upload_id, number, digest, bytes) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (upload_id, number) DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes",
                &[(&id).into(), number.into(), (&part.digest.to_string()).into(), (part.bytes as i64).into()],
            )?;
            Ok(())
        })
        .await
    }

    /// By number.
    #[tracing::instrument(name = "db.uploads.parts", level = "debug", skip_all)]
    pub async fn upload_parts(&self, upload_id: &str) -> Result<Vec<PartRow>> {
        let id = upload_id.to_owned();
        let sql = "SELECT number, digest, bytes FROM artifact_parts WHERE upload_id = $1 ORDER BY number";
        self.query(move |tx| {
            tx.rows(sql, &[(&id).into()], |row| {
                Ok(PartRow { number: row.int(0)? as u32, digest: row.parsed(1)?, bytes: row.int(2)? as u64 })
            })
        })
        .await
    }

    /// Makes the joined file the artifact; the parts are forgotten.
    #[tracing::instrument(name = "db.uploads.complete", skip_all)]
    pub async fn complete_upload(&self, upload_id: &str, row: ArtifactRow) -> Result<()> {
        let id = upload_id.to_owned();
        self.transact(move |tx| {
            must_be_open(tx, &id)?;
            put(tx, &row)?;
            let digest = row.digest.to_string();
            tx.execute(
                "UPDATE artifact_uploads SET digest = $2 WHERE upload_id = $1",
                &[(&id).into(), (&digest).into()],
            )?;
            tx.execute("DELETE FROM artifact_parts WHERE upload_id = $1", &[(&id).into()])?;
            Ok(())
        })
        .await
    }

    /// Forgets an upload and its parts.
    #[tracing::instrument(name = "db.uploads.delete", skip_all)]
    pub async fn delete_upload(&self, upload_id: &str) -> Result<()> {
        let id = upload_id.to_owned();
        self.transact(move |tx| {
            tx.execute("DELETE FROM artifact_uploads WHERE upload_id = $1", &[(&id).into()])?;
            Ok(())
        })
        .await
    }

    /// Those that have expired, oldest first.
    #[tracing::instrument(name = "db.uploads.expired", level = "debug", skip_all)]
    pub async fn expired_uploads(&self, now_ms: i64, limit: u32) -> Result<Vec<String>> {
        let sql = "SELECT upload_id FROM artifact_uploads WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2";
        self.query(move |tx| tx.rows(sql, &[now_ms.into(), i64::from(limit).into()], |row| row.text(0))).await
    }
}

fn must_be_open(tx: &mut Tx<'_>, upload_id: &str) -> Result<()> {
    let sql = "SELECT digest FROM artifact_uploads WHERE upload_id = $1";
    match tx.row(sql, &[upload_id.into()], |row| row.text_opt(0))? {
        Some(None) => Ok(()),
        Some(Some(_)) => Err(StoreError::Conflict(format!("upload {upload_id} is complete already: start a new one"))),
        None => Err(StoreError::not_found(format!("upload {upload_id}"))),
    }
}

fn read(row: Row<'_>) -> Result<UploadRow> {
    Ok(UploadRow {
        upload_id: row.text(0)?,
        path: row.text(1)?,
        parts_max: row.int(2)? as u32,
        created_ms: row.int(3)?,
        expires_ms: row.int(4)?,
        digest: if row.text_opt(5)?.is_some() { Some(row.parsed(5)?) } else { None },
    })
}
