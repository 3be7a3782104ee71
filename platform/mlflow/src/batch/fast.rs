//! The body of a batch as clients write it, read without a tree of values in between.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use tiegel_store::{Batch, LoggedMetric, ModelMetric, Point};

use crate::logging::checked_metric;
use crate::{MlflowResult, validate};

// Whatever these do not take, the slow way reads: another spelling, text for a number, a field twice, a null.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody<'b> {
    #[serde(borrow)]
    run_id: Cow<'b, str>,
    #[serde(borrow, default)]
    metrics: Vec<MetricBody<'b>>,
    #[serde(borrow, default)]
    params: Vec<PairBody<'b>>,
    #[serde(borrow, default)]
    tags: Vec<PairBody<'b>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricBody<'b> {
    #[serde(borrow)]
    key: Cow<'b, str>,
    #[serde(deserialize_with = "double")]
    value: f64,
    timestamp: i64,
    #[serde(default)]
    step: i64,
    #[serde(borrow, default)]
    model_id: Cow<'b, str>,
    #[serde(borrow, default)]
    dataset_name: Cow<'b, str>,
    #[serde(borrow, default)]
    dataset_digest: Cow<'b, str>,
    /// Said again: the run is the batch's.
    #[serde(borrow, default, rename = "run_id")]
    _run_id: Cow<'b, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairBody<'b> {
    #[serde(borrow)]
    key: Cow<'b, str>,
    #[serde(borrow)]
    value: Cow<'b, str>,
}

/// The run and what to log; none where the body has another form.
pub(super) fn read(body: &[u8]) -> Option<MlflowResult<(String, Batch)>> {
    let body: BatchBody<'_> = serde_json::from_slice(body).ok()?;
    let keys = body.params.iter().chain(&body.tags).map(|pair| &pair.key);
    // What is empty is missing, which has a message of its own.
    if body.run_id.is_empty() || keys.chain(body.metrics.iter().map(|metric| &metric.key)).any(|key| key.is_empty()) {
        return None;
    }
    Some(checked(body))
}

fn checked(body: BatchBody<'_>) -> MlflowResult<(String, Batch)> {
    let mut batch = Batch {
        metrics: Vec::with_capacity(body.metrics.len()),
        params: Vec::with_capacity(body.params.len()),
        tags: Vec::with_capacity(body.tags.len()),
    };
    for (at, metric) in body.metrics.into_iter().enumerate() {
        batch.metrics.push(checked_metric(format_args!("metrics[{at}]."), logged(metric))?);
    }
    for (at, param) in body.params.iter().enumerate() {
        batch.params.push(validate::param(format_args!("params[{at}].key"), &param.key, &param.value)?);
    }
    for (at, tag) in body.tags.iter().enumerate() {
        batch.tags.push(validate::tag(format_args!("tags[{at}].key"), &tag.key, &tag.value)?);
    }
    Ok((body.run_id.into_owned(), batch))
}

fn logged(metric: MetricBody<'_>) -> LoggedMetric {
    let text = |text: Cow<'_, str>| (!text.is_empty()).then(|| text.into_owned());
    let about = |model_id| ModelMetric {
        model_id,
        dataset_name: text(metric.dataset_name),
        dataset_digest: text(metric.dataset_digest),
    };
    LoggedMetric {
        key: metric.key.into_owned(),
        point: Point::new(metric.timestamp, metric.step, metric.value),
        model: text(metric.model_id).map(about),
    }
}

/// A number, or the text that stands for one which JSON does not have.
fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    struct Double;

    impl Visitor<'_> for Double {
        type Value = f64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }

        fn visit_f64<E>(self, value: f64) -> Result<f64, E> {
            Ok(value)
        }

        fn visit_i64<E>(self, value: i64) -> Result<f64, E> {
            Ok(value as f64)
        }

        fn visit_u64<E>(self, value: u64) -> Result<f64, E> {
            Ok(value as f64)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
            match text {
                "NaN" => Ok(f64::NAN),
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                _ => Err(E::custom("no number")),
            }
        }
    }

    deserializer.deserialize_any(Double)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_as_clients_write_it_is_read() {
        let body = br#"{"run_id": "r", "metrics": [
            {"key": "a", "value": 1, "timestamp": 5, "step": -2}, {"key": "b\n", "value": "NaN", "timestamp": 6},
            {"key": "c", "value": 2.5, "timestamp": 7, "model_id": "m-1", "dataset_name": "d", "run_id": "r"}],
            "params": [], "tags": [{"key": "t", "value": ""}]}"#;
        let body = String::from_utf8(body.to_vec()).unwrap().replace("b\\n", "b");
        let (run, batch) = read(body.as_bytes()).unwrap().unwrap();
        assert_eq!((run.as_str(), batch.metrics.len(), batch.tags.len()), ("r", 3, 1));
        assert_eq!(batch.metrics[0].point, Point::new(5, -2, 1.0));
        assert!(batch.metrics[1].point.is_nan());
        assert_eq!(batch.metrics[2].model.as_ref().unwrap().dataset_name.as_deref(), Some("d"));
    }

    #[test]
    fn every_other_form_is_left_to_the_slow_way() {
        for body in [
            "{}",
            r#"{"runId": "r"}"#,
            r#"{"run_id": ""}"#,
            r#"{"run_id": "r", "metrics": null}"#,
            r#"{"run_id": "r", "unknown": 1}"#,
            r#"{"run_id": "r", "metrics": [{"key": "a", "value": "1", "timestamp": 1}]}"#,
            r#"{"run_id": "r", "metrics": [{"key": "a", "value": 1, "timestamp": 1.0}]}"#,
            r#"{"run_id": "r", "metrics": [{"key": "", "value": 1, "timestamp": 1}]}"#,
            r#"{"run_id": "r", "params": [{"key": "a"}]}"#,
            r#""{\"run_id\": \"r\"}""#,
        ] {
            assert!(read(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let body = r#"{"run_id": "r", "metrics": [{"key": "a", "value": 1, "timestamp": 1}, {"key": "a*", "value": 1, "timestamp": 1}]}"#;
        let why = read(body.as_bytes()).unwrap().unwrap_err().message;
        assert!(why.contains("for parameter 'metrics[1].name' supplied"), "{why}");
    }
}
