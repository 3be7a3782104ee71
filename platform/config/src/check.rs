use std::path::Path;

use tiegel_signing::PublicKey;

use crate::{Config, ConfigError};

/// Characters of an admin token.
const TOKEN_CHARS_MIN: usize = 16;

impl Config {
    /// What no single key can say. The first rule that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_access()?;
        self.check_places()?;
        self.check_signing()?;
        self.check_numbers()
    }

    fn check_access(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() && self.admin_token.is_none() {
            return wrong(format!(
                "listening on {} lets other machines in, so it needs an admin token: set admin_token in the config file or \
                 TIEGEL_ADMIN_TOKEN, at least {TOKEN_CHARS_MIN} characters; or listen on 127.0.0.1",
                self.listen
            ));
        }
        let short = |token: &crate::Secret| token.expose().chars().count() < TOKEN_CHARS_MIN;
        if self.admin_token.as_ref().is_some_and(short) {
            return wrong(format!("admin_token is too short: use at least {TOKEN_CHARS_MIN} characters"));
        }
        let no_origin = |origin: &&String| !starts_with_one(origin, &["http://", "https://"]) || origin.ends_with('/');
        match self.allowed_origins.iter().find(no_origin) {
            Some(origin) => wrong(format!(
                "allowed_origins has '{origin}', which is no origin: write scheme, host and port, such as https://ml.example"
            )),
            None => Ok(()),
        }
    }

    fn check_places(&self) -> Result<(), ConfigError> {
        let bad_database =
            |url: &crate::Secret| !starts_with_one(url.expose(), &["sqlite://", "postgres://", "postgresql://"]);
        if self.database_url.as_ref().is_some_and(bad_database) {
            return wrong("database_url must begin with postgres:// or sqlite://".to_owned());
        }
        if self.default_artifact_root.trim().is_empty() {
            return wrong("default_artifact_root is empty; write mlflow-artifacts:/ or leave it out".to_owned());
        }
        if let Some(place) = &self.artifacts_destination
            && (place.trim().is_empty() || place.starts_with("mlflow-artifacts:"))
        {
            return wrong(format!(
                "artifacts_destination is '{place}'; write a folder, or a URL such as s3://bucket/prefix"
            ));
        }
        let relative = |root: &&std::path::PathBuf| !Path::is_absolute(root);
        if let Some(root) = self.source_roots.iter().find(relative) {
            return wrong(format!("source_roots has '{}'; write the whole path, from / on", root.display()));
        }
        if let Some(endpoint) = &self.telemetry.otlp_endpoint
            && !starts_with_one(endpoint, &["http://", "https://"])
        {
            return wrong("telemetry.otlp_endpoint must begin with http:// or https://".to_owned());
        }
        let cuda = self.device.strip_prefix("cuda:").is_some_and(|n| n.parse::<u16>().is_ok());
        if !cuda && !["auto", "cpu", "cuda"].contains(&self.device.as_str()) {
            return wrong(format!("device is '{}'; write auto, cpu or cuda:N", self.device));
        }
        Ok(())
    }

    fn check_signing(&self) -> Result<(), ConfigError> {
        for (name, key) in &self.plugins.trusted_keys {
            if let Err(why) = key.parse::<PublicKey>() {
                return wrong(format!("plugins.trusted_keys.{name}: {why}"));
            }
        }
        if self.plugins.trusted_keys.is_empty() && !self.plugins.require_signed_plugins.is_empty() {
            return wrong(
                "plugins.require_signed_plugins is set and plugins.trusted_keys is not, so no plugin could be used: name \
                 the keys whose signatures are believed"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        if !(0.0..=1.0).contains(&self.telemetry.sample_ratio) {
            return wrong(format!("telemetry.sample_ratio is {}; it must be from 0 to 1", self.telemetry.sample_ratio));
        }
        let at_least_one = [
            ("query.memory_bytes_max", self.query.memory_bytes_max as u64),
            ("query.rows_max", self.query.rows_max as u64),
            ("query.seconds_max", self.query.seconds_max),
            ("plugins.memory_bytes_max", self.plugins.memory_bytes_max as u64),
            ("plugins.call_ms_max", self.plugins.call_ms_max),
            ("plugins.instances_max", self.plugins.instances_max as u64),
            ("plugins.shared_memory_bytes_max", self.plugins.shared_memory_bytes_max as u64),
            ("plugins.idle_seconds_max", self.plugins.idle_seconds_max),
            ("plugins.compile_seconds_max", self.plugins.compile_seconds_max),
            ("jobs.workers", self.jobs.workers as u64),
            ("gc.every_seconds", self.gc.every_seconds),
            ("gc.blob_grace_seconds", self.gc.blob_grace_seconds),
            ("threads", self.threads.unwrap_or(1) as u64),
        ];
        match at_least_one.iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => wrong(format!("{key} is 0; it must be at least 1")),
            None => Ok(()),
        }
    }
}

fn starts_with_one(text: &str, schemes: &[&str]) -> bool {
    schemes.iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
}

fn wrong(message: String) -> Result<(), ConfigError> {
    Err(ConfigError::Rule(message))
}
