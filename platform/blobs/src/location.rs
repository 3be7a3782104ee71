//! Which kind of store a URL names, and whether its options mean something.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ObjectStore, ObjectStoreScheme};
use url::Url;

use crate::{BlobError, Result};

/// Key and value, such as `aws_access_key_id`.
pub(crate) type Options = Vec<(String, String)>;

pub(crate) enum Location {
    Folder(PathBuf),
    /// Anything that is not on this machine's file system.
    Remote(Url),
}

impl Location {
    /// An absolute or relative path, or a URL of a scheme that holds many objects.
    pub fn parse(text: &str) -> Result<Self> {
        if !text.contains("://") && !text.starts_with("file:") {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        let url = Url::parse(text).map_err(|error| BlobError::Invalid(format!("'{text}' is not a URL: {error}")))?;
        match url.scheme() {
            "file" => {
                let path = url.to_file_path();
                path.map(Self::Folder).map_err(|()| BlobError::Invalid(format!("'{text}' is not an absolute file URL")))
            }
            "memory" | "s3" | "s3a" | "gs" | "az" | "azure" | "adl" | "abfs" | "abfss" => Ok(Self::Remote(url)),
            other => Err(BlobError::Invalid(format!(
                "blobs cannot be kept at {other}://; use a folder, file://, s3://, gs://, az:// or memory:///"
            ))),
        }
    }
}

/// A store of objects, and the place in it that a URL names.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub objects: Arc<dyn ObjectStore>,
    pub prefix: Path,
    /// Where the store can be told to let others read and write an object for a while.
    pub signer: Option<Arc<dyn Signer>>,
}

impl Remote {
    pub fn connect(url: &Url, options: &Options) -> Result<Self> {
        let (scheme, prefix) = ObjectStoreScheme::parse(url).map_err(object_store::Error::from)?;
        // `parse_url_opts` does the same, but forgets who can sign.
        let signing = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let builder = AmazonS3Builder::new().with_url(url.as_str());
                let known = known::<AmazonS3ConfigKey>(options);
                both(Arc::new(known.fold(builder, |b, (key, value)| b.with_config(key, value)).build()?))
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let builder = GoogleCloudStorageBuilder::new().with_url(url.as_str());
                let known = known::<GoogleConfigKey>(options);
                both(Arc::new(known.fold(builder, |b, (key, value)| b.with_config(key, value)).build()?))
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let builder = MicrosoftAzureBuilder::new().with_url(url.as_str());
                let known = known::<AzureConfigKey>(options);
                both(Arc::new(known.fold(builder, |b, (key, value)| b.with_config(key, value)).build()?))
            }
            _ => {
                let options = options.iter().map(|(key, value)| (key, value.clone()));
                let (objects, prefix) = object_store::parse_url_opts(url, options)?;
                return Ok(Self { objects: objects.into(), prefix, signer: None });
            }
        };
        let (objects, signer) = signing;
        Ok(Self { objects, prefix, signer: Some(signer) })
    }
}

fn known<K: std::str::FromStr>(options: &Options) -> impl Iterator<Item = (K, String)> {
    options.iter().filter_map(|(key, value)| Some((key.to_ascii_lowercase().parse().ok()?, value.clone())))
}

fn both<S: ObjectStore + Signer>(store: Arc<S>) -> (Arc<dyn ObjectStore>, Arc<dyn Signer>) {
    (store.clone(), store)
}

/// Refuses options that no store knows, since object_store passes over them in silence.
pub(crate) fn check_options(options: &Options) -> Result<()> {
    for (key, _) in options {
        let lower = key.to_ascii_lowercase();
        let known = AmazonS3ConfigKey::from_str(&lower).is_ok()
            || GoogleConfigKey::from_str(&lower).is_ok()
            || AzureConfigKey::from_str(&lower).is_ok();
        if !known {
            return Err(BlobError::Invalid(format!(
                "'{key}' is not an option of a blob store; examples are aws_access_key_id, aws_endpoint, \
                 google_service_account and azure_storage_account_key"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_no_store_knows_is_refused() {
        let option = |key: &str| check_options(&vec![(key.to_owned(), "x".to_owned())]);
        for good in ["aws_access_key_id", "AWS_ENDPOINT", "google_service_account", "azure_storage_account_key"] {
            assert!(option(good).is_ok(), "{good}");
        }
        let refused = option("aws_acess_key").unwrap_err();
        assert!(refused.to_string().contains("'aws_acess_key'"), "{refused}");
    }

    #[test]
    fn a_store_that_cannot_list_is_refused() {
        let refused = Location::parse("https://example.com/blobs").err().unwrap();
        assert!(refused.to_string().contains("https://"), "{refused}");
        assert!(matches!(Location::parse("./data"), Ok(Location::Folder(path)) if path.as_os_str() == "./data"));
        assert!(matches!(Location::parse("file:/a"), Ok(Location::Folder(path)) if path.as_os_str() == "/a"));
        assert!(matches!(Location::parse("file:///a%20b"), Ok(Location::Folder(path)) if path.as_os_str() == "/a b"));
    }
}
