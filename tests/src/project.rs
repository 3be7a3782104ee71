use std::path::Path;

use tempfile::TempDir;

use crate::data::{flights_csv, weather_csv};

/// A project folder in a temporary place.
pub struct ProjectFolder(TempDir);

/// The main job in small: join, four plugins, a training, an endpoint.
const FLIGHTS: &str = r#"apiVersion: tiegel/v1
kind: Dataset
metadata: {name: flights}
spec:
  source: {path: flights.csv}
  tests: [{not_null: [origin, carrier]}, {unique: [id]}, {rows: {min: 100}}]
---
kind: Dataset
metadata: {name: weather}
spec:
  source: {path: weather.csv}
---
kind: Pipeline
metadata: {name: features}
spec:
  steps:
    joined:
      sql: |
        select f.id, f.time, f.origin, f.carrier, cast(f.distance as double) as distance, w.wind, f.delay >= 30 as late
        from flights f join weather w on f.origin = w.origin and date_trunc('hour', f.time) = w.time_hour
      key: [id]
    filled: {wasm: impute, columns: [distance], fit: {}}
    timed: {wasm: calendar, columns: [time], keep: [time]}
    scaled: {wasm: standardize, columns: [distance, wind], fit: {}}
    encoded: {wasm: one-hot, columns: [origin, carrier], fit: {}}
  split: {step: joined, byTime: {column: time, validationFrom: "2013-09-01", testFrom: "2013-11-01"}}
---
kind: Training
metadata: {name: delay}
spec:
  pipeline: features
  task: binary
  target: late
  exclude: [id, time]
  model: {family: mlp, hidden: [16]}
  train: {epochsMax: 4, batchRows: 256, seed: 1}
  register: {model: delay, alias: champion}
---
kind: Endpoint
metadata: {name: delay}
spec: {model: delay, alias: champion}
"#;

impl ProjectFolder {
    pub fn empty() -> Self {
        Self(tempfile::Builder::new().prefix("tiegel-project-").tempdir().expect("a temporary folder"))
    }

    pub fn flights() -> Self {
        let folder = Self::empty();
        folder.write("flights.csv", &flights_csv());
        folder.write("weather.csv", &weather_csv());
        folder.write("tiegel.yaml", FLIGHTS);
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("the folder is writable");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("the file is readable")
    }

    /// Replaces a part of the project file that must be there.
    pub fn edit(&self, from: &str, to: &str) {
        let text = self.read("tiegel.yaml");
        assert!(text.contains(from), "the project file does not contain '{from}'");
        self.write("tiegel.yaml", &text.replace(from, to));
    }
}
