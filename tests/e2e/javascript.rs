use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tiegel_tests::{ProjectFolder, TestServer};

use crate::{apply, text};

const LINES: &str = "id,line\n1,EWR 14:05 +12.5\n2,JFK 09:30 -3\n3,nothing to see\n4,LGA 23:59 +940\n5,JFK 10:00 +4\n";

const PROJECT: &str = r#"apiVersion: tiegel/v1
kind: Dataset
metadata: {name: lines}
spec:
  source: {path: lines.csv}
---
kind: Pipeline
metadata: {name: delays}
spec:
  steps:
    chosen: {sql: "select id, line from lines", key: [id]}
    parsed:
      wasm: regex-extract
      columns: [line]
      config:
        pattern: '^(?<origin>[A-Z]{3}) (?<hour>\d\d):\d\d (?<delay>[+-]?[\d.]+)$'
        types: {hour: int64, delay: float64}
    bounded: {wasm: clip-outliers, columns: [delay], config: {lower: 0, upper: 0.75}, fit: {}}
    capped: {wasm: clip, columns: [delay], config: {max: 10}}
"#;

/// Builds the project in `folder` with the command line, as its author would.
fn build(server: &TestServer, folder: &ProjectFolder, name: &str) -> std::process::Output {
    server.cli_in(folder.path(), &["plugin", "build", name])
}

fn copy_example(folder: &ProjectFolder, name: &str) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/js/examples").join(name);
    fs::create_dir(folder.path().join(name)).unwrap();
    for file in ["plugin.ts", "tiegel-plugin.toml"] {
        fs::copy(example.join(file), folder.path().join(name).join(file)).unwrap();
    }
}

#[tokio::test]
async fn plugins_in_typescript_are_built_pushed_and_run_in_a_pipeline() {
    let server = TestServer::start().await;
    let folder = ProjectFolder::empty();
    copy_example(&folder, "clip");
    let built = build(&server, &folder, "clip");
    assert!(built.status.success(), "{}", text(&built.stderr));
    let pushed = server.cli_in(folder.path(), &["plugin", "push", "clip/clip.wasm"]);
    assert!(pushed.status.success(), "{}", text(&pushed.stderr));
    server.push_plugins(&["regex-extract", "clip-outliers"]).await;

    folder.write("lines.csv", LINES);
    folder.write("tiegel.yaml", PROJECT);
    apply(&server, &folder);
    server.run("pipeline/delays").await;

    let rows = server.get("/api/v1/projects/default/datasets/delays.capped/rows").await.body;
    let column = |name: &str| rows.as_array().unwrap().iter().map(|row| row[name].clone()).collect::<Vec<Value>>();
    assert_eq!(column("origin"), [json!("EWR"), json!("JFK"), Value::Null, json!("LGA"), json!("JFK")], "{rows}");
    assert_eq!(column("hour"), [json!(14), json!(9), Value::Null, json!(23), json!(10)]);
    assert_eq!(column("delay"), [json!(10.0), json!(-3.0), Value::Null, json!(10.0), json!(4.0)]);
    server.finish().await;
}

#[tokio::test]
async fn a_mistake_in_typescript_is_shown_with_file_and_line() {
    let server = TestServer::start().await;
    let folder = ProjectFolder::empty();
    copy_example(&folder, "clip");
    let source = folder.read("clip/plugin.ts");
    for (broken, expected) in [
        (source.replace("configure({ max }", "configure({ max "), "plugin.ts:14:"),
        (source.replace("\"@tiegel/plugin\"", "\"lodash\""), "Could not resolve \"lodash\""),
        (source.replace("export default class", "class"), "export default class"),
        (source.clone() + "\nthrow new Error(\"while loading\");\n", "while loading"),
    ] {
        folder.write("clip/plugin.ts", &broken);
        let built = build(&server, &folder, "clip");
        assert_eq!(built.status.code(), Some(1), "{}", text(&built.stdout));
        let said = text(&built.stderr);
        assert!(said.contains(expected), "'{expected}' is not in: {said}");
        assert!(said.contains("the plugin's JavaScript does not build"), "{said}");
    }
    server.finish().await;
}
