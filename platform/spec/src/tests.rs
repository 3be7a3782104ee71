//! The documents of a whole project, and the exact message for each way of getting one wrong.

mod messages;
mod round_trip;
mod rules;

use crate::{Diagnostic, ProjectDocs, SourceText, parse};

/// The whole main job, as a user writes it.
pub(crate) const FLIGHTS: &str = r#"
apiVersion: tiegel/v1
kind: Dataset
metadata: {name: flights, project: demo, labels: {team: ops}}
spec:
  source: {path: data/flights.csv.zip, format: csv}
  columns: {time_hour: timestamp_us}
  nullValues: [NA]
  tests:
    - not_null: [carrier, sched_dep_time]
    - accepted: {column: origin, in: [JFK, LGA, EWR]}
    - rows: {min: 300000}
    - range: {column: month, min: 1, max: 12}
    - unique: [year, month, day]
---
kind: Pipeline
metadata: {name: features}
spec:
  params: {test_from: 2013-11-01, categories: 32, late: 30}
  steps:
    joined:
      sql: |
        select time_hour, origin, dest, distance, arr_delay >= ${late} as late
        from flights
      key: [time_hour]
    clock: {wasm: calendar@0.1.0, columns: [time_hour], keep: [time_hour], config: {parts: [hour, weekday]}}
    scaled: {wasm: standardize, columns: [distance], fit: {split: train}}
    encoded:
      wasm: one-hot
      columns: [origin, dest]
      config: {categoriesMax: "${categories}", label: "top ${categories}"}
      fit: {}
      retry: {max: 3}
      timeoutSeconds: 600
  split:
    step: joined
    byTime: {column: time_hour, validationFrom: 2013-09-01, testFrom: "${test_from}"}
  serveFrom: clock
---
kind: Training
metadata: {name: delay}
spec:
  pipeline: features
  task: binary
  target: late
  exclude: [time_hour]
  model: {family: mlp, hidden: [128, 64], dropout: 0.1, embeddings: {carrier: 8}}
  train: {epochsMax: 20, optimizer: {learningRate: 1e-4}}
  register: {model: delay, alias: champion}
---
kind: Endpoint
metadata: {name: delay}
spec: {model: delay, alias: champion}
"#;

pub(crate) fn parse_text(text: &str) -> Result<ProjectDocs, Vec<Diagnostic>> {
    parse(&[SourceText { name: "tiegel.yaml".to_owned(), text: text.to_owned() }])
}

pub(crate) fn flights() -> ProjectDocs {
    parse_text(FLIGHTS).unwrap_or_else(|errors| panic!("{}", lines(&errors)))
}

/// The diagnostics of a text that must be refused, one a line.
pub(crate) fn refusal(text: &str) -> String {
    lines(&parse_text(text).expect_err("the text must be refused"))
}

/// The diagnostics when one thing in the example project is written differently.
pub(crate) fn refusal_with(written: &str, instead: &str) -> String {
    assert_eq!(FLIGHTS.matches(written).count(), 1, "'{written}' must stand once in the example");
    refusal(&FLIGHTS.replace(written, instead))
}

pub(crate) fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("\n")
}
