use tiegel_artifacts::proxied_path;
use tiegel_context::OpResult;
use tiegel_store::Store;

/// Where files are that registered versions and active logged models stand on.
pub(crate) struct Kept {
    /// Folders below `mlflow-artifacts:/`.
    ours: Vec<String>,
    /// Elsewhere.
    uris: Vec<String>,
}

impl Kept {
    pub async fn read(store: &Store) -> OpResult<Self> {
        let mut kept = Self { ours: Vec::new(), uris: Vec::new() };
        for place in store.model_places().await? {
            match proxied_path(&place) {
                Ok(Some(path)) => kept.ours.push(path.as_str().to_owned()),
                // What is no path is no place of ours.
                _ => kept.uris.push(place),
            }
        }
        Ok(kept)
    }

    /// Those that lie in a folder of ours, or that it lies in.
    pub fn around(&self, folder: &str) -> Vec<String> {
        let meets = |kept: &&String| is_within(kept, folder) || is_within(folder, kept);
        self.ours.iter().filter(meets).cloned().collect()
    }

    /// Whether some are in a tree elsewhere, or around it.
    pub fn touches(&self, uri: &str) -> bool {
        let uri = uri.trim_end_matches('/');
        self.uris.iter().map(|kept| kept.trim_end_matches('/')).any(|kept| is_within(kept, uri) || is_within(uri, kept))
    }

    pub fn holds(&self, path: &str) -> bool {
        self.ours.iter().any(|kept| is_within(path, kept))
    }
}

/// Whether a path is a folder or lies in it. The root holds all.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
