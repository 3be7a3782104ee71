use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use tiegel_tests::{Options, TestServer, tiegel_binary};

use crate::text;

#[tokio::test]
async fn an_empty_server_answers_its_operators() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/health/live").await.status, 200);
    assert_eq!(server.get("/health/ready").await.status, 200);
    let version = server.get("/api/v1/version").await.body;
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(server.get("/metrics").await.text.ends_with("# EOF\n"));
    let document = server.get("/api/v1/openapi.json").await.body;
    assert!(document["paths"]["/api/v1/endpoints/{endpoint}/predict"].is_object());
    let page = server.http.get(&server.url).header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers().contains_key("content-security-policy"));
    server.finish().await;
}

#[tokio::test]
async fn beyond_loopback_the_server_refuses_to_start_without_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(tiegel_binary());
    command.args(["serve", "--listen", "0.0.0.0:0", "--data-dir"]).arg(folder.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("listening on 0.0.0.0:0 lets other machines in, so it needs an admin token"), "{error}");
}

#[tokio::test]
async fn with_a_token_only_health_answers_without_it() {
    let token = "a-token-of-many-letters";
    let options = Options { env: vec![("TIEGEL_ADMIN_TOKEN".to_owned(), token.to_owned())], ..Options::default() };
    let server = TestServer::start_with(options).await;
    assert_eq!(server.get("/health/live").await.status, 200);
    let refused = server.get("/api/v1/projects").await;
    assert_eq!(refused.status, 401, "{}", refused.text);
    let request = server.http.get(format!("{}/api/v1/projects", server.url)).bearer_auth(token);
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert!(!server.log_text().contains(token), "the token is in the log");
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_on_loopback_too() {
    let server = TestServer::start().await;
    let url = format!("{}/api/v1/projects", server.url);
    let rebound = server.http.get(&url).header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    let problem: Value = rebound.json().await.unwrap();
    assert_eq!(problem["code"], "host_not_allowed", "{problem}");
    let body = json!({ "documents": [] });
    let url = format!("{}/api/v1/projects/default/apply", server.url);
    let crossed = server.http.post(&url).header("origin", "https://evil.example").json(&body).send().await.unwrap();
    assert_eq!(crossed.status(), 403);
    server.finish().await;
}

#[tokio::test]
async fn problems_have_a_code_a_sentence_and_a_trace_id() {
    let server = TestServer::start().await;
    let missing = server.get("/api/v1/projects/default/datasets/flights").await;
    assert_eq!(
        missing.problem(),
        "404 dataset_not_found: project 'default' has no dataset 'flights'; run it with `tiegel run dataset/flights`"
    );
    assert_eq!(missing.body["trace_id"].as_str().map(str::len), Some(32), "{}", missing.text);
    let wrong = server.send(Method::DELETE, "/api/v1/projects", None).await;
    assert_eq!(wrong.status, 405, "{}", wrong.text);
    let unknown = server.get("/api/v1/nothing").await;
    assert_eq!(unknown.body["code"], "route_not_found", "{}", unknown.text);
    server.finish().await;
}

#[tokio::test]
async fn sql_is_read_only_and_sees_only_the_projects_tables() {
    let server = TestServer::start().await;
    for sql in [
        "drop table x",
        "insert into x values (1)",
        "copy (select 1) to '/tmp/x.csv'",
        "create external table x stored as csv location '/etc/passwd'",
        "select 1; select 2",
    ] {
        let answer = server.post("/api/v1/projects/default/sql", &json!({ "sql": sql })).await;
        assert!(answer.status.is_client_error(), "{sql}: {} {}", answer.status, answer.text);
    }
    let file = server.post("/api/v1/projects/default/sql", &json!({ "sql": "select * from '/etc/passwd'" })).await;
    assert_eq!(file.status, 404, "{}", file.text);
    let one = server.post("/api/v1/projects/default/sql", &json!({ "sql": "select 1 as one" })).await;
    assert_eq!(one.body, json!([{ "one": 1 }]), "{}", one.text);
    server.finish().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_refuses_to_start() {
    let server = TestServer::start().await;
    let mut command = Command::new(tiegel_binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(server.data_dir());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("another tiegel server uses"), "{}", text(&output.stderr));
    server.finish().await;
}

#[test]
fn the_configuration_can_be_checked_shown_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiegel.toml");
    let run = |args: &[&str]| Command::new(tiegel_binary()).args(args).output().unwrap();
    std::fs::write(&path, "thread = 2\n").unwrap();
    let wrong = run(&["config", "check", "--config", path.to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        text(&wrong.stderr).contains("tiegel.toml:1:1: thread: unknown key 'thread'; did you mean 'threads'?"),
        "{}",
        text(&wrong.stderr)
    );
    std::fs::write(&path, "threads = 2\nadmin_token = \"a-token-of-many-letters\"\n").unwrap();
    let shown = text(&run(&["config", "show", "--config", path.to_str().unwrap()]).stdout);
    assert!(shown.contains("threads = 2") && shown.contains("admin_token = \"***\""), "{shown}");
    let schema: Value = serde_json::from_slice(&run(&["config", "schema"]).stdout).unwrap();
    assert!(schema["properties"]["listen"].is_object());
}
