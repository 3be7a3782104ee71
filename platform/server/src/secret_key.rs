use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tiegel_config::Config;
use tiegel_registry::SecretKey;
use uuid::Uuid;

const FILE: &str = "webhooks.key";
/// Its owner reads and writes it, and nobody else.
const MODE: u32 = 0o600;

/// The key with which webhooks' secrets are stored: what the configuration says, or else what the data folder has. Two
/// random numbers become a new one where it has none.
pub fn load(config: &Config, new: [Uuid; 2]) -> anyhow::Result<SecretKey> {
    if let Some(key) = &config.webhooks.secret_key {
        return SecretKey::parse(key.expose()).map_err(|why| anyhow!("`webhooks.secret_key` is no key: {why}"));
    }
    let path = config.data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => SecretKey::parse(&text).map_err(|why| anyhow!("{} holds no key: {why}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => make(&path, new),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Under another name first, so that a crash leaves no half of a key.
fn make(path: &Path, new: [Uuid; 2]) -> anyhow::Result<SecretKey> {
    let bytes = new.map(Uuid::into_bytes).concat();
    let text = STANDARD.encode(&bytes);
    let half = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&half)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&half, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    SecretKey::parse(&text).map_err(anyhow::Error::msg)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn config(data_dir: &Path) -> Config {
        Config { data_dir: data_dir.to_owned(), ..Config::default() }
    }

    #[test]
    fn a_new_key_is_its_owners_alone_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        load(&config(folder.path()), [Uuid::from_u128(1), Uuid::from_u128(2)]).unwrap();
        let made = std::fs::read_to_string(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        load(&config(folder.path()), [Uuid::nil(); 2]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), made);
        std::fs::write(&path, "half").unwrap();
        let broken = load(&config(folder.path()), [Uuid::nil(); 2]).unwrap_err().to_string();
        assert!(broken.contains("webhooks.key holds no key"), "{broken}");
    }

    #[test]
    fn a_key_from_the_configuration_needs_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.webhooks.secret_key = Some(tiegel_config::Secret::new(STANDARD.encode([1; 32])));
        load(&config, [Uuid::nil(); 2]).unwrap();
        assert!(!folder.path().join(FILE).exists());
        config.webhooks.secret_key = Some(tiegel_config::Secret::new("short"));
        let bad = load(&config, [Uuid::nil(); 2]).unwrap_err().to_string();
        assert!(bad.contains("webhooks.secret_key") && !bad.contains("short"), "{bad}");
    }
}
