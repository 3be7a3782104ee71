use std::collections::{BTreeMap, BTreeSet};

use tiegel_types::{Digest, Name};

use crate::{PublicKey, Signature};

/// Stands for all projects.
const EVERY_PROJECT: &str = "*";

/// Whose signatures are believed, and where one is asked for.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    names: BTreeMap<PublicKey, String>,
    required_in: BTreeSet<String>,
}

impl Trust {
    /// `required_in` are names of projects, or `*` for all.
    pub fn new(
        keys: impl IntoIterator<Item = (String, PublicKey)>,
        required_in: impl IntoIterator<Item = String>,
    ) -> Self {
        let names = keys.into_iter().map(|(name, key)| (key, name)).collect();
        Self { names, required_in: required_in.into_iter().collect() }
    }

    /// What the operator calls a trusted key.
    pub fn name_of(&self, key: &PublicKey) -> Option<&str> {
        self.names.get(key).map(String::as_str)
    }

    pub fn is_required_in(&self, project: &Name) -> bool {
        self.required_in.contains(EVERY_PROJECT) || self.required_in.contains(project.as_str())
    }

    /// # Errors
    /// A sentence that says why the project does not take the component with these signatures. One that is forged refuses
    /// it everywhere: somebody changed either of them.
    pub fn check(&self, project: &Name, digest: &Digest, signatures: &[Signature]) -> Result<(), String> {
        for signature in signatures {
            signature.verify(digest).map_err(|error| error.to_string())?;
        }
        if !self.is_required_in(project) || signatures.iter().any(|s| self.name_of(&s.key()).is_some()) {
            return Ok(());
        }
        let found = match signatures.first() {
            None => "it has no signature".to_owned(),
            Some(signature) => format!("its signature is by {}, which is not trusted here", signature.key()),
        };
        let known: Vec<_> = self.names.values().map(String::as_str).collect();
        Err(format!(
            "project '{project}' takes only plugins that are signed by a trusted key ({}), and {found}: sign it with \
             `tiegel plugin sign`, or push it with --sign KEY",
            if known.is_empty() { "none is configured".to_owned() } else { known.join(", ") }
        ))
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::SigningKey;

    #[test]
    fn where_signatures_are_required_only_a_trusted_key_lets_a_plugin_in() {
        let [ours, theirs] = [(); 2].map(|()| SigningKey::generate(&SystemRandom::new()).unwrap());
        let trust = Trust::new([("release".to_owned(), ours.public_key())], ["prod".to_owned()]);
        let digest = Digest::of(b"component");
        let (prod, lab): (Name, Name) = ("prod".parse().unwrap(), "lab".parse().unwrap());
        let refused = |signatures: &[Signature]| trust.check(&prod, &digest, signatures).unwrap_err();
        assert!(refused(&[]).contains("(release), and it has no signature"), "{}", refused(&[]));
        assert!(refused(&[theirs.sign(&digest)]).contains("is not trusted here"));
        assert!(refused(&[ours.sign(&Digest::of(b"another"))]).contains("does not fit"));
        trust.check(&prod, &digest, &[theirs.sign(&digest), ours.sign(&digest)]).unwrap();
        trust.check(&lab, &digest, &[]).unwrap();
        trust.check(&lab, &digest, &[ours.sign(&Digest::of(b"another"))]).unwrap_err();
        assert!(Trust::new([], ["*".to_owned()]).check(&lab, &digest, &[]).unwrap_err().contains("none is configured"));
    }
}
