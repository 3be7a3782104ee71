use tiegel_engine::PluginFailure;
use tiegel_types::limits::PLUGIN_CONFIG_BYTES_MAX;
use tiegel_types::{Name, PluginDescriptor};

use crate::bindings::meta::Descriptor;
use crate::fault::bad_output;
use crate::text;

const VERSION_BYTES_MAX: usize = 64;
const SUMMARY_BYTES_MAX: usize = 1_024;

/// What a plugin says of itself, once it is found fit to be stored and shown.
pub fn lift_descriptor(plugin: &str, said: Descriptor, fits: bool) -> Result<PluginDescriptor, PluginFailure> {
    let Descriptor { name, version, summary, config_schema, row_wise, preferred_rows, state_version } = said;
    let name = Name::new(name).map_err(|error| bad_output(plugin, format!("describes itself wrongly: {error}")))?;
    let is_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
    if version.len() > VERSION_BYTES_MAX
        || !version.starts_with(|c: char| c.is_ascii_digit())
        || !version.chars().all(is_version)
    {
        let shown = text::clean(&version, VERSION_BYTES_MAX);
        return Err(bad_output(plugin, format!("describes itself wrongly: '{shown}' is not a version such as 1.0.0")));
    }
    Ok(PluginDescriptor {
        name: name.to_string(),
        version,
        summary: text::clean(&summary, SUMMARY_BYTES_MAX),
        config_schema: lift_config_schema(plugin, &config_schema)?,
        row_wise,
        preferred_rows,
        state_version,
        fits,
    })
}

fn lift_config_schema(plugin: &str, json: &str) -> Result<serde_json::Value, PluginFailure> {
    if json.len() > PLUGIN_CONFIG_BYTES_MAX {
        let max = text::size(PLUGIN_CONFIG_BYTES_MAX);
        return Err(bad_output(plugin, format!("describes itself wrongly: its config schema is larger than {max}")));
    }
    match serde_json::from_str(json) {
        Ok(schema @ serde_json::Value::Object(_)) => Ok(schema),
        Ok(_) => Err(bad_output(plugin, "describes itself wrongly: its config schema is not a JSON object")),
        Err(error) => {
            Err(bad_output(plugin, format!("describes itself wrongly: its config schema is not JSON: {error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Descriptor)) -> Result<PluginDescriptor, String> {
        let mut descriptor = Descriptor {
            name: "clip".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Cuts.\u{1b}[2J".to_owned(),
            config_schema: "{}".to_owned(),
            row_wise: true,
            preferred_rows: u32::MAX,
            state_version: 0,
        };
        change(&mut descriptor);
        lift_descriptor("p", descriptor, false).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_descriptor_is_cleaned_or_refused() {
        assert_eq!(check(|_| {}).unwrap().summary, "Cuts. [2J");
        assert!(check(|d| d.name = "../x".to_owned()).unwrap_err().contains("is not a name"));
        assert!(check(|d| d.version = "latest".to_owned()).unwrap_err().contains("is not a version"));
        assert!(check(|d| d.config_schema = "[".repeat(100_000)).unwrap_err().contains("is not JSON"));
        assert!(check(|d| d.config_schema = "true".to_owned()).unwrap_err().contains("is not a JSON object"));
        assert!(check(|d| d.config_schema = " ".repeat(2 << 20)).unwrap_err().contains("is larger than 1 MiB"));
    }
}
