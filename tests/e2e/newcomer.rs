//! Whoever follows `sdk/README.md` from an empty folder ends with an answering endpoint, in each language.

use std::fmt::Write as _;

use serde_json::json;
use tiegel_tests::{ProjectFolder, TestServer};

use crate::text;

const README: &str = include_str!("../../sdk/README.md");

/// More than these is no five minutes.
const COMMANDS_MAX: usize = 5;

/// The text of the first block of this kind after a heading or sentence.
fn block(after: &str, kind: &str) -> &'static str {
    let rest = README.split_once(after).unwrap_or_else(|| panic!("sdk/README.md says no '{after}'")).1;
    let rest = rest.split_once(&format!("```{kind}\n")).expect("a block follows").1;
    rest.split_once("```").expect("a block ends").0
}

fn houses() -> String {
    (0..600).fold("id,area,price\n".to_owned(), |mut csv, id| {
        writeln!(csv, "{id},{}.5,{}", id % 9, 3 * (id % 9) + 1).unwrap();
        csv
    })
}

async fn follow(after: &str) {
    let server = TestServer::start().await;
    let folder = ProjectFolder::empty();
    folder.write("houses.csv", &houses());
    folder.write("tiegel.yaml", block("From nothing to an endpoint", "yaml"));
    let commands: Vec<_> = block(after, "console").lines().filter_map(|line| line.strip_prefix("$ tiegel ")).collect();
    assert!(!commands.is_empty() && commands.len() <= COMMANDS_MAX, "{commands:?}");
    for command in commands {
        let args: Vec<&str> = command.split(' ').collect();
        let output = server.cli_in(folder.path(), &args);
        assert!(output.status.success(), "{command}\n{}{}", text(&output.stdout), text(&output.stderr));
    }
    let rows = json!({"rows": [{"area": 1.5}, {"area": 8.5}]});
    let answer = server.post("/api/v1/endpoints/price/predict", &rows).await.body;
    let predictions: Vec<f64> =
        answer["predictions"].as_array().unwrap().iter().map(|price| price.as_f64().unwrap()).collect();
    assert!(predictions.len() == 2 && predictions[0] < predictions[1], "{answer}");
    server.finish().await;
}

#[tokio::test]
async fn in_rust() {
    follow("In Rust:").await;
}

#[tokio::test]
async fn in_python() {
    follow("In Python:").await;
}

#[tokio::test]
async fn in_javascript() {
    follow("In JavaScript:").await;
}
