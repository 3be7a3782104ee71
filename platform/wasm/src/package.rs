//! What a component carries besides its code: the manifest, and the files that it may read.
//!
//! Both lie in custom sections, so that a plugin is one file and one digest covers all of it.

use std::collections::BTreeMap;

use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

use crate::manifest::{Manifest, ManifestError};

/// The manifest's section, as JSON.
const MANIFEST_SECTION: &str = "tiegel:manifest";

/// What the name of a file's section starts with.
const ARTIFACT_PREFIX: &str = "tiegel:artifact/";

const MANIFEST_BYTES_MAX: usize = 64 << 10;
const ARTIFACTS_MAX: usize = 64;
const ARTIFACT_NAME_BYTES_MAX: usize = 256;
/// Bytes of one file, and of all files of a plugin.
const ARTIFACT_BYTES_MAX: usize = 32 << 20;
const ARTIFACTS_BYTES_MAX: usize = 48 << 20;

/// A component without code.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A manifest and the files that it names: exactly those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    manifest: Option<Manifest>,
    artifacts: BTreeMap<String, Vec<u8>>,
}

impl Package {
    /// # Errors
    /// When the files are not those that the manifest names, too many or too large.
    pub fn new(manifest: Manifest, artifacts: BTreeMap<String, Vec<u8>>) -> Result<Self, ManifestError> {
        let package = Self { manifest: Some(manifest), artifacts };
        package.check()?;
        Ok(package)
    }

    /// What a component carries; nothing where it was not built from a manifest.
    ///
    /// # Errors
    /// When a section is malformed, too large, there twice, or not what the manifest says.
    pub fn read(component: &[u8]) -> Result<Self, ManifestError> {
        let mut package = Self::default();
        let mut depth = 0usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(|error| malformed(error.message()))? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if depth == 0 => package.take(section.name(), section.data())?,
                _ => {}
            }
        }
        package.check()?;
        Ok(package)
    }

    /// The component with all of this in it.
    pub fn embed(&self, component: &[u8]) -> Vec<u8> {
        let mut embedded = component.to_vec();
        if let Some(manifest) = &self.manifest {
            let json = serde_json::to_vec(manifest).expect("a manifest has string keys only");
            CustomSection { name: MANIFEST_SECTION.into(), data: json.into() }.append_to_component(&mut embedded);
        }
        for (name, bytes) in &self.artifacts {
            let name = format!("{ARTIFACT_PREFIX}{name}");
            CustomSection { name: name.into(), data: bytes.into() }.append_to_component(&mut embedded);
        }
        embedded
    }

    /// A component of this and no code, which is kept where the code lies compiled.
    pub fn alone(&self) -> Vec<u8> {
        self.embed(EMPTY_COMPONENT)
    }

    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    pub fn artifact(&self, name: &str) -> Option<&[u8]> {
        self.artifacts.get(name).map(Vec::as_slice)
    }

    /// Names and bytes of the files.
    pub fn artifacts(&self) -> impl Iterator<Item = (&str, usize)> {
        self.artifacts.iter().map(|(name, bytes)| (name.as_str(), bytes.len()))
    }

    fn take(&mut self, section: &str, data: &[u8]) -> Result<(), ManifestError> {
        if section == MANIFEST_SECTION {
            if self.manifest.is_some() {
                return Err(malformed("the component carries two"));
            }
            if data.len() > MANIFEST_BYTES_MAX {
                return Err(malformed("the component carries one that is too large"));
            }
            self.manifest = Some(Manifest::from_json(data)?);
        } else if let Some(name) = section.strip_prefix(ARTIFACT_PREFIX) {
            if name.len() > ARTIFACT_NAME_BYTES_MAX || self.artifacts.len() >= ARTIFACTS_MAX {
                return Err(unfit(format!("are at most {ARTIFACTS_MAX} files of short names")));
            }
            if self.artifacts.insert(name.to_owned(), data.to_vec()).is_some() {
                return Err(unfit("are there once each; the component carries one of them twice"));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ManifestError> {
        let granted = self.manifest.as_ref().map_or(&[][..], |manifest| &manifest.capabilities.artifacts);
        if let Some(lacking) = granted.iter().find(|name| !self.artifacts.contains_key(*name)) {
            return Err(unfit(format!("name '{lacking}', which the component does not carry")));
        }
        if self.artifacts.len() > granted.len() {
            return Err(unfit("do not name a file that the component carries"));
        }
        if granted.len() > ARTIFACTS_MAX || granted.iter().any(|name| name.len() > ARTIFACT_NAME_BYTES_MAX) {
            return Err(unfit(format!("are at most {ARTIFACTS_MAX} files of short names")));
        }
        let total: usize = self.artifacts.values().map(Vec::len).sum();
        if total > ARTIFACTS_BYTES_MAX || self.artifacts.values().any(|bytes| bytes.len() > ARTIFACT_BYTES_MAX) {
            let (each, all) = (ARTIFACT_BYTES_MAX >> 20, ARTIFACTS_BYTES_MAX >> 20);
            return Err(unfit(format!("have at most {each} MiB each and {all} MiB together")));
        }
        Ok(())
    }
}

fn malformed(why: &str) -> ManifestError {
    ManifestError::Malformed(why.to_owned())
}

fn unfit(why: impl Into<String>) -> ManifestError {
    ManifestError::Invalid { field: "capabilities.artifacts", why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(artifacts: &str) -> Manifest {
        let text = "name = \"words\"\nversion = \"1.0.0\"\nworld = \"transform\"\nsummary = \"Cuts.\"\n";
        let build = "[build]\nlanguage = \"rust\"\n[capabilities]\nartifacts = ";
        Manifest::parse(&format!("{text}{build}{artifacts}")).unwrap()
    }

    fn files(names: &[&str]) -> BTreeMap<String, Vec<u8>> {
        names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_component_carries_its_manifest_and_files() {
        let package = Package::new(manifest("[\"b\", \"a/c\"]"), files(&["a/c", "b"])).unwrap();
        let component = package.embed(EMPTY_COMPONENT);
        let read = Package::read(&component).unwrap();
        assert_eq!(read, package);
        assert_eq!(read.artifact("a/c"), Some(&b"a/c"[..]));
        assert_eq!(read.artifact("../b"), None);
        assert_eq!(Package::read(&package.alone()).unwrap(), package);
        assert_eq!(Package::read(EMPTY_COMPONENT).unwrap(), Package::default());
        let twice = Package::read(&package.embed(&component)).unwrap_err().to_string();
        assert_eq!(twice, "tiegel-plugin.toml: the component carries two");
    }

    #[test]
    fn files_and_manifest_must_agree() {
        let lacking = Package::new(manifest("[\"a\"]"), files(&[])).unwrap_err().to_string();
        assert_eq!(
            lacking,
            "tiegel-plugin.toml: `capabilities.artifacts` name 'a', which the component does not carry"
        );
        let more = Package::new(manifest("[]"), files(&["a"])).unwrap_err().to_string();
        assert!(more.ends_with("do not name a file that the component carries"), "{more}");
        let unnamed = Package { manifest: None, artifacts: files(&["../../etc/passwd"]) };
        assert!(Package::read(&unnamed.alone()).is_err());
        let large = BTreeMap::from([("a".to_owned(), vec![0; ARTIFACT_BYTES_MAX + 1])]);
        let large = Package::new(manifest("[\"a\"]"), large).unwrap_err().to_string();
        assert!(large.ends_with("have at most 32 MiB each and 48 MiB together"), "{large}");
    }
}
