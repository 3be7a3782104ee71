//! The parts of an upload, kept apart from the blobs until they are joined to one.

use std::fmt::Display;
use std::io::Write as _;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use tiegel_types::{Digest, Hasher};

use crate::intake::{Intake, joined};
use crate::read::{Check, checked, stream_file};
use crate::write::blocking;
use crate::{BlobError, Blobs, ByteStream, Result};

impl Blobs {
    /// Stores a part and answers its digest and size in bytes; the same number again replaces it. `upload` is a name of
    /// letters and digits.
    #[tracing::instrument(name = "blobs.put_part", level = "debug", skip_all, fields(upload, number))]
    pub async fn put_part<S, E>(&self, (upload, number): (&str, u32), body: S, bytes_max: u64) -> Result<(Digest, u64)>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Display,
    {
        check_name(upload)?;
        let body = std::pin::pin!(body);
        let mut intake = Intake::new(body, bytes_max);
        let first = intake.batch().await?;
        let (file, digest) = if intake.has_ended {
            let (blobs, bytes) = (self.clone(), joined(first));
            blocking(move || {
                let mut file = blobs.temp_file()?;
                file.write_all(&bytes).map_err(BlobError::io(file.path()))?;
                Ok((file, Digest::of(&bytes)))
            })
            .await?
        } else {
            self.receive(first, &mut intake).await?
        };
        if self.folder().is_none() {
            self.send(file.path(), &part_path(upload, number), intake.bytes).await?;
            return Ok((digest, intake.bytes));
        }
        let (blobs, upload) = (self.clone(), upload.to_owned());
        blocking(move || blobs.folder().map_or(Ok(()), |folder| folder.place_part(file, &upload, number))).await?;
        Ok((digest, intake.bytes))
    }

    /// Makes one blob of parts, in the order given, each checked against its digest; answers the blob's digest and size.
    #[tracing::instrument(name = "blobs.join_parts", level = "debug", skip_all, fields(upload))]
    pub async fn join_parts(&self, upload: &str, parts: Vec<(u32, Digest)>, bytes_max: u64) -> Result<(Digest, u64)> {
        check_name(upload)?;
        let (blobs, upload) = (self.clone(), upload.to_owned());
        let part = move |(number, digest)| {
            let (blobs, upload) = (blobs.clone(), upload.clone());
            async move { blobs.open_part((&upload, number), digest).await }
        };
        let body: ByteStream = stream::iter(parts).then(part).try_flatten().boxed();
        self.put_stream(body, None, bytes_max).await.map_err(|error| match error {
            // The sender is ourselves.
            BlobError::Body(why) => BlobError::Invalid(format!("the parts cannot be joined: {why}")),
            other => other,
        })
    }

    /// Removes all parts of an upload.
    pub async fn drop_parts(&self, upload: &str) -> Result<()> {
        check_name(upload)?;
        let Some(folder) = self.folder().map(|folder| folder.parts(upload)) else {
            let parts = self.objects().list(Some(&Path::from_iter(["parts", upload]))).map_ok(|meta| meta.location);
            let removed = self.objects().delete_stream(parts.boxed());
            removed.try_for_each(|_| async { Ok(()) }).await?;
            return Ok(());
        };
        blocking(move || match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BlobError::io(&folder)(error)),
            _ => Ok(()),
        })
        .await
    }

    async fn open_part(&self, (upload, number): (&str, u32), digest: Digest) -> Result<ByteStream> {
        let check = Check { hasher: Hasher::default(), digest };
        match self.folder() {
            Some(folder) => stream_file(folder.parts(upload).join(number.to_string()), None, Some(check)).await,
            None => {
                let object = self.objects().get(&part_path(upload, number)).await?;
                Ok(checked(object.meta.size, object.into_stream(), check))
            }
        }
    }
}

fn part_path(upload: &str, number: u32) -> Path {
    Path::from_iter(["parts".to_owned(), upload.to_owned(), number.to_string()])
}

/// An upload's name is part of a path.
fn check_name(upload: &str) -> Result<()> {
    let plain = !upload.is_empty() && upload.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { Ok(()) } else { Err(BlobError::Invalid(format!("'{upload}' is not the name of an upload"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8]) -> impl Stream<Item = std::result::Result<Bytes, String>> + Send + use<> {
        stream::iter([Ok(Bytes::copy_from_slice(bytes))])
    }

    fn stores() -> (tempfile::TempDir, [Blobs; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let local = Blobs::open(folder.path().to_str().unwrap(), vec![]).unwrap();
        (folder, [local, Blobs::open("memory:///tenant", vec![]).unwrap()])
    }

    #[tokio::test]
    async fn parts_are_joined_in_the_order_given() {
        let (_folder, stores) = stores();
        for blobs in stores {
            let large = vec![7; 3 << 20];
            blobs.put_part(("u1", 2), body(b"old"), 1 << 30).await.unwrap();
            let (two, bytes) = blobs.put_part(("u1", 2), body(&large), 1 << 30).await.unwrap();
            assert_eq!((two, bytes), (Digest::of(&large), 3 << 20));
            let (one, _) = blobs.put_part(("u1", 1), body(b"head"), 1 << 30).await.unwrap();
            let (digest, bytes) = blobs.join_parts("u1", vec![(1, one), (2, two)], 1 << 30).await.unwrap();
            let whole = [b"head".as_slice(), &large].concat();
            assert_eq!((digest, bytes), (Digest::of(&whole), whole.len() as u64));
            assert_eq!(blobs.get(&digest).await.unwrap(), whole);
            blobs.drop_parts("u1").await.unwrap();
            blobs.drop_parts("u1").await.unwrap();
            assert!(blobs.join_parts("u1", vec![(1, one)], 1 << 30).await.is_err());
            assert_eq!(blobs.get(&digest).await.unwrap(), whole);
        }
    }

    #[tokio::test]
    async fn a_part_that_is_not_what_was_sent_is_not_joined() {
        let (_folder, stores) = stores();
        for blobs in stores {
            blobs.put_part(("u1", 1), body(b"head"), 9).await.unwrap();
            let other = blobs.join_parts("u1", vec![(1, Digest::of(b"tail"))], 9).await.unwrap_err();
            assert!(matches!(&other, BlobError::Invalid(why) if why.contains("damaged")), "{other}");
            let large = blobs.put_part(("u1", 1), body(b"ten  bytes"), 9).await.unwrap_err();
            assert!(matches!(large, BlobError::TooLarge { bytes_max: 9 }));
            for name in ["", "..", "a/b", "a.b"] {
                assert!(blobs.put_part((name, 1), body(b"x"), 9).await.is_err(), "{name}");
                assert!(blobs.drop_parts(name).await.is_err(), "{name}");
            }
        }
    }
}
