use std::str::FromStr;

use tiegel_types::Digest;

const SCHEME: &str = "oci://";

/// `oci://HOST/REPOSITORY`, with `:TAG` or `@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryRef {
    /// With its port.
    pub host: String,
    pub repository: String,
    /// A tag or a digest.
    pub reference: Option<String>,
}

impl RegistryRef {
    pub fn is_one(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Whether the registry is on this machine.
    pub fn is_local(&self) -> bool {
        let host = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host);
        matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    }
}

impl FromStr for RegistryRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' names no repository: write oci://HOST/REPOSITORY, with :TAG or @sha256:…");
        let (host, rest) = text.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
        let (repository, reference) = match rest.split_once('@') {
            Some((repository, digest)) => {
                (repository, Some(digest.parse::<Digest>().map_err(|_| wrong())?.to_string()))
            }
            None => match rest.rsplit_once(':') {
                Some((repository, tag)) => (repository, Some(tag.to_owned())),
                None => (rest, None),
            },
        };
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let host_is_plain = !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
        let tag_is_plain = reference.as_deref().is_none_or(|tag| tag.split(':').all(plain));
        if !host_is_plain || !repository.split('/').all(plain) || !tag_is_plain {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), reference })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_host_repository_and_version() {
        let read = |text: &str| text.parse::<RegistryRef>().unwrap();
        let tagged = read("oci://ghcr.io/acme/zscore:1.0.0");
        assert_eq!((tagged.host.as_str(), tagged.repository.as_str()), ("ghcr.io", "acme/zscore"));
        assert_eq!(tagged.reference.as_deref(), Some("1.0.0"));
        assert!(!tagged.is_local());
        let local = read("oci://127.0.0.1:5000/plugins/default/zscore");
        assert_eq!((local.host.as_str(), local.reference.as_deref()), ("127.0.0.1:5000", None));
        assert!(local.is_local());
        let digest = Digest::of(b"x").to_string();
        assert_eq!(read(&format!("oci://a/b@{digest}")).reference, Some(digest));
    }

    #[test]
    fn a_reference_that_could_leave_its_repository_is_refused() {
        for bad in ["a/b:1", "oci://a", "oci:///b", "oci://a/../b:1", "oci://a/b@1.0", "oci://a/b?x:1", "oci://u@a/b"] {
            assert!(bad.parse::<RegistryRef>().is_err(), "{bad}");
        }
    }
}
