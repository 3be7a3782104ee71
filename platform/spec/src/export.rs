use serde_json::Value;

use crate::Document;

/// Documents as one YAML file that `parse` reads back to the same documents.
///
/// Scalars that YAML 1.1 and 1.2 read differently are quoted. The documents must be of one project.
pub fn export(documents: &[Document]) -> String {
    debug_assert!(documents.windows(2).all(|pair| pair[0].project == pair[1].project), "one project at a time");
    let framed: Vec<Value> = documents.iter().enumerate().map(|(i, d)| d.framed(i == 0)).collect();
    let yaml = |document| serde_saphyr::to_string(document).expect("YAML can hold any JSON");
    framed.iter().map(yaml).collect::<Vec<_>>().join("---\n")
}
