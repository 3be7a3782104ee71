use std::fmt;
use std::str::FromStr;

use tiegel_types::{Digest, Name};

/// A plugin as a step names it: `name`, `name@version` or `name@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRef {
    pub name: Name,
    pub pin: PluginPin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginPin {
    /// Whatever version is newest when the pipeline is planned.
    Newest,
    Version(String),
    Digest(Digest),
}

impl FromStr for PluginRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, pin) = match text.split_once('@') {
            None => (text, PluginPin::Newest),
            Some((name, pin)) if pin.starts_with("sha256:") => {
                (name, PluginPin::Digest(pin.parse().map_err(|e: tiegel_types::ParseDigestError| e.to_string())?))
            }
            Some((name, version)) => (name, PluginPin::Version(plain_version(version)?)),
        };
        Ok(Self { name: Name::new(name).map_err(|e| e.to_string())?, pin })
    }
}

fn plain_version(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_'));
    if plain && (1..=64).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(format!("'{text}' is not a plugin version: expected one such as 0.1.0, or 'sha256:' and 64 digits"))
    }
}

impl fmt::Display for PluginRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pin {
            PluginPin::Newest => write!(f, "{}", self.name),
            PluginPin::Version(version) => write!(f, "{}@{version}", self.name),
            PluginPin::Digest(digest) => write!(f, "{}@{digest}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_reference_survives_its_text_form() {
        let digest = format!("one-hot@{}", Digest::of(b"wasm"));
        for text in ["standardize", "standardize@0.1.0", digest.as_str()] {
            assert_eq!(text.parse::<PluginRef>().unwrap().to_string(), text);
        }
        assert_eq!(
            "a@b/c".parse::<PluginRef>().unwrap_err(),
            "'b/c' is not a plugin version: expected one such as 0.1.0, or 'sha256:' and 64 digits"
        );
        assert!("x@sha256:12".parse::<PluginRef>().is_err());
        assert!("".parse::<PluginRef>().is_err());
    }
}
