use crate::{Config, ConfigError};

/// Characters of an admin token.
const TOKEN_CHARS_MIN: usize = 16;

impl Config {
    /// What no single key can say.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |message: String| Err(ConfigError::Rule(message));
        if !self.listen.ip().is_loopback() && self.admin_token.is_none() {
            return wrong(format!(
                "listening on {} lets other machines in, so it needs an admin token: set admin_token in the config file or \
                 TIEGEL_ADMIN_TOKEN, at least {TOKEN_CHARS_MIN} characters; or listen on 127.0.0.1",
                self.listen
            ));
        }
        if let Some(token) = &self.admin_token
            && token.expose().chars().count() < TOKEN_CHARS_MIN
        {
            return wrong(format!("admin_token is too short: use at least {TOKEN_CHARS_MIN} characters"));
        }
        if let Some(url) = &self.database_url
            && !["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme))
        {
            return wrong("database_url must begin with postgres:// or sqlite://".to_owned());
        }
        if !(0.0..=1.0).contains(&self.telemetry.sample_ratio) {
            return wrong(format!("telemetry.sample_ratio is {}; it must be from 0 to 1", self.telemetry.sample_ratio));
        }
        let at_least_one = [
            ("query.memory_bytes_max", self.query.memory_bytes_max),
            ("query.rows_max", self.query.rows_max),
            ("plugins.memory_bytes_max", self.plugins.memory_bytes_max),
            ("plugins.instances_max", self.plugins.instances_max),
            ("jobs.workers", self.jobs.workers),
            ("threads", self.threads.unwrap_or(1)),
        ];
        if let Some((key, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return wrong(format!("{key} is 0; it must be at least 1"));
        }
        Ok(())
    }
}
