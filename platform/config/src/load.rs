use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::Config;

const PREFIX: &str = "TIEGEL_";
/// Variables of the command line, which the server does not read.
const CLIENT_VARIABLES: [&str; 3] = ["TIEGEL_SERVER", "TIEGEL_TOKEN", "TIEGEL_CONFIG"];

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the config file {path}: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("environment variable {name}: {reason}")]
    Variable { name: String, reason: String },
    #[error("{0}")]
    Rule(String),
}

/// What flags say; it goes before everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub listen: Option<SocketAddr>,
    pub data_dir: Option<PathBuf>,
    pub database_url: Option<String>,
}

impl Config {
    /// Reads the file (or the one that `TIEGEL_CONFIG` names), the process's environment and the overrides; checks the result.
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
        for (name, text) in variables {
            if name.starts_with(PREFIX) && !CLIENT_VARIABLES.contains(&name.as_str()) {
                set_variable(&mut tree, name, text)?;
            }
        }
        let mut config: Config = tree.try_into().map_err(|e| ConfigError::Rule(e.to_string()))?;
        let Overrides { listen, data_dir, database_url } = overrides;
        config.listen = listen.unwrap_or(config.listen);
        config.data_dir = data_dir.unwrap_or(config.data_dir);
        config.database_url = database_url.map(crate::Secret::new).or(config.database_url);
        config.check()?;
        Ok(config)
    }

    /// The configuration in force, secrets hidden.
    pub fn redacted_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_else(|e| format!("# the configuration cannot be printed: {e}\n"))
    }

    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Config).to_value()
    }
}

/// Parsed as a whole first: then an error names its line.
fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| ConfigError::Unreadable { path: name.clone(), reason: e.to_string() })?;
    let file_error = |e: toml::de::Error| ConfigError::File { path: name.clone(), reason: e.to_string() };
    toml::from_str::<Config>(&text).map_err(file_error)?;
    toml::from_str(&text).map_err(file_error)
}

/// Tries the text as each type that the key could have, so that `1000` is a number and `true` a boolean.
fn set_variable(tree: &mut Table, name: &str, text: &str) -> Result<(), ConfigError> {
    let path: Vec<_> = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    let mut reason = String::new();
    for value in candidates(text) {
        let mut trial = tree.clone();
        if !insert(&mut trial, &path, value) {
            break;
        }
        match trial.clone().try_into::<Config>() {
            Ok(_) => {
                *tree = trial;
                return Ok(());
            }
            Err(error) => reason = error.message().to_owned(),
        }
    }
    Err(ConfigError::Variable { name: name.to_owned(), reason })
}

fn candidates(text: &str) -> Vec<Value> {
    let mut values = vec![Value::String(text.to_owned())];
    if let Ok(table) = toml::from_str::<Table>(&format!("value = {text}")) {
        values.extend(table.get("value").cloned());
    }
    values.push(Value::Array(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect()));
    values
}

fn insert(tree: &mut Table, path: &[String], value: Value) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    if rest.is_empty() {
        tree.insert(first.clone(), value);
        return true;
    }
    let child = tree.entry(first.clone()).or_insert_with(|| Value::Table(Table::new()));
    child.as_table_mut().is_some_and(|child| insert(child, rest, value))
}

#[cfg(test)]
mod tests;
