use serde_json::Value;

use crate::Document;

/// A text that YAML cannot hold, such as one with control characters.
#[derive(Debug, thiserror::Error)]
#[error("the documents cannot be written as YAML: {0}")]
pub struct ExportError(String);

/// Documents as one YAML file that `parse` reads back to the same documents.
///
/// Scalars that YAML 1.1 and 1.2 read differently are quoted. The documents must be of one project.
pub fn export(documents: &[Document]) -> Result<String, ExportError> {
    debug_assert!(documents.windows(2).all(|pair| pair[0].project == pair[1].project), "one project at a time");
    let framed: Vec<Value> = documents.iter().enumerate().map(|(i, d)| d.framed(i == 0)).collect();
    let texts = framed.iter().map(serde_saphyr::to_string).collect::<Result<Vec<_>, _>>();
    Ok(texts.map_err(|e| ExportError(e.to_string()))?.join("---\n"))
}
