//! Folders of artifacts, wherever a source keeps them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use reqwest::Body;
use serde_json::Value;

use crate::fields::Fields;
use crate::http::{MlflowApi, Refused, artifact_path};

/// Artifacts that go through the tracking server.
const PROXY_SCHEME: &str = "mlflow-artifacts:";

/// What reaches a source's artifacts.
#[derive(Clone, Debug)]
pub struct Trees {
    api: Option<MlflowApi>,
    /// What the server was started with as `--artifacts-destination`, where it is a folder of this machine.
    root: Option<PathBuf>,
}

/// A folder of artifacts.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Below the server's artifact folder.
    Proxied(String),
    Folder(PathBuf),
    /// What the server reads for clients, by run.
    Run(String),
}

/// A file of a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreeFile {
    pub path: String,
    pub bytes: Option<u64>,
}

impl Trees {
    pub fn new(api: Option<MlflowApi>, root: Option<PathBuf>) -> Self {
        Self { api, root }
    }

    /// Where the files of a URI are read; none where they stay where they are, such as in an object store.
    pub fn find(&self, uri: &str, run: Option<&str>) -> anyhow::Result<Option<Tree>> {
        if let Some(place) = proxied_place(uri) {
            return match (&self.root, &self.api) {
                (Some(root), _) => Ok(Some(Tree::Folder(below(root, &place)?))),
                (None, Some(_)) => Ok(Some(Tree::Proxied(place))),
                (None, None) => Err(anyhow::anyhow!(
                    "{uri} is below the server's artifact folder: name that folder with --artifact-root, or the server \
                     itself with --from http://…"
                )),
            };
        }
        let Some(folder) = local_folder(uri) else { return Ok(None) };
        if folder.is_dir() {
            return Ok(Some(Tree::Folder(folder)));
        }
        match (&self.api, run) {
            // A folder of the server's machine.
            (Some(_), Some(run)) => Ok(Some(Tree::Run(run.to_owned()))),
            // Nothing was ever logged there.
            _ => Ok(Some(Tree::Folder(folder))),
        }
    }

    /// By path.
    pub async fn files(&self, tree: &Tree) -> anyhow::Result<Vec<TreeFile>> {
        let mut files = match tree {
            Tree::Folder(folder) => folder_files(folder.clone()).await?,
            Tree::Proxied(_) | Tree::Run(_) => self.remote_files(tree).await?,
        };
        files.sort();
        Ok(files)
    }

    async fn remote_files(&self, tree: &Tree) -> anyhow::Result<Vec<TreeFile>> {
        let (mut files, mut folders) = (Vec::new(), vec![String::new()]);
        while let Some(folder) = folders.pop() {
            for entry in self.list(tree, &folder).await? {
                let name = entry.text("path");
                // The proxy answers names, the other route whole paths.
                let name = name.rsplit('/').next().unwrap_or_default();
                let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                match entry["is_dir"].as_bool() {
                    Some(true) => folders.push(path),
                    _ => {
                        files.push(TreeFile { path, bytes: entry.int("file_size").and_then(|b| u64::try_from(b).ok()) })
                    }
                }
            }
        }
        Ok(files)
    }

    async fn list(&self, tree: &Tree, folder: &str) -> anyhow::Result<Vec<Value>> {
        let answer = match tree {
            Tree::Proxied(place) => {
                let place = if folder.is_empty() { place.clone() } else { format!("{place}/{folder}") };
                self.api()?.get("api/2.0/mlflow-artifacts/artifacts", &[("path", &place)]).await
            }
            Tree::Run(run) => {
                let query = [("run_id", run.as_str()), ("path", folder)];
                let query = if folder.is_empty() { &query[..1] } else { &query[..] };
                self.api()?.get("api/2.0/mlflow/artifacts/list", query).await
            }
            Tree::Folder(_) => return Ok(Vec::new()),
        };
        match answer {
            // A folder that nothing was ever written to.
            Err(error) if Refused::is_missing(&error) => Ok(Vec::new()),
            answer => Ok(answer?.list("files").to_vec()),
        }
    }

    /// The content of a file, with its length where it is known.
    pub async fn open(&self, tree: &Tree, path: &str) -> anyhow::Result<(Body, Option<u64>)> {
        let response = match tree {
            Tree::Folder(folder) => {
                let file = folder.join(path);
                let opened = tokio::fs::File::open(&file).await;
                let opened = opened.with_context(|| format!("cannot read {}", file.display()))?;
                let bytes = opened.metadata().await?.len();
                return Ok((opened.into(), Some(bytes)));
            }
            Tree::Proxied(place) => self.api()?.download(&artifact_path(&format!("{place}/{path}")), &[]).await?,
            Tree::Run(run) => {
                let query = [("run_uuid", run.as_str()), ("run_id", run.as_str()), ("path", path)];
                self.api()?.download("get-artifact", &query).await?
            }
        };
        let bytes = response.content_length();
        Ok((Body::wrap_stream(response.bytes_stream()), bytes))
    }

    fn api(&self) -> anyhow::Result<&MlflowApi> {
        self.api.as_ref().context("the source is no server")
    }
}

/// The path below the server's artifact folder, of `mlflow-artifacts:/a` and `mlflow-artifacts://host/a`.
pub fn proxied_place(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix(PROXY_SCHEME)?;
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.split_once('/').map_or("", |(_host, path)| path),
        None => rest,
    };
    Some(path.trim_matches('/').to_owned())
}

/// The folder of a path or of a `file:` URI.
pub fn local_folder(uri: &str) -> Option<PathBuf> {
    if let Some(rest) = uri.strip_prefix("file:") {
        let url = url::Url::parse(uri).ok().filter(|_| rest.starts_with("//"));
        return match url {
            Some(url) => url.to_file_path().ok(),
            None => Some(PathBuf::from(rest)),
        };
    }
    (!uri.is_empty() && !uri.contains(':')).then(|| PathBuf::from(uri))
}

fn below(root: &Path, place: &str) -> anyhow::Result<PathBuf> {
    let leaves = place.split('/').any(|part| part == "..");
    anyhow::ensure!(!leaves, "'{place}' leaves the artifact folder");
    Ok(root.join(place))
}

async fn folder_files(root: PathBuf) -> anyhow::Result<Vec<TreeFile>> {
    let list = move || {
        let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder == root => break,
                entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
            };
            for entry in entries {
                let path = entry?.path();
                let metadata = std::fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
                if metadata.is_dir() {
                    folders.push(path);
                    continue;
                }
                let relative = path.strip_prefix(&root).context("a folder lists what lies in it")?;
                let name = relative.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
                files.push(TreeFile { path: name.to_owned(), bytes: Some(metadata.len()) });
            }
        }
        Ok(files)
    };
    tokio::task::spawn_blocking(list).await?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Access;

    #[test]
    fn a_uri_says_where_its_files_are() {
        assert_eq!(proxied_place("mlflow-artifacts:/1/r/artifacts").as_deref(), Some("1/r/artifacts"));
        assert_eq!(proxied_place("mlflow-artifacts://host:5000/1/r").as_deref(), Some("1/r"));
        assert_eq!(proxied_place("s3://bucket/1"), None);
        for uri in ["/mlruns/1", "file:///mlruns/1", "file:/mlruns/1"] {
            assert_eq!(local_folder(uri), Some(PathBuf::from("/mlruns/1")), "{uri}");
        }
        assert_eq!(local_folder("file:///a%20b"), Some(PathBuf::from("/a b")));
        assert_eq!(local_folder("s3://bucket/1"), None);
    }

    #[test]
    fn without_a_server_or_a_folder_proxied_files_cannot_be_found() {
        let nothing = Trees::new(None, None);
        assert!(nothing.find("mlflow-artifacts:/1", None).unwrap_err().to_string().contains("--artifact-root"));
        assert_eq!(nothing.find("s3://bucket/1", None).unwrap(), None);
        let folder = Trees::new(None, Some(PathBuf::from("/artifacts")));
        assert_eq!(folder.find("mlflow-artifacts:/1/r", None).unwrap(), Some(Tree::Folder("/artifacts/1/r".into())));
        assert!(folder.find("mlflow-artifacts:/1/../..", None).is_err());
        let access = Access { url: "http://host".to_owned(), token: None, workspace: None };
        let server = Trees::new(Some(MlflowApi::new(access).unwrap()), None);
        assert_eq!(server.find("/not/here", Some("r")).unwrap(), Some(Tree::Run("r".to_owned())));
        assert_eq!(server.find("mlflow-artifacts:/1/r", None).unwrap(), Some(Tree::Proxied("1/r".to_owned())));
    }

    #[tokio::test]
    async fn a_folder_lists_all_its_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/c.txt"), "12345").unwrap();
        std::fs::write(folder.path().join("d"), "").unwrap();
        let trees = Trees::new(None, None);
        let files = trees.files(&Tree::Folder(folder.path().to_owned())).await.unwrap();
        let shown: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.bytes)).collect();
        assert_eq!(shown, [("a/b/c.txt", Some(5)), ("d", Some(0))]);
        assert_eq!(trees.files(&Tree::Folder(folder.path().join("none"))).await.unwrap(), []);
    }
}
