use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::client::Client;
use super::output::{self, Format, cell};

/// Fields of the answer, and what people call them.
const LINES: [(&str, &str); 7] = [
    ("runs", "runs"),
    ("experiments", "experiments"),
    ("logged_models", "logged models"),
    ("traces", "traces"),
    ("files", "files"),
    ("uploads", "uploads that were not completed"),
    ("blobs", "stored contents"),
];

#[derive(Args)]
pub struct GcArgs {
    /// Only say what would be removed.
    #[arg(long)]
    dry_run: bool,
    /// Only what was deleted this long ago, such as `30d`, `8h` or `2d8h5m20s`; by default all that is deleted. Stored
    /// contents always stay for `gc.blob_grace_seconds` of the server's config, a day unless it says otherwise.
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
}

pub async fn collect(client: &Client, args: &GcArgs) -> anyhow::Result<ExitCode> {
    let GcArgs { dry_run, older_than } = args;
    let collected: Value = client.post("/api/v1/gc", &json!({ "dry_run": dry_run, "older_than": older_than })).await?;
    if client.format == Format::Json {
        return output::json(&collected);
    }
    println!("{}", if *dry_run { "would be removed:" } else { "removed:" });
    for (field, name) in LINES {
        println!("  {:>8} {name}", cell(&collected[field]));
    }
    println!("  {:>8} bytes of them", cell(&collected["bytes"]));
    Ok(ExitCode::SUCCESS)
}
