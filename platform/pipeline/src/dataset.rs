use serde::{Deserialize, Serialize};
use serde_json::json;
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_engine::{IngestRequest, SourceFile};
use tiegel_spec::{DatasetSpec, SourceBlob};
use tiegel_store::NewDatasetVersion;
use tiegel_types::{Name, Profile, Table, TestReport, limits};
use tokio_util::sync::CancellationToken;
use tracing::instrument;

use crate::inputs::Inputs;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetOutput {
    pub table: Table,
}

/// The files of a dataset's source, as blobs: what the client uploaded, or what the server fetched from `url` just now.
pub async fn import_source(ctx: &Ctx, spec: &DatasetSpec, roots: &[std::path::PathBuf]) -> OpResult<Vec<SourceBlob>> {
    let Some(url) = &spec.source.url else {
        return uploaded(ctx, spec).await;
    };
    let files =
        ctx.blobs.import_url(url, roots).await.map_err(|e| OpError::invalid("unreadable_source", e.to_string()))?;
    if files.is_empty() || files.len() > limits::SOURCE_FILES_MAX {
        let message = format!("{url} matches {} files; 1 to {} are read", files.len(), limits::SOURCE_FILES_MAX);
        return Err(OpError::invalid("unreadable_source", message));
    }
    Ok(files.into_iter().map(|f| SourceBlob { path: f.name, digest: f.digest, bytes: f.bytes }).collect())
}

async fn uploaded(ctx: &Ctx, spec: &DatasetSpec) -> OpResult<Vec<SourceBlob>> {
    if spec.source.files.is_empty() {
        let message =
            "its source has no files: apply the project folder with `tiegel apply`, which uploads what `path` matches";
        return Err(OpError::invalid("missing_source", message));
    }
    for file in &spec.source.files {
        if !ctx.blobs.exists(&file.digest).await? {
            let message =
                format!("the file '{}' was not uploaded; run `tiegel apply` again in the project folder", file.path);
            return Err(OpError::invalid("missing_source", message));
        }
    }
    Ok(spec.source.files.clone())
}

/// What a dataset version depends on.
pub fn dataset_inputs(ctx: &Ctx, spec: &DatasetSpec, files: &[SourceBlob]) -> Inputs {
    let mut inputs = Inputs::default();
    for file in files {
        inputs.add(format!("file {}", file.path), file.digest.to_string());
    }
    inputs.add("format", json!(spec.source.format));
    inputs.add("columns", json!(spec.columns));
    inputs.add("null values", json!(spec.null_values));
    inputs.add("tests", json!(spec.tests));
    inputs.add("engine", ctx.tables.version());
    inputs
}

/// Reads a source into a new version: Parquet, profile, declared tests. A failing test refuses the version.
#[instrument(name = "dataset.ingest", skip_all, fields(dataset = %name))]
pub async fn ingest_dataset(
    ctx: &Ctx,
    (project, name): (&Name, &Name),
    spec: &DatasetSpec,
    files: &[SourceBlob],
    cancel: CancellationToken,
) -> OpResult<DatasetOutput> {
    let scratch = ctx.scratch()?;
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        let path = ctx.blobs.fetch_to(&file.digest, scratch.path()).await?;
        sources.push(SourceFile { label: file.path.clone(), path });
    }
    let request = IngestRequest {
        files: sources,
        format: spec.source.format,
        columns: spec.columns.clone(),
        null_values: spec.null_values.clone(),
        scratch: scratch.path().to_owned(),
    };
    let written = ctx.tables.ingest(request, cancel).await?;
    let table = ctx.store_table(written).await?;
    let reports = ctx.tables.check(&table, &spec.tests).await?;
    refuse_failed(name, &reports)?;
    let profile = ctx.tables.profile(&table).await?;
    record_version(ctx, project, name, Recorded { table: &table, profile: Some(profile), tests: reports }).await?;
    Ok(DatasetOutput { table })
}

pub(crate) struct Recorded<'a> {
    pub table: &'a Table,
    pub profile: Option<Profile>,
    pub tests: Vec<TestReport>,
}

/// Makes a table the current version of a dataset. The same content twice is one version.
pub(crate) async fn record_version(ctx: &Ctx, project: &Name, name: &Name, recorded: Recorded<'_>) -> OpResult<()> {
    let Recorded { table, profile, tests } = recorded;
    let new = NewDatasetVersion {
        project: project.clone(),
        name: name.clone(),
        digest: table.digest(),
        table: table.clone(),
        profile,
        tests,
        created_ms: ctx.now_ms(),
    };
    ctx.store.add_dataset_version(new).await?;
    Ok(())
}

fn refuse_failed(name: &Name, reports: &[TestReport]) -> OpResult<()> {
    let failed: Vec<_> = reports.iter().filter(|r| !r.passed).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let mut message =
        format!("{} of {} tests of dataset '{name}' failed; no version was made", failed.len(), reports.len());
    for report in failed {
        message.push_str(&format!("\n  {}: {} rows fail", report.test, report.failing_rows));
        if let Some(sample) = report.samples.first() {
            message.push_str(&format!(", such as {sample}"));
        }
    }
    Err(OpError::invalid("tests_failed", message))
}

/// Makes a stored table the current version of its dataset again, where it is not.
pub async fn make_current(ctx: &Ctx, project: &Name, name: &Name, table: &Table) -> OpResult<()> {
    let current = ctx.store.dataset_version(project, name, None).await?;
    if current.is_some_and(|row| row.digest == table.digest()) {
        return Ok(());
    }
    record_version(ctx, project, name, Recorded { table, profile: None, tests: vec![] }).await
}
