//! Copying files from one artifact folder to another.

use futures::{StreamExt as _, TryStreamExt as _};

use crate::artifacts::{Tree, TreeFile, Trees};
use crate::http::{MlflowApi, Refused};

/// Files that are copied at once.
const AT_ONCE: usize = 8;
/// How often a file that broke off is sent.
const TRIES_MAX: u32 = 3;

/// How many files a tree has, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub files: u64,
    pub bytes: u64,
}

/// Copies a tree to `place` below the artifact folder of `to`.
pub async fn copy_tree(trees: &Trees, tree: &Tree, to: &MlflowApi, place: &str) -> anyhow::Result<Copied> {
    let files = trees.files(tree).await?;
    let copy = |file: TreeFile| async move { copy_file(trees, tree, to, (&file, place)).await };
    let sizes: Vec<u64> = futures::stream::iter(files).map(copy).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(Copied { files: sizes.len() as u64, bytes: sizes.iter().sum() })
}

/// Answers its length.
async fn copy_file(
    trees: &Trees,
    tree: &Tree,
    to: &MlflowApi,
    (file, place): (&TreeFile, &str),
) -> anyhow::Result<u64> {
    let path = format!("{}/{}", place.trim_end_matches('/'), file.path);
    let mut attempt = 1;
    loop {
        let (body, bytes) = trees.open(tree, &file.path).await?;
        let bytes = bytes.or(file.bytes);
        match to.upload(&path, body, bytes).await {
            Ok(()) => return Ok(bytes.unwrap_or_default()),
            Err(error) if attempt == TRIES_MAX || error.is::<Refused>() => {
                return Err(error.context(format!("cannot copy {path}")));
            }
            Err(error) => tracing::debug!(%error, path, "a file is sent again"),
        }
        attempt += 1;
    }
}
