//! Where bytes are: blobs, and the artifacts that clients write by themselves.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tiegel_artifacts::Places;
use tiegel_blobs::Tree;
use tiegel_config::Config;
use url::Url;

/// In the data folder: where the blobs are, if not beside it.
const RECORD: &str = "blobs_at";

/// The place of the blobs. It is an error if that is another one than the blobs are in, because all of them would seem
/// to be lost.
pub fn blobs(config: &Config, data_dir: &Path) -> anyhow::Result<String> {
    let own = data_dir.join("blobs").display().to_string();
    let place = match (&config.blobs_url, &config.artifacts_destination) {
        (Some(url), _) => url.clone(),
        (None, Some(destination)) => inside(destination)?,
        (None, None) => own.clone(),
    };
    let record = data_dir.join(RECORD);
    let before = match std::fs::read_to_string(&record) {
        Ok(recorded) => Some(recorded.trim().to_owned()),
        Err(_) if Path::new(&own).exists() => Some(own),
        Err(_) => None,
    };
    match before {
        Some(before) if before != place => bail!(
            "the blobs of this server are at {before}, and the configuration says {place}: set blobs_url to {before}, or \
             move them to the new place and write that into {}",
            record.display()
        ),
        _ => Ok(place),
    }
}

/// Records a place outside the data folder, for the next start.
pub fn remember_blobs(data_dir: &Path, place: &str) -> anyhow::Result<()> {
    if is_own(data_dir, place) {
        return Ok(());
    }
    let record = data_dir.join(RECORD);
    std::fs::write(&record, place).with_context(|| format!("cannot write {}", record.display()))
}

/// Whether the blobs are in the data folder, where no other server writes.
pub fn is_own(data_dir: &Path, place: &str) -> bool {
    Path::new(place) == data_dir.join("blobs")
}

pub fn options(config: &Config) -> Vec<(String, String)> {
    config.blob_options.iter().map(|(key, value)| (key.clone(), value.expose().to_owned())).collect()
}

/// Where artifacts may be read.
pub fn artifacts(config: &Config) -> anyhow::Result<Places> {
    let mut folders = config.source_roots.clone();
    folders.extend(folder(&default_artifact_root(config)?));
    let destination = config.artifacts_destination.as_deref().map(absolute).transpose()?;
    let named = [Some(&config.default_artifact_root), config.artifacts_destination.as_ref(), config.blobs_url.as_ref()];
    let schemes = named.into_iter().flatten().filter_map(|place| Some(place.split_once("://")?.0.to_owned())).collect();
    Ok(Places { destination, folders, schemes, options: options(config) })
}

/// As clients are told it: a URI, or the whole path of a folder.
pub fn default_artifact_root(config: &Config) -> anyhow::Result<String> {
    absolute(&config.default_artifact_root)
}

fn inside(destination: &str) -> anyhow::Result<String> {
    let place = absolute(destination)?;
    Ok(format!("{}/{}", place.trim_end_matches('/'), Tree::BLOBS))
}

/// A URI as it is; a folder by its whole path, whatever the current folder will be.
fn absolute(place: &str) -> anyhow::Result<String> {
    if Url::parse(place).is_ok() {
        return Ok(place.to_owned());
    }
    let path = std::path::absolute(place).with_context(|| format!("'{place}' is not a folder"))?;
    Ok(path.to_string_lossy().trim_end_matches('/').to_owned())
}

/// The folder of this machine that a root is.
fn folder(root: &str) -> Option<PathBuf> {
    match Url::parse(root) {
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
        Ok(_) => None,
        Err(_) => Some(PathBuf::from(root)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_destination(destination: &str) -> Config {
        Config { artifacts_destination: Some(destination.to_owned()), ..Config::default() }
    }

    #[test]
    fn blobs_lie_at_the_destination_unless_they_have_a_place() {
        let data = tempfile::tempdir().unwrap();
        let place = |config: &Config| blobs(config, data.path()).unwrap();
        assert_eq!(place(&Config::default()), data.path().join("blobs").display().to_string());
        assert_eq!(place(&with_destination("s3://bucket/ml/")), "s3://bucket/ml/.tiegel");
        assert_eq!(place(&with_destination("file:///var/ml")), "file:///var/ml/.tiegel");
        assert_eq!(place(&with_destination("/var/ml/")), "/var/ml/.tiegel");
        assert!(place(&with_destination("./ml")).starts_with('/'));
        let config = Config { blobs_url: Some("s3://blobs".to_owned()), ..with_destination("/var/ml") };
        assert_eq!(place(&config), "s3://blobs");
    }

    #[test]
    fn a_place_that_would_lose_the_blobs_is_refused() {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("blobs")).unwrap();
        assert!(blobs(&Config::default(), data.path()).is_ok());
        let moved = blobs(&with_destination("/var/ml"), data.path()).unwrap_err().to_string();
        assert!(moved.contains("set blobs_url to") && moved.contains("/var/ml/.tiegel"), "{moved}");

        let data = tempfile::tempdir().unwrap();
        let place = blobs(&with_destination("/var/ml"), data.path()).unwrap();
        remember_blobs(data.path(), &place).unwrap();
        assert_eq!(blobs(&with_destination("/var/ml"), data.path()).unwrap(), place);
        assert!(blobs(&Config::default(), data.path()).is_err());
    }

    #[test]
    fn a_folder_for_clients_may_be_read_by_its_whole_path() {
        let at = |root: &str| Config { default_artifact_root: root.to_owned(), ..Config::default() };
        assert_eq!(artifacts(&at("file:///var/a%20b")).unwrap().folders, [PathBuf::from("/var/a b")]);
        assert!(artifacts(&at("s3://bucket")).unwrap().folders.is_empty());
        let relative = default_artifact_root(&at("./mlruns/")).unwrap();
        assert!(relative.starts_with('/') && relative.ends_with("/mlruns"), "{relative}");
        assert_eq!(default_artifact_root(&at("mlflow-artifacts:/x")).unwrap(), "mlflow-artifacts:/x");
    }
}
