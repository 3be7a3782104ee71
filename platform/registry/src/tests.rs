use serde_json::json;
use tiegel_context::testing::TestContext;
use tiegel_types::{DType, Field, Schema, Table, Task};

use super::*;

fn columns(names: &[(&str, DType)]) -> Schema {
    Schema::new(names.iter().map(|(name, dtype)| Field::new(*name, *dtype)).collect())
}

async fn stored(ctx: &Context) -> Digest {
    let input = columns(&[("distance", DType::Float64), ("carrier", DType::Utf8)]);
    let plugin = ctx.blobs.put_bytes("wasm".into()).await.unwrap();
    let stage = Stage::Wasm {
        step: "halved".to_owned(),
        plugin,
        label: "halve@1.0.0".to_owned(),
        config: json!({}),
        input: input.clone(),
        state: None,
        keep: vec![],
    };
    let table = || Table { schema: columns(&[]), files: vec![], rows: 0 };
    let bundle = Bundle {
        format: Bundle::FORMAT,
        input,
        stages: vec![stage],
        model: BundleModel {
            task: Task::Binary,
            target: "late".to_owned(),
            features: columns(&[("half", DType::Float64)]),
            weights: ctx.blobs.put_bytes("weights".into()).await.unwrap(),
            config: json!({}),
        },
        metrics: Metrics::from([("auc".to_owned(), 0.7)]),
        replay: ReplayTables { raw: table(), features: table() },
    };
    put_bundle(ctx, &bundle).await.unwrap()
}

fn registration(bundle: Digest) -> Registration {
    Registration {
        project: "default".parse().unwrap(),
        model: "delay".parse().unwrap(),
        alias: Some("champion".parse().unwrap()),
        bundle,
        run: None,
        metrics: Metrics::from([("auc".to_owned(), 0.7)]),
        actor: "test".to_owned(),
    }
}

#[tokio::test]
async fn a_registered_bundle_has_files_a_signature_and_a_lineage() {
    let context = TestContext::new().await;
    let ctx = &context.ctx;
    let bundle = stored(ctx).await;
    let row = register(ctx, registration(bundle)).await.unwrap();
    let folder = format!("bundles/{}", bundle.hex());
    assert_eq!((&row.source, &row.storage_location), (&format!("mlflow-artifacts:/{folder}"), &row.source));
    let expected = json!({
        "inputs": [
            { "type": "double", "name": "distance", "required": false },
            { "type": "string", "name": "carrier", "required": false },
        ],
        "outputs": [{ "type": "double", "name": "late", "required": true }],
        "params": null,
    });
    assert_eq!(row.signature, Some(expected.clone()));
    let listed = ctx.store.list_artifacts(&folder, None, 9).await.unwrap().entries;
    let listed: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.bytes.is_some())).collect();
    assert_eq!(listed, [("MLmodel", true), ("bundle.json", true), ("stages", false), ("weights.safetensors", true)]);

    let file = ctx.store.artifact(&format!("{folder}/MLmodel")).await.unwrap().unwrap();
    let description: Value = serde_json::from_slice(&ctx.blobs.get(&file.digest).await.unwrap()).unwrap();
    let inputs: Value = serde_json::from_str(description["signature"]["inputs"].as_str().unwrap()).unwrap();
    assert_eq!((&inputs, &description["signature"]["params"]), (&expected["inputs"], &Value::Null));
    assert_eq!(description["flavors"]["tiegel"]["bundle"], json!(bundle));

    let lineage = lineage(ctx, &row).await.unwrap();
    assert_eq!(lineage.plugins, [("halve@1.0.0".to_owned(), Digest::of(b"wasm"))]);
    assert_eq!(register(ctx, registration(bundle)).await.unwrap(), row, "again changes nothing");
}

#[tokio::test]
async fn what_an_endpoint_asks_for_is_a_bundle_or_is_said_to_be_none() {
    let context = TestContext::new().await;
    let ctx = &context.ctx;
    let bundle = stored(ctx).await;
    let (model, champion) = ("delay".parse().unwrap(), "champion".parse().unwrap());
    let project = "default".parse().unwrap();
    let wish = |alias, version| Wish { project: &project, model: &model, alias, version };
    assert_eq!(resolve(ctx, wish(Some(&champion), None)).await.unwrap(), Wanted::Missing);
    register(ctx, registration(bundle)).await.unwrap();
    let wanted = WantedBundle { version: 1, bundle };
    assert_eq!(resolve(ctx, wish(Some(&champion), None)).await.unwrap(), Wanted::Bundle(wanted));
    assert_eq!(resolve(ctx, wish(None, Some(1))).await.unwrap(), Wanted::Bundle(wanted));
    assert_eq!(resolve(ctx, wish(None, Some(2))).await.unwrap(), Wanted::Missing);
}
