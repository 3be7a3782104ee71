use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::{ConfigError, describe, file_error};
use crate::{Config, Secret};

const PREFIX: &str = "TIEGEL_";
/// Variables of the command line, which the server does not read.
const CLIENT_VARIABLES: [&str; 5] =
    ["TIEGEL_SERVER", "TIEGEL_TOKEN", "TIEGEL_CONFIG", "TIEGEL_REGISTRY_USER", "TIEGEL_REGISTRY_PASSWORD"];
/// What Kubernetes sets in every pod beside a service that is called `tiegel`.
const KUBERNETES_PREFIXES: [&str; 2] = ["TIEGEL_SERVICE_", "TIEGEL_PORT"];
/// Bytes of the config file.
const FILE_BYTES_MAX: usize = 1 << 20;

/// What flags say; it goes before everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub listen: Option<SocketAddr>,
    /// Each replaces its half of the address.
    pub host: Option<IpAddr>,
    pub port: Option<u16>,
    pub data_dir: Option<PathBuf>,
    pub database_url: Option<String>,
    pub default_artifact_root: Option<String>,
    pub artifacts_destination: Option<String>,
}

impl Config {
    /// Reads the file (or the one that `TIEGEL_CONFIG` names), the process's environment and the overrides; checks the
    /// result.
    pub fn load_from_process(file: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let variables: Vec<_> = std::env::vars().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let named = variables.iter().find(|(name, _)| name == "TIEGEL_CONFIG").map(|(_, path)| PathBuf::from(path));
        Self::load(file.map(Path::to_owned).or(named).as_deref(), &variables, overrides)
    }

    /// Reads from what is given, and nothing else.
    pub fn load(
        file: Option<&Path>,
        variables: &[(String, String)],
        overrides: Overrides,
    ) -> Result<Self, ConfigError> {
        let mut tree = match file {
            Some(path) => read_file(path)?,
            None => Table::new(),
        };
        for (name, text) in variables.iter().filter(|(name, _)| is_setting(name)) {
            set_variable(&mut tree, name, text)?;
        }
        let mut config: Config = tree.try_into().map_err(|e| ConfigError::Rule(describe(&e)))?;
        overrides.apply(&mut config);
        config.check()?;
        Ok(config)
    }

    /// The configuration in force, secrets hidden.
    pub fn redacted_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a config has text keys and no value that TOML lacks")
    }

    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Config).to_value()
    }
}

impl Overrides {
    fn apply(self, config: &mut Config) {
        let listen = self.listen.unwrap_or(config.listen);
        config.listen = SocketAddr::new(self.host.unwrap_or(listen.ip()), self.port.unwrap_or(listen.port()));
        if let Some(folder) = self.data_dir {
            config.data_dir = folder;
        }
        if let Some(root) = self.default_artifact_root {
            config.default_artifact_root = root;
        }
        config.database_url = self.database_url.map(Secret::new).or(config.database_url.take());
        config.artifacts_destination = self.artifacts_destination.or(config.artifacts_destination.take());
    }
}

fn is_setting(name: &str) -> bool {
    let foreign = CLIENT_VARIABLES.contains(&name) || KUBERNETES_PREFIXES.iter().any(|p| name.starts_with(p));
    name.starts_with(PREFIX) && !foreign
}

/// Read as a whole config first: then an error knows its line.
fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let name = path.display().to_string();
    let unreadable = |reason: String| ConfigError::Unreadable { path: name.clone(), reason };
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))?;
    if text.len() > FILE_BYTES_MAX {
        return Err(unreadable(format!("it has {} bytes; at most {FILE_BYTES_MAX} are read", text.len())));
    }
    toml::from_str::<Config>(&text).map_err(|e| file_error(&name, &text, &e))?;
    toml::from_str(&text).map_err(|e| file_error(&name, &text, &e))
}

/// Tries the text as each type that the key could have, so that `1000` is a number where a number is asked for.
fn set_variable(tree: &mut Table, name: &str, text: &str) -> Result<(), ConfigError> {
    let path: Vec<_> = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    let mut reason = None;
    for value in candidates(text) {
        let mut trial = tree.clone();
        insert(&mut trial, &path, value);
        match trial.clone().try_into::<Config>() {
            Ok(_) => {
                *tree = trial;
                return Ok(());
            }
            Err(error) => reason = reason.or(Some(describe(&error))),
        }
    }
    Err(ConfigError::Variable { name: name.to_owned(), reason: reason.unwrap_or_default() })
}

/// The readings of a variable, the likeliest to explain a failure first.
fn candidates(text: &str) -> Vec<Value> {
    let mut values = vec![];
    if let Ok(table) = toml::from_str::<Table>(&format!("value = {text}")) {
        // A text stands for itself: quotes around it may belong to a token.
        values.extend(table.get("value").filter(|value| !value.is_str()).cloned());
    }
    values.push(Value::String(text.to_owned()));
    values.push(Value::Array(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect()));
    values
}

/// Sets a value; what lies on the way and is no table is replaced, so that its type is what fails.
fn insert(tree: &mut Table, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        tree.insert(first.clone(), value);
        return;
    }
    let child = tree.entry(first.clone()).or_insert_with(|| Value::Table(Table::new()));
    if !child.is_table() {
        *child = Value::Table(Table::new());
    }
    if let Value::Table(child) = child {
        insert(child, rest, value);
    }
}

#[cfg(test)]
mod tests;
