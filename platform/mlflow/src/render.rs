//! Experiments, runs and metrics as the protocol writes them: lists that are empty are left out, messages stay, a NaN is
//! text.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tiegel_store::{DatasetInput, ExperimentRow, LatestMetric, ModelLink, Point, RunData, RunRow};

/// With its tags.
pub(crate) struct ExperimentJson<'a>(pub &'a ExperimentRow, pub &'a [(String, String)]);

/// With `outputs` or, as a run is that was just made, without.
pub(crate) struct RunJson<'a> {
    pub data: &'a RunData,
    pub outputs: bool,
}

pub(crate) struct InfoJson<'a>(pub &'a RunRow);

pub(crate) fn run(data: &RunData) -> RunJson<'_> {
    RunJson { data, outputs: true }
}

impl Serialize for ExperimentJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(row, tags) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("experiment_id", &row.id.to_string())?;
        map.serialize_entry("name", &row.name)?;
        map.serialize_entry("artifact_location", &row.artifact_location)?;
        map.serialize_entry("lifecycle_stage", &row.lifecycle)?;
        map.serialize_entry("last_update_time", &row.updated_ms)?;
        map.serialize_entry("creation_time", &row.created_ms)?;
        list(&mut map, "tags", tags, pair)?;
        map.serialize_entry("workspace", row.project.as_str())?;
        map.end()
    }
}

impl Serialize for InfoJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(row) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("run_id", row.run_id.as_str())?;
        map.serialize_entry("run_uuid", row.run_id.as_str())?;
        map.serialize_entry("run_name", &row.name)?;
        map.serialize_entry("experiment_id", &row.experiment_id.to_string())?;
        map.serialize_entry("user_id", &row.user_id)?;
        map.serialize_entry("status", row.status.as_str())?;
        map.serialize_entry("start_time", &row.start_ms)?;
        // In the protocol an end at 0 is none.
        if let Some(end_ms) = row.end_ms.filter(|end_ms| *end_ms != 0) {
            map.serialize_entry("end_time", &end_ms)?;
        }
        map.serialize_entry("artifact_uri", &row.artifact_uri)?;
        map.serialize_entry("lifecycle_stage", &row.lifecycle)?;
        map.end()
    }
}

impl Serialize for RunJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("info", &InfoJson(&self.data.run))?;
        map.serialize_entry("data", &DataJson(self.data))?;
        map.serialize_entry("inputs", &InputsJson(self.data))?;
        if self.outputs {
            map.serialize_entry("outputs", &OutputsJson(self.data))?;
        }
        map.end()
    }
}

struct DataJson<'a>(&'a RunData);

impl Serialize for DataJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        list(&mut map, "metrics", &self.0.metrics, metric)?;
        list(&mut map, "params", &self.0.params, shared_pair)?;
        list(&mut map, "tags", &self.0.tags, shared_pair)?;
        map.end()
    }
}

struct InputsJson<'a>(&'a RunData);

impl Serialize for InputsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        list(&mut map, "dataset_inputs", &self.0.datasets, DatasetInputJson)?;
        list(&mut map, "model_inputs", &self.0.model_inputs, |link| ModelJson { link, step: false })?;
        map.end()
    }
}

struct OutputsJson<'a>(&'a RunData);

impl Serialize for OutputsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        list(&mut map, "model_outputs", &self.0.model_outputs, |link| ModelJson { link, step: true })?;
        map.end()
    }
}

/// A list, unless it is empty.
fn list<'a, M: SerializeMap, T, J: Serialize>(
    map: &mut M,
    name: &'static str,
    items: &'a [T],
    json: impl Fn(&'a T) -> J,
) -> Result<(), M::Error> {
    if items.is_empty() {
        return Ok(());
    }
    map.serialize_entry(name, &Each { items, json })
}

struct Each<'a, T, F> {
    items: &'a [T],
    json: F,
}

impl<'a, T, J: Serialize, F: Fn(&'a T) -> J> Serialize for Each<'a, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.items.iter().map(&self.json))
    }
}

#[derive(Serialize)]
struct PairJson<'a> {
    key: &'a str,
    value: &'a str,
}

fn pair((key, value): &(String, String)) -> PairJson<'_> {
    PairJson { key, value }
}

fn shared_pair((key, value): &(Arc<str>, String)) -> PairJson<'_> {
    PairJson { key, value }
}

#[derive(Serialize)]
struct MetricJson<'a> {
    key: &'a str,
    value: Double,
    timestamp: i64,
    step: i64,
}

fn metric(metric: &LatestMetric) -> MetricJson<'_> {
    let Point { timestamp_ms, step, value } = metric.point;
    MetricJson { key: &metric.key, value: Double(value), timestamp: timestamp_ms, step }
}

/// A number that JSON may not have.
pub(crate) struct Double(pub f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_nan() { serializer.serialize_str("NaN") } else { serializer.serialize_f64(self.0) }
    }
}

struct DatasetInputJson<'a>(&'a DatasetInput);

impl Serialize for DatasetInputJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        list(&mut map, "tags", &self.0.tags, pair)?;
        map.serialize_entry("dataset", &DatasetJson(self.0))?;
        map.end()
    }
}

struct DatasetJson<'a>(&'a DatasetInput);

impl Serialize for DatasetJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(input) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &input.name)?;
        map.serialize_entry("digest", &input.digest)?;
        map.serialize_entry("source_type", &input.source_type)?;
        map.serialize_entry("source", &input.source)?;
        for (name, value) in [("schema", &input.schema), ("profile", &input.profile)] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

struct ModelJson<'a> {
    link: &'a ModelLink,
    step: bool,
}

impl Serialize for ModelJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model_id", &self.link.model_id)?;
        if self.step {
            map.serialize_entry("step", &self.link.step)?;
        }
        map.end()
    }
}

/// Appends points of a history, with commas between them; `before` says whether some were written before.
pub(crate) fn points(out: &mut Vec<u8>, series: &SeriesJson, points: &[Point], mut before: bool) {
    // Bytes of a point beside its key and run.
    const POINT_BYTES: usize = 80;
    out.reserve(points.len() * (POINT_BYTES + series.head.len() + series.tail.len()));
    for point in points {
        if before {
            out.push(b',');
        }
        before = true;
        out.extend_from_slice(series.head.as_bytes());
        number(out, &Double(point.value));
        out.extend_from_slice(b",\"timestamp\":");
        number(out, &point.timestamp_ms);
        out.extend_from_slice(b",\"step\":");
        number(out, &point.step);
        out.extend_from_slice(series.tail.as_bytes());
    }
}

fn number(out: &mut Vec<u8>, number: &impl Serialize) {
    serde_json::to_writer(out, number).expect("a number is written to memory");
}

/// What the points of one history have in common.
#[derive(Default)]
pub(crate) struct SeriesJson {
    head: String,
    tail: String,
}

impl SeriesJson {
    /// With the run's id in each point, where it is given.
    pub fn new(key: &str, run: Option<&str>) -> Self {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let tail = run.map(|run| format!(",\"run_id\":{}}}", text(run)));
        Self { head: format!("{{\"key\":{},\"value\":", text(key)), tail: tail.unwrap_or_else(|| "}".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_objects_with_commas_between() {
        let mut out = Vec::new();
        let values = [Point::new(5, 1, 1.0), Point::new(6, -2, f64::NAN)];
        points(&mut out, &SeriesJson::new("a\"b", Some("r1")), &values, false);
        points(&mut out, &SeriesJson::new("c", None), &[Point::new(7, 0, 0.1)], true);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"key\":\"a\\\"b\",\"value\":1.0,\"timestamp\":5,\"step\":1,\"run_id\":\"r1\"},\
             {\"key\":\"a\\\"b\",\"value\":\"NaN\",\"timestamp\":6,\"step\":-2,\"run_id\":\"r1\"},\
             {\"key\":\"c\",\"value\":0.1,\"timestamp\":7,\"step\":0}"
        );
    }
}
