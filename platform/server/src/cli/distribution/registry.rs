//! A repository of an OCI registry, as much of the distribution specification as plugins need.

use anyhow::{Context, bail};
use reqwest::{Method, StatusCode, Url, header};
use serde::Deserialize;
use tiegel_distribution::{Descriptor, MANIFEST_BYTES_MAX, MANIFEST_TYPE, Manifest, SIGNATURE_TYPE};
use tiegel_signing::Signature;
use tiegel_types::{Digest, limits};

use super::RegistryArgs;
use super::reference::RegistryRef;
use super::transport::{Transport, read, success};
use crate::cli::Client;

/// Signatures of one plugin that are looked at.
const SIGNATURES_LEN_MAX: usize = 64;
const TAG_PAGES_MAX: usize = 100;

pub struct Remote {
    transport: Transport,
    repository: String,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

impl Remote {
    pub fn new(place: &RegistryRef, args: &RegistryArgs) -> anyhow::Result<Self> {
        let scheme = if place.is_local() || args.plain_http { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{}/", place.host))?;
        let credentials = args.user.clone().zip(args.password.clone());
        Ok(Self { transport: Transport::new(base, credentials, None)?, repository: place.repository.clone() })
    }

    /// A plugin of our server.
    pub fn own(client: &Client, project: &str, plugin: &str) -> anyhow::Result<Self> {
        let base = Url::parse(&format!("{}/", client.server()))?;
        let transport = Transport::new(base, None, client.token())?;
        Ok(Self { transport, repository: format!("plugins/{project}/{plugin}") })
    }

    fn url(&self, rest: &str) -> anyhow::Result<Url> {
        self.transport.url(&format!("/v2/{}/{rest}", self.repository))
    }

    pub async fn tags(&self) -> anyhow::Result<Vec<String>> {
        let mut all = Vec::new();
        let mut next = Some(self.url("tags/list")?);
        for _ in 0..TAG_PAGES_MAX {
            let Some(url) = next.take() else { break };
            let response = success(self.transport.send((Method::GET, url), |request| request).await?).await?;
            let link = response.headers().get(header::LINK).and_then(|value| value.to_str().ok());
            if let Some((_, rest)) = link.and_then(|link| link.split_once('<'))
                && let Some((place, _)) = rest.split_once('>')
            {
                next = Some(self.transport.url(place)?);
            }
            let page: Tags = serde_json::from_slice(&read(response, MANIFEST_BYTES_MAX).await?)?;
            all.extend(page.tags.unwrap_or_default());
        }
        Ok(all)
    }

    /// A manifest, checked against its digest where that is what it is asked by.
    pub async fn manifest(&self, reference: &str) -> anyhow::Result<(Manifest, Digest)> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let asked = self.transport.send((Method::GET, url), |r| r.header(header::ACCEPT, MANIFEST_TYPE)).await?;
        let bytes = read(success(asked).await?, MANIFEST_BYTES_MAX).await?;
        let digest = Digest::of(&bytes);
        if reference.parse::<Digest>().is_ok_and(|expected| expected != digest) {
            bail!("the registry answers another manifest than {reference}");
        }
        Ok((Manifest::parse(&bytes, None)?, digest))
    }

    pub async fn put_manifest(&self, reference: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let build =
            |request: reqwest::RequestBuilder| request.header(header::CONTENT_TYPE, MANIFEST_TYPE).body(bytes.to_vec());
        success(self.transport.send((Method::PUT, url), build).await?).await?;
        Ok(())
    }

    /// Uploads a blob, unless it is there.
    pub async fn put_blob(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let digest = Digest::of(bytes);
        let head = self.url(&format!("blobs/{digest}"))?;
        if self.transport.send((Method::HEAD, head), |request| request).await?.status().is_success() {
            return Ok(());
        }
        let begin = self.url("blobs/uploads/")?;
        let empty = |request: reqwest::RequestBuilder| request.header(header::CONTENT_LENGTH, "0");
        let begun = success(self.transport.send((Method::POST, begin), empty).await?).await?;
        let location = begun.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        let mut url = self.transport.url(location.context("the registry says not where the upload goes")?)?;
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let build = |request: reqwest::RequestBuilder| {
            request.header(header::CONTENT_TYPE, "application/octet-stream").body(bytes.to_vec())
        };
        success(self.transport.send((Method::PUT, url), build).await?).await?;
        Ok(())
    }

    /// A blob, checked against its digest.
    pub async fn blob(&self, digest: &Digest, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let bytes = read(success(self.transport.send((Method::GET, url), |r| r).await?).await?, bytes_max).await?;
        if Digest::of(&bytes) != *digest {
            bail!("the registry answers other bytes than {digest}");
        }
        Ok(bytes)
    }

    pub async fn component(&self, manifest: &Manifest) -> anyhow::Result<Vec<u8>> {
        if !manifest.is_plugin() {
            bail!("{} holds no plugin there", self.repository);
        }
        self.blob(&manifest.layer()?.digest, limits::PLUGIN_BYTES_MAX).await
    }

    /// The signatures that refer to a manifest. A registry that knows no referrers has none.
    pub async fn signatures(&self, subject: &Digest) -> anyhow::Result<Vec<Signature>> {
        let mut url = self.url(&format!("referrers/{subject}"))?;
        url.query_pairs_mut().append_pair("artifactType", SIGNATURE_TYPE);
        let response = self.transport.send((Method::GET, url), |request| request).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(vec![]);
        }
        let index: Index = serde_json::from_slice(&read(success(response).await?, MANIFEST_BYTES_MAX).await?)?;
        let is_ours = |found: &&Descriptor| found.artifact_type.as_deref() == Some(SIGNATURE_TYPE);
        let mut signatures = Vec::new();
        for found in index.manifests.iter().filter(is_ours).take(SIGNATURES_LEN_MAX) {
            let (manifest, _) = self.manifest(&found.digest.to_string()).await?;
            let text = self.blob(&manifest.layer()?.digest, tiegel_signing::SIGNATURE_BYTES_MAX).await?;
            signatures.push(String::from_utf8_lossy(&text).parse()?);
        }
        Ok(signatures)
    }
}
