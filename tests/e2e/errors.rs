//! What users see when they get something wrong: where it is, what is wrong, what to do.

use tiegel_tests::{ProjectFolder, TestServer};

use crate::{PLUGINS, apply, refused};

const DATASET: &str =
    "apiVersion: tiegel/v1\nkind: Dataset\nmetadata: {name: cities}\nspec:\n  source: {path: cities.csv}\n";

fn cities(csv: &str, more: &str) -> ProjectFolder {
    let folder = ProjectFolder::empty();
    folder.write("cities.csv", csv);
    folder.write("tiegel.yaml", &format!("{DATASET}{more}"));
    folder
}

async fn ingest_error(server: &TestServer, csv: &str, more: &str) -> String {
    apply(server, &cities(csv, more));
    server.run_failing("dataset/cities").await
}

#[tokio::test]
async fn malformed_input_names_file_row_and_column() {
    let server = TestServer::start().await;
    let mut csv = "id,height\n".to_owned();
    for id in 0..25_000 {
        csv.push_str(&format!("{id},1.5\n"));
    }
    csv.push_str("25000,tall\n");
    let error = ingest_error(&server, &csv, "").await;
    for part in ["cities.csv", "height", "tall", "25002"] {
        assert!(error.contains(part), "'{part}' is not in: {error}");
    }
    let ragged = ingest_error(&server, "id,height\n1,1.5\n2\n", "").await;
    assert!(ragged.contains("cities.csv"), "{ragged}");
    server.finish().await;
}

#[tokio::test]
async fn a_failing_test_refuses_the_version_and_shows_rows() {
    let server = TestServer::start().await;
    let tests = "  tests: [{not_null: [city]}, {unique: [id]}, {accepted: {column: city, in: [Bern]}}, {range: {column: id, max: 2}}, {rows: {min: 9}}, {sql: select * from this where id = 1}]\n";
    let error = ingest_error(&server, "id,city\n1,Bern\n1,\n3,Wien\n", tests).await;
    assert!(error.contains("6 of 6 tests of dataset 'cities' failed; no version was made"), "{error}");
    assert!(error.contains("Wien"), "{error}");
    assert_eq!(server.get("/api/v1/projects/default/datasets/cities").await.status, 404);
    server.finish().await;
}

#[tokio::test]
async fn documents_that_are_wrong_point_at_file_line_and_field() {
    let server = TestServer::start().await;
    let folder = cities("id\n1\n", "");
    folder.write("tiegel.yaml", &DATASET.replace("source", "sauce"));
    let error = refused(&server, &folder, &["plan"]);
    assert!(error.contains("tiegel.yaml:5") && error.contains("sauce") && error.contains("source"), "{error}");

    folder.write("tiegel.yaml", &DATASET.replace("cities.csv", "missing.csv"));
    let error = refused(&server, &folder, &["plan"]);
    assert!(error.contains("'missing.csv' matches no file"), "{error}");

    folder.write("tiegel.yaml", &DATASET.replace("cities.csv", "../cities.csv"));
    let error = refused(&server, &folder, &["plan"]);
    assert!(error.contains("leaves the project folder"), "{error}");
    server.finish().await;
}

#[tokio::test]
async fn a_plan_says_why_a_pipeline_cannot_run() {
    let server = TestServer::start().await;
    let folder = ProjectFolder::flights();
    let error = refused(&server, &folder, &["plan"]);
    assert!(error.contains("there is no plugin 'impute'") && error.contains("tiegel plugin push"), "{error}");

    server.push_plugins(&PLUGINS).await;
    folder.edit("from flights f", "from fligths f");
    let error = refused(&server, &folder, &["plan"]);
    assert!(error.contains("step 'joined'") && error.contains("there is no table 'fligths'"), "{error}");

    folder.edit("from fligths f", "from encoded f");
    let error = refused(&server, &folder, &["plan"]);
    assert!(error.contains("the steps read each other in a circle: joined reads encoded"), "{error}");
    server.finish().await;
}

#[tokio::test]
async fn a_step_that_fails_names_itself_and_the_column() {
    let server = TestServer::start().await;
    server.push_plugins(&PLUGINS).await;
    let folder = ProjectFolder::flights();
    folder.edit("columns: [distance, wind], fit", "columns: [distanz, wind], fit");
    apply(&server, &folder);
    let error = server.run_failing("pipeline/features").await;
    assert!(error.contains("step 'features.scaled'") && error.contains("there is no column 'distanz'"), "{error}");

    folder.edit("distanz", "distance");
    folder.edit("key: [id]", "key: [origin]");
    apply(&server, &folder);
    let error = server.run_failing("pipeline/features").await;
    assert!(error.contains("step 'features.joined'") && error.contains("origin"), "{error}");

    folder.edit("key: [origin]", "key: [id]");
    folder.edit("select f.id,", "select random() as r, f.id,");
    apply(&server, &folder);
    let error = server.run_failing("pipeline/features").await;
    assert!(error.contains("random"), "{error}");
    server.finish().await;
}

#[tokio::test]
async fn a_pipeline_that_cannot_be_served_says_why_at_plan() {
    let server = TestServer::start().await;
    server.push_plugins(&PLUGINS).await;
    let folder = ProjectFolder::flights();
    folder.edit("  split: {step: joined", "  serveFrom: joined\n  split: {step: joined");
    apply(&server, &folder);
    server.run("pipeline/features").await;
    let error = refused(&server, &folder, &["plan"]);
    assert!(
        error.contains(
            "cannot be served: serveFrom: joined asks for steps that are not row-wise: step 'joined' reads 2 tables"
        ),
        "{error}"
    );
    server.finish().await;
}

#[tokio::test]
async fn a_feature_made_from_the_target_is_refused() {
    let server = TestServer::start().await;
    server.push_plugins(&PLUGINS).await;
    let folder = ProjectFolder::flights();
    folder.edit(
        "timed: {wasm: calendar",
        "leaked: {sql: \"select *, cast(late as double) * 2 as echo from filled\"}\n    timed: {wasm: calendar",
    );
    apply(&server, &folder);
    let error = server.run_failing("training/delay").await;
    assert!(error.contains("a feature is computed from 'late'"), "{error}");
    server.finish().await;
}

#[tokio::test]
async fn a_target_that_does_not_exist_lists_the_columns() {
    let server = TestServer::start().await;
    server.push_plugins(&PLUGINS).await;
    let folder = ProjectFolder::flights();
    folder.edit("target: late", "target: delayed");
    apply(&server, &folder);
    let error = server.run_failing("training/delay").await;
    assert!(error.contains("target 'delayed' is no column of the pipeline's output"), "{error}");
    server.finish().await;
}

#[tokio::test]
async fn running_what_is_not_there_lists_what_is() {
    let server = TestServer::start().await;
    let folder = cities("id\n1\n", "");
    apply(&server, &folder);
    assert_eq!(
        refused(&server, &folder, &["run", "dataset/towns"]),
        "there is no dataset 'towns' in this project; there is: dataset/cities [not_found]"
    );
    let wrong = server.cli(&["run", "towns"]);
    assert!(crate::text(&wrong.stderr).contains("write KIND/NAME"), "{}", crate::text(&wrong.stderr));
    server.finish().await;
}

#[tokio::test]
async fn an_apply_on_an_older_plan_is_refused() {
    let server = TestServer::start().await;
    let folder = cities("id\n1\n", "");
    apply(&server, &folder);
    folder.write("tiegel.yaml", &format!("{DATASET}  description: changed\n"));
    let error = refused(&server, &folder, &["apply", "--serial", "0"]);
    assert!(error.contains("[conflict]"), "{error}");
    server.finish().await;
}

#[tokio::test]
async fn a_plugin_that_is_none_is_refused() {
    let server = TestServer::start().await;
    let folder = ProjectFolder::empty();
    folder.write("x.wasm", "no wasm at all");
    let error = refused(&server, &folder, &["plugin", "push", "x.wasm"]);
    assert!(error.contains("x.wasm was refused") && error.contains("component"), "{error}");
    server.finish().await;
}
