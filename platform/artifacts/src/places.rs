use std::fmt::Display;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use tiegel_blobs::{BlobError, Tree};
use tiegel_context::{Ctx, OpError, OpResult};
use url::Url;

use crate::{ArtifactPath, Entry, Found, refused};

/// What a URL of our own proxy has before the path.
const PROXY_ROUTE: &str = "/api/2.0/mlflow-artifacts/artifacts";

/// Where artifacts may be, as the operator has said.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// A folder or URL where files by name are from before this server; new ones are kept as blobs.
    pub destination: Option<String>,
    /// Folders of this machine whose files may be shown: those of sources, and the default root where it is a folder.
    pub folders: Vec<PathBuf>,
    /// Schemes of the buckets that the operator has named, such as `s3`, which the server therefore has access to.
    pub schemes: Vec<String>,
    /// Credentials and settings for buckets; where there are any, buckets of every scheme are tried.
    pub options: Vec<(String, String)>,
}

/// The artifacts of this server. Cheap to clone.
#[derive(Clone)]
pub struct Artifacts(Arc<Inner>);

struct Inner {
    ctx: Ctx,
    destination: Option<Tree>,
    places: Places,
}

impl Artifacts {
    pub fn new(ctx: Ctx, places: Places) -> Result<Self, BlobError> {
        let destination = places.destination.as_ref().map(|place| Tree::open(place, &places.options)).transpose()?;
        Ok(Self(Arc::new(Inner { ctx, destination, places })))
    }

    pub fn ctx(&self) -> &Ctx {
        &self.0.ctx
    }

    /// Whether some files can be read by URLs of the store they are in.
    pub fn can_sign(&self) -> bool {
        self.ctx().blobs.can_sign() || self.destination().is_some_and(Tree::can_sign)
    }

    pub(crate) fn destination(&self) -> Option<&Tree> {
        self.0.destination.as_ref()
    }

    /// The tree that an artifact URI names, such as a run's.
    pub fn at(&self, uri: &str) -> OpResult<Root> {
        if let Some(path) = proxied_path(uri)? {
            return Ok(Root::Ours(self.clone(), path));
        }
        if let Some(folder) = folder_of(uri) {
            return Ok(Root::Theirs(self.folder_tree(uri, &folder)?));
        }
        // A blob store may be a relative folder; what a client says may not.
        let Some((scheme, _)) = uri.split_once("://") else {
            return Err(unreadable(uri, "it is neither a URL nor the whole path of a folder"));
        };
        // Without credentials a store would be asked, for minutes, from whatever the machine has.
        let Places { schemes, options, .. } = &self.0.places;
        if options.is_empty() && !schemes.iter().any(|known| known == scheme) {
            return Err(unreadable(uri, "blob_options in its config has no credentials for it"));
        }
        Ok(Root::Theirs(Tree::open(uri, &self.0.places.options).map_err(|error| unreadable(uri, error))?))
    }

    fn folder_tree(&self, uri: &str, folder: &Path) -> OpResult<Tree> {
        let plain = folder.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        let inside =
            self.0.places.folders.iter().find_map(|allowed| Some((allowed, folder.strip_prefix(allowed).ok()?)));
        match (plain, inside) {
            (true, Some((allowed, inside))) => {
                let tree = Tree::open(&allowed.to_string_lossy(), &self.0.places.options);
                Ok(tree.map_err(|error| unreadable(uri, error))?.below(&inside.to_string_lossy()))
            }
            _ => Err(OpError::invalid(
                "artifact_folder",
                format!(
                    "the server may not read '{uri}': its folder is neither default_artifact_root nor among \
                     source_roots in the server's config; add it there, or read the files where they are"
                ),
            )),
        }
    }
}

/// A tree of artifacts, which clients write through us or by themselves.
#[derive(Clone)]
pub enum Root {
    /// In our store, at a path below `mlflow-artifacts:/`.
    Ours(Artifacts, ArtifactPath),
    /// Elsewhere: we only read.
    Theirs(Tree),
}

impl Root {
    /// What lies directly in a folder of the tree, by name.
    pub async fn list(&self, folder: &ArtifactPath) -> OpResult<Vec<Entry>> {
        match self {
            Self::Ours(artifacts, root) => artifacts.list(&root.join(folder)).await,
            Self::Theirs(tree) => {
                let entries = tree.list(folder.as_str()).await.map_err(refused)?;
                Ok(entries.into_iter().map(Entry::from).collect())
            }
        }
    }

    pub fn can_sign(&self) -> bool {
        match self {
            Self::Ours(artifacts, _) => artifacts.can_sign(),
            Self::Theirs(tree) => tree.can_sign(),
        }
    }

    /// A file of the tree; the error says whether there is a folder of that name.
    pub async fn find(&self, path: &ArtifactPath) -> OpResult<Found> {
        match self {
            Self::Ours(artifacts, root) => artifacts.find(&root.join(path)).await,
            Self::Theirs(tree) => Found::plain(tree, path).await,
        }
    }
}

/// The path below `mlflow-artifacts:/` of an artifact URI; none where clients go to the place themselves.
pub fn proxied_path(uri: &str) -> OpResult<Option<ArtifactPath>> {
    let Some((scheme, rest)) = uri.split_once(':') else { return Ok(None) };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    // With or without a host, which is ours.
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => rest,
    };
    let path = match scheme.to_ascii_lowercase().as_str() {
        "mlflow-artifacts" => path,
        "http" | "https" => match path.split_once(PROXY_ROUTE) {
            Some((_, path)) => path,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    // Slashes that a client doubled are one when it resolves the URI.
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    ArtifactPath::decode(&segments.join("/")).map(Some)
}

/// The folder of this machine that a URI is.
fn folder_of(uri: &str) -> Option<PathBuf> {
    if uri.starts_with('/') {
        return Some(PathBuf::from(uri));
    }
    let url = Url::parse(uri).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}

fn unreadable(uri: &str, why: impl Display) -> OpError {
    OpError::invalid("artifact_root", format!("the server cannot read '{uri}': {why}"))
}
