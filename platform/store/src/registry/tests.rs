mod bundles;
mod clients;
mod logged;
mod webhooks;

use serde_json::json;
use tiegel_types::Name;

use super::{Change, Made, ModelRow, NewModel, NewVersion, Tags};
use crate::Store;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn by(actor: &str, at_ms: i64) -> Change {
    Change { actor: actor.to_owned(), at_ms, project: name("default") }
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn model(store: &Store, model: &str, of: &[(&str, &str)]) -> ModelRow {
    let new = NewModel { project: name("default"), name: model.to_owned(), description: String::new(), tags: tags(of) };
    match store.create_model(new, by("ana", 1)).await.unwrap() {
        Made::Made(row) => row,
        taken => panic!("{taken:?}"),
    }
}

fn version(model: &str, of: &[(&str, &str)]) -> NewVersion {
    NewVersion {
        model: model.to_owned(),
        source: "s3://bucket/model".to_owned(),
        storage_location: "s3://bucket/model".to_owned(),
        run_id: "r1".to_owned(),
        run_link: String::new(),
        logged_model_id: None,
        description: None,
        user: None,
        signature: Some(json!({ "inputs": [] })),
        tags: tags(of),
    }
}

async fn moves(store: &Store) -> Vec<String> {
    let audit = store.audit(99, None).await.unwrap();
    audit.iter().rev().map(|row| format!("{} {} {}", row.action, row.subject, row.detail)).collect()
}
