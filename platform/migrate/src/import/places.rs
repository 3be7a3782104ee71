use std::collections::{BTreeMap, BTreeSet};

use crate::artifacts::{local_folder, proxied_place};

const PROXY_ROOT: &str = "mlflow-artifacts:/";

/// Where files go: what lay in folders of a machine comes below the server's artifact folder, what clients reach
/// themselves, such as an object store, stays.
#[derive(Debug, Default)]
pub struct Places {
    /// New URIs by old ones, where they differ.
    renamed: BTreeMap<String, String>,
    /// Folders below the artifact folder that files were copied to.
    known: BTreeSet<String>,
}

impl Places {
    /// Empty where the server is to choose.
    pub fn of_experiment(&self, location: &str, copies: bool) -> String {
        if copies && local_folder(location).is_some() { String::new() } else { location.to_owned() }
    }

    /// The new URI of a tree, for which `place` is free.
    pub fn of_tree(&mut self, uri: &str, place: &str) -> String {
        if proxied_place(uri).is_some() || (local_folder(uri).is_none() && !uri.is_empty()) {
            return uri.to_owned();
        }
        let new = format!("{PROXY_ROOT}{place}");
        self.set(uri, &new);
        new
    }

    pub fn set(&mut self, old: &str, new: &str) {
        if old != new && !old.is_empty() {
            self.renamed.insert(old.to_owned(), new.to_owned());
        }
    }

    /// What a URI inside a moved tree is now.
    pub fn moved(&self, uri: &str) -> String {
        let mut end = uri.len();
        loop {
            if let Some(new) = self.renamed.get(&uri[..end]) {
                return format!("{new}{}", &uri[end..]);
            }
            match uri[..end].rfind('/') {
                Some(slash) => end = slash,
                None => return uri.to_owned(),
            }
        }
    }

    /// Where a tree's files go, below the artifact folder.
    pub fn place_of(&self, uri: &str) -> Option<String> {
        proxied_place(&self.moved(uri))
    }

    pub fn know(&mut self, place: &str) {
        self.known.insert(place.to_owned());
    }

    /// Whether the files of a URI were copied with a tree that holds them.
    pub fn holds(&self, uri: &str) -> bool {
        let Some(place) = self.place_of(uri) else { return false };
        let mut end = place.len();
        loop {
            if self.known.contains(&place[..end]) {
                return true;
            }
            match place[..end].rfind('/') {
                Some(slash) => end = slash,
                None => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_files_get_a_place_and_others_keep_theirs() {
        let mut places = Places::default();
        assert_eq!(places.of_tree("/mlruns/1/r/artifacts", "7/r/artifacts"), "mlflow-artifacts:/7/r/artifacts");
        assert_eq!(
            places.of_tree("mlflow-artifacts:/1/s/artifacts", "7/s/artifacts"),
            "mlflow-artifacts:/1/s/artifacts"
        );
        assert_eq!(places.of_tree("s3://bucket/1", "7/t/artifacts"), "s3://bucket/1");
        assert_eq!(places.moved("/mlruns/1/r/artifacts/model"), "mlflow-artifacts:/7/r/artifacts/model");
        assert_eq!(places.moved("/mlruns/1/rest"), "/mlruns/1/rest");
        assert_eq!(places.place_of("/mlruns/1/r/artifacts").as_deref(), Some("7/r/artifacts"));
        assert_eq!(places.place_of("s3://bucket/1"), None);
    }

    #[test]
    fn files_inside_a_copied_tree_are_not_copied_again() {
        let mut places = Places::default();
        places.know("1/r/artifacts");
        assert!(places.holds("mlflow-artifacts:/1/r/artifacts/model"));
        assert!(!places.holds("mlflow-artifacts:/1/r2/artifacts"));
        assert!(!places.holds("models:/m-1"));
    }
}
