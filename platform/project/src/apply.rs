use serde::{Deserialize, Serialize};
use serde_json::Value;
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_spec::{Document, Spec};
use tiegel_store::ResourceChange;
use tiegel_types::{Digest, Kind, Name, ResourceRef, limits};

use crate::graph::{Graph, Snapshot, parse};
use crate::plan::{Change, ChangeAction, changes};
use crate::warnings::warnings;

/// A document as a client sends it: already parsed from YAML.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedDocument {
    pub kind: Kind,
    pub name: Name,
    pub spec: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    pub documents: Vec<PostedDocument>,
    /// Remove what the documents no longer name.
    #[serde(default)]
    pub prune: bool,
    /// Refuse if somebody applied since the plan that answered this serial.
    #[serde(default)]
    pub serial: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Applied {
    pub serial: i64,
    pub changes: Vec<Change>,
    pub warnings: Vec<String>,
}

/// Makes the documents the project's, all or none. Runs nothing.
pub async fn apply(ctx: &Ctx, project: &Name, request: &ApplyRequest, actor: &str) -> OpResult<Applied> {
    let wanted = wanted(request)?;
    let after = merged(ctx, project, request, &wanted).await?;
    check(ctx, project, &after).await?;
    check_global_names(ctx, project, &after).await?;
    let warnings = warnings(ctx, project, &after).await?;
    let changes = changes(ctx, project, &wanted, request.prune).await?;
    let rows: Vec<_> = changes.iter().filter(|c| c.action != ChangeAction::None).map(|c| row(c, &wanted)).collect();
    if rows.is_empty() {
        return Ok(Applied { serial: ctx.store.project_serial(project).await?, changes, warnings });
    }
    ctx.store.ensure_project(project, ctx.now_ms()).await?;
    let serial = ctx.store.apply_resources(project, &rows, request.serial, actor, ctx.now_ms()).await?;
    Ok(Applied { serial, changes, warnings })
}

pub(crate) fn wanted(request: &ApplyRequest) -> OpResult<Vec<(ResourceRef, Spec)>> {
    if request.documents.len() > limits::DOCUMENTS_MAX {
        let message =
            format!("{} documents were sent; at most {} are taken", request.documents.len(), limits::DOCUMENTS_MAX);
        return Err(OpError::Limit(message));
    }
    let read = |document: &PostedDocument| {
        let reference = ResourceRef::new(document.kind, document.name.clone());
        let spec = parse(document.kind, &document.spec).map_err(|e| e.at(&reference.to_string()))?;
        Ok((reference, spec))
    };
    request.documents.iter().map(read).collect()
}

/// The project as it will be.
pub(crate) async fn merged(
    ctx: &Ctx,
    project: &Name,
    request: &ApplyRequest,
    wanted: &[(ResourceRef, Spec)],
) -> OpResult<Snapshot> {
    let mut after = if request.prune { Snapshot::default() } else { Snapshot::load(ctx, project).await? };
    for (reference, spec) in wanted {
        after.insert(reference.name.clone(), spec.clone());
    }
    Ok(after)
}

/// Refuses documents that could never run: unknown tables, plugins, pipelines, cycles.
pub(crate) async fn check(ctx: &Ctx, project: &Name, snapshot: &Snapshot) -> OpResult<()> {
    for (kind, names) in [
        (Kind::Pipeline, snapshot.pipelines.keys().collect::<Vec<_>>()),
        (Kind::Training, snapshot.trainings.keys().collect()),
        (Kind::Endpoint, snapshot.endpoints.keys().collect()),
    ] {
        for name in names {
            let target = ResourceRef::new(kind, name.clone());
            Graph::of(ctx, project, snapshot, &target).await.map_err(|e| e.at(&target.to_string()))?;
        }
    }
    Ok(())
}

/// The protocols' URLs have no project, so endpoint names are the server's.
async fn check_global_names(ctx: &Ctx, project: &Name, snapshot: &Snapshot) -> OpResult<()> {
    for other in ctx.store.projects().await? {
        if other.name == *project {
            continue;
        }
        for row in ctx.store.resources(&other.name).await? {
            if row.kind == Kind::Endpoint && snapshot.endpoints.contains_key(&row.name) {
                let message = format!(
                    "endpoint '{}' exists in project '{}'; endpoint names are unique in a server, choose another",
                    row.name, other.name
                );
                return Err(OpError::Conflict(message));
            }
        }
    }
    Ok(())
}

fn row(change: &Change, wanted: &[(ResourceRef, Spec)]) -> ResourceChange {
    let reference = ResourceRef::new(change.kind, change.name.clone());
    let spec = wanted.iter().find(|(r, _)| *r == reference).map(|(_, spec)| spec.to_json());
    let digest = spec.as_ref().map(Digest::of_json);
    ResourceChange { kind: change.kind, name: change.name.clone(), spec: spec.zip(digest) }
}

/// The project's documents as YAML that `apply` takes back.
pub async fn export(ctx: &Ctx, project: &Name) -> OpResult<String> {
    let mut documents = Vec::new();
    for row in ctx.store.resources(project).await? {
        let spec = parse(row.kind, &row.spec)?;
        documents.push(Document::new(project.clone(), row.name, spec));
    }
    if documents.is_empty() {
        return Err(OpError::NotFound(format!(
            "project '{project}' has no documents; apply some with `tiegel apply -f FOLDER`"
        )));
    }
    Ok(tiegel_spec::export(&documents))
}
