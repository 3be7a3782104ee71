use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Value, json};
use tiegel_tests::{ProjectFolder, TestServer};

use crate::apply;

const CSV: &str = "id,city,height\n1,Köln,1.5\n2,Bern,\n3,Wien,2.5\n";

fn batch() -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("city", DataType::Utf8, true),
        Field::new("height", DataType::Float64, true),
    ]);
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 3])),
        Arc::new(StringArray::from(vec!["Köln", "Bern", "Wien"])),
        Arc::new(Float64Array::from(vec![Some(1.5), None, Some(2.5)])),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn parquet_bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch().schema(), None).unwrap();
    writer.write(&batch()).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow_bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &batch().schema()).unwrap();
    writer.write(&batch()).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

/// Uploads a body as a dataset; answers its rows as JSON.
async fn upload(server: &TestServer, name: &str, query: &str, body: Vec<u8>) -> Value {
    let url = format!("{}/api/v1/projects/default/datasets/{name}/rows?{query}", server.url);
    let answer = server.http.post(url).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    let job: Value = answer.json().await.unwrap();
    let job = server.wait_job(job["id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "succeeded", "{}", job["error"]);
    server.get(&format!("/api/v1/projects/default/datasets/{name}/rows")).await.body
}

#[tokio::test]
async fn every_format_gives_the_same_table() {
    let server = TestServer::start().await;
    let expected = json!([
        { "id": 1, "city": "Köln", "height": 1.5 },
        { "id": 2, "city": "Bern", "height": null },
        { "id": 3, "city": "Wien", "height": 2.5 },
    ]);
    let json_lines = "{\"id\":1,\"city\":\"Köln\",\"height\":1.5}\n{\"id\":2,\"city\":\"Bern\"}\n{\"id\":3,\"city\":\"Wien\",\"height\":2.5}\n";
    for (name, query, body) in [
        ("csv", "format=csv", CSV.as_bytes().to_vec()),
        ("lines", "file=rows.jsonl", json_lines.as_bytes().to_vec()),
        ("parquet", "format=parquet", parquet_bytes()),
        ("arrow", "format=arrow-ipc", arrow_bytes()),
    ] {
        assert_eq!(upload(&server, name, query, body).await, expected, "{name}");
    }
    server.finish().await;
}

#[tokio::test]
async fn the_same_bytes_twice_are_one_version() {
    let server = TestServer::start().await;
    for _ in 0..2 {
        upload(&server, "cities", "format=csv", CSV.as_bytes().to_vec()).await;
    }
    let dataset = server.get("/api/v1/projects/default/datasets/cities").await.body;
    assert_eq!(dataset["version"], 1);
    let changed = CSV.replace("Bern", "Genf");
    upload(&server, "cities", "format=csv", changed.into_bytes()).await;
    assert_eq!(server.get("/api/v1/projects/default/datasets/cities").await.body["version"], 2);
    server.finish().await;
}

#[tokio::test]
async fn a_version_has_a_profile_and_rows_in_every_accepted_format() {
    let server = TestServer::start().await;
    upload(&server, "cities", "format=csv", CSV.as_bytes().to_vec()).await;
    let dataset = server.get("/api/v1/projects/default/datasets/cities").await.body;
    let height = &dataset["profile"]["columns"][2];
    assert_eq!((&height["nulls"], &height["mean"]), (&json!(1), &json!(2.0)), "{height}");

    let url = format!("{}/api/v1/projects/default/datasets/cities/rows", server.url);
    let rows = |accept: &'static str| server.http.get(&url).header("accept", accept).send();
    // RFC 4180 ends lines with CRLF.
    assert_eq!(rows("text/csv").await.unwrap().text().await.unwrap(), CSV.replace('\n', "\r\n"));
    let arrow = rows("application/vnd.apache.arrow.stream").await.unwrap().bytes().await.unwrap();
    let mut reader = arrow::ipc::reader::StreamReader::try_new(&arrow[..], None).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().num_rows(), 3);
    let parquet = rows("application/vnd.apache.parquet").await.unwrap().bytes().await.unwrap();
    assert_eq!(&parquet[..4], b"PAR1");
    let refused = rows("image/png").await.unwrap();
    assert_eq!(refused.status(), 406);
    let some = server.get("/api/v1/projects/default/datasets/cities/rows?columns=city&offset=1&limit=1").await;
    assert_eq!(some.body, json!([{ "city": "Bern" }]));
    server.finish().await;
}

#[tokio::test]
async fn a_folder_of_files_is_one_dataset_by_glob() {
    let server = TestServer::start().await;
    let folder = ProjectFolder::empty();
    std::fs::create_dir(folder.path().join("parts")).unwrap();
    folder.write("parts/a.csv", "id\n1\n2\n");
    folder.write("parts/b.csv", "id\n3\n");
    folder.write(
        "p.yaml",
        "apiVersion: tiegel/v1\nkind: Dataset\nmetadata: {name: ids}\nspec: {source: {path: parts/*.csv}}\n",
    );
    apply(&server, &folder);
    server.run("dataset/ids").await;
    let rows = server.get("/api/v1/projects/default/datasets/ids/rows").await.body;
    assert_eq!(rows, json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }]));
    server.finish().await;
}

#[tokio::test]
async fn an_upload_that_is_not_what_its_digest_says_leaves_nothing() {
    let server = TestServer::start().await;
    let digest = tiegel_types::Digest::of(b"other bytes");
    let url = format!("{}/api/v1/blobs/{digest}", server.url);
    let refused = server.http.put(&url).body("these bytes").send().await.unwrap();
    assert_eq!(refused.status(), 400);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "upload_refused", "{problem}");
    assert_eq!(server.http.head(&url).send().await.unwrap().status(), 404);
    server.finish().await;
}
