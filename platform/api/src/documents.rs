use serde::{Deserialize, Serialize};
use tiegel_http::{ApiError, Json, Problem, ProblemItem};
use tiegel_project::PostedDocument;
use tiegel_spec::{Diagnostic, SourceText};
use utoipa::ToSchema;

use crate::ApiResult;

/// The files of a project folder, for clients that bring no YAML reader of their own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParseDocuments {
    pub files: Vec<DocumentFile>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentFile {
    /// What messages call it.
    pub name: String,
    /// YAML or JSON; one document or several with `---` between.
    pub text: String,
}

#[derive(Serialize, ToSchema)]
pub struct ParsedDocuments {
    /// The project that the files name, or `default`.
    pub project: String,
    /// As plan and apply take them, once the client has put the text of SQL files in the place of their names, and the
    /// digests of data files beside `source.path`.
    #[schema(value_type = Vec<Object>)]
    pub documents: Vec<PostedDocument>,
    pub warnings: Vec<String>,
}

/// Reads documents; keeps and changes nothing.
#[utoipa::path(post, path = "/api/v1/documents/parse", tag = "projects", request_body = ParseDocuments,
    responses((status = 200, body = ParsedDocuments), (status = "4XX", body = Problem)))]
pub async fn parse_documents(Json(request): Json<ParseDocuments>) -> ApiResult<Json<ParsedDocuments>> {
    let files: Vec<_> = request.files.into_iter().map(|f| SourceText { name: f.name, text: f.text }).collect();
    let parsed = tiegel_spec::parse(&files).map_err(|diagnostics| {
        let errors = diagnostics.iter().map(item).collect();
        let detail = "the documents cannot be read; mend what `errors` lists";
        ApiError::unprocessable("invalid_documents", detail).with_errors(errors)
    })?;
    let document =
        |d: &tiegel_spec::Document| PostedDocument { kind: d.kind, name: d.name.clone(), spec: d.spec.to_json() };
    Ok(Json(ParsedDocuments {
        project: parsed.project.to_string(),
        documents: parsed.documents.iter().map(document).collect(),
        warnings: parsed.warnings.iter().map(ToString::to_string).collect(),
    }))
}

fn item(diagnostic: &Diagnostic) -> ProblemItem {
    let Diagnostic { location, field, message, hint, .. } = diagnostic;
    let place = [location.file.as_str(), field.as_str()].into_iter().filter(|part| !part.is_empty());
    let detail = match hint {
        Some(hint) => format!("{message}: {hint}"),
        None => message.clone(),
    };
    let item = ProblemItem::new(place.collect::<Vec<_>>().join(": "), detail);
    if location.line == 0 { item } else { item.at(location.line as usize, location.column as usize) }
}
