use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiegel_types::limits;

use crate::Secret;

/// Everything an operator can set. As environment variables: `TIEGEL_` and the key in capitals, `__` between levels, such
/// as `TIEGEL_QUERY__ROWS_MAX=1000`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port. Beyond loopback it needs `admin_token`.
    pub listen: SocketAddr,
    /// Where the database, blobs and compiled plugins lie unless they are elsewhere.
    pub data_dir: PathBuf,
    /// `postgres://user:password@host/database`; SQLite in `data_dir` where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<Secret>,
    /// What an acknowledged write to SQLite survives. Postgres decides by its own `synchronous_commit`.
    pub database_synchronous: Synchronous,
    /// `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///…`. Where it is not set: `.tiegel` in `artifacts_destination`,
    /// or a folder in `data_dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blobs_url: Option<String>,
    /// Credentials and settings of the blob store, such as `aws_access_key_id`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub blob_options: BTreeMap<String, Secret>,
    /// Where new experiments keep their artifacts: `mlflow-artifacts:/` is this server. A folder or a URL such as
    /// `s3://bucket/prefix` is where clients write by themselves.
    pub default_artifact_root: String,
    /// A folder or URL for artifacts that come through this server. Files that are there by their names already, as
    /// MLflow's own server left them, are read too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts_destination: Option<String>,
    /// Asked of every request but `/health/*`, at least 16 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_token: Option<Secret>,
    /// Host names under which the server is reached, besides localhost.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may change state, besides the server's own.
    pub allowed_origins: Vec<String>,
    /// Folders that `file://` sources may read.
    pub source_roots: Vec<PathBuf>,
    /// Threads for requests and for computing; one per core where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// `cpu`, `cuda:N` or `auto`.
    pub device: String,
    pub query: QueryConfig,
    pub plugins: PluginsConfig,
    pub jobs: JobsConfig,
    pub webhooks: WebhooksConfig,
    pub gc: GcConfig,
    pub telemetry: TelemetryConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8484)),
            data_dir: PathBuf::from("./tiegel-data"),
            database_url: None,
            database_synchronous: Synchronous::default(),
            blobs_url: None,
            blob_options: BTreeMap::new(),
            default_artifact_root: "mlflow-artifacts:/".to_owned(),
            artifacts_destination: None,
            admin_token: None,
            allowed_hosts: vec![],
            allowed_origins: vec![],
            source_roots: vec![],
            threads: None,
            device: "auto".to_owned(),
            query: QueryConfig::default(),
            plugins: PluginsConfig::default(),
            jobs: JobsConfig::default(),
            webhooks: WebhooksConfig::default(),
            gc: GcConfig::default(),
            telemetry: TelemetryConfig::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// The end of the process, `kill -9` too. A power cut may take the last moments, and never leaves half a write.
    #[default]
    Normal,
    /// A power cut as well: each commit waits for the disk. Writers that come together share one.
    Full,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueryConfig {
    /// Bytes that all queries and steps together may hold in memory; then they spill to disk.
    pub memory_bytes_max: usize,
    /// Rows that one exploring query answers.
    pub rows_max: usize,
    pub seconds_max: u64,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self { memory_bytes_max: 2 << 30, rows_max: limits::QUERY_ROWS_MAX, seconds_max: limits::QUERY_SECONDS_MAX }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PluginsConfig {
    /// Linear memory of one instance.
    pub memory_bytes_max: usize,
    /// One call in a pipeline.
    pub call_ms_max: u64,
    /// Instances alive at once, of all plugins.
    pub instances_max: usize,
    /// Linear memory of all instances of one plugin.
    pub shared_memory_bytes_max: usize,
    /// An instance that nobody calls is dropped after this.
    pub idle_seconds_max: u64,
    /// Compiling one plugin.
    pub compile_seconds_max: u64,
    /// Whose signatures are believed: the public keys that `tiegel plugin keygen` prints, by a name of your choice.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub trusted_keys: BTreeMap<String, String>,
    /// The projects that take, compile and run only plugins that are signed by one of the trusted keys; `*` is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub require_signed_plugins: Vec<String>,
}

impl Default for PluginsConfig {
    fn default() -> Self {
        Self {
            memory_bytes_max: limits::PLUGIN_MEMORY_BYTES_MAX,
            call_ms_max: limits::PLUGIN_CALL_MS_MAX,
            instances_max: 64,
            shared_memory_bytes_max: 2 << 30,
            idle_seconds_max: 300,
            compile_seconds_max: 120,
            trusted_keys: BTreeMap::new(),
            require_signed_plugins: vec![],
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JobsConfig {
    /// Jobs that run at once on this node.
    pub workers: usize,
}

impl Default for JobsConfig {
    fn default() -> Self {
        Self { workers: 1 }
    }
}

/// What webhooks may make this server call. By default only addresses of the internet, over https.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    /// Also addresses of this machine and of its own network.
    pub allow_private_addresses: bool,
    /// Also `http://`.
    pub allow_http: bool,
    /// The base64 of 32 bytes, with which webhooks' secrets are encrypted in the database. Where it is not set:
    /// `webhooks.key` in `data_dir`, which the first start makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<Secret>,
}

/// What is removed for good in the background; `tiegel gc` does it at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GcConfig {
    /// The time from one pass to the next.
    pub every_seconds: u64,
    /// How long deleted runs, experiments and logged models can be restored. Where it is not set they stay until
    /// `tiegel gc` removes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_deleted_seconds: Option<u64>,
    /// How long stored contents stay that nothing names: at least what an upload takes from its last byte to its row.
    pub blob_grace_seconds: u64,
}

impl Default for GcConfig {
    fn default() -> Self {
        Self {
            every_seconds: limits::GC_SECONDS,
            keep_deleted_seconds: None,
            blob_grace_seconds: limits::BLOB_GRACE_SECONDS,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Log directives such as `info,tiegel_query=debug`.
    pub log: String,
    pub log_format: LogFormat,
    /// Where traces go: OTLP over HTTP, such as `http://127.0.0.1:4318`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<String>,
    /// Share of traces that are exported, 0 to 1.
    pub sample_ratio: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log: "info".to_owned(), log_format: LogFormat::Text, otlp_endpoint: None, sample_ratio: 1.0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    /// One JSON object a line.
    Json,
}
