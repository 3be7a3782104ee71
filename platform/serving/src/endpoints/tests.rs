use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tiegel_types::{DType, Field, Schema};
use tokio::task::JoinSet;

use super::*;
use crate::testing::{constant, declare, endpoints, mapping, serve, stage, sum, without_stages};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn one_feature() -> Schema {
    Schema::new(vec![Field::new("x", DType::Float64)])
}

#[tokio::test]
async fn rows_are_predicted_through_the_stages_in_their_order() {
    let doubled = Schema::new(vec![Field::new("doubled", DType::Float64)]);
    let bundle = crate::testing::bundle(one_feature(), vec![stage("double")], doubled.clone());
    let runner = mapping("x", "doubled", |v, _| v * 2.0);
    let loaded = LoadedBundle::assemble(Digest::of(b"a"), bundle, vec![runner], sum(doubled)).unwrap();
    let endpoints = endpoints();
    serve(&endpoints, &name("delay"), 3, Arc::new(loaded));

    let body = json!({"rows": [{"x": 1.5}, {"x": 4}, {"x": null}]});
    let prediction = endpoints.predict_json("delay", body).await.unwrap();
    assert_eq!(prediction.predictions, [3.0, 8.0, 0.0]);
    assert_eq!((prediction.version, prediction.bundle), (3, Digest::of(b"a")));
    let none = endpoints.predict_json("delay", json!({"rows": []})).await.unwrap();
    assert!(none.predictions.is_empty());
}

#[tokio::test]
async fn what_cannot_be_predicted_says_why() {
    let endpoints = endpoints();
    serve(&endpoints, &name("delay"), 1, without_stages("a", one_feature(), sum(one_feature())));
    declare(&endpoints, &name("later"), EndpointState::Pending, None);
    let failed = async |endpoint: &str, body| endpoints.predict_json(endpoint, body).await.unwrap_err();

    let unknown = failed("nope", json!({})).await;
    assert!(matches!(&unknown, OpError::NotFound(m) if m == "there is no endpoint 'nope'"), "{unknown:?}");
    let pending = failed("later", json!({})).await;
    assert!(matches!(&pending, OpError::Busy(m) if m.contains("no alias 'champion' yet")), "{pending:?}");
    for body in [json!([]), json!({"row": []}), json!({"rows": [1]}), json!({"rows": [], "x": 1})] {
        let error = failed("delay", body.clone()).await;
        assert!(error.to_string().starts_with("the body is not {\"rows\""), "{body}: {error}");
    }
    let wrong = failed("delay", json!({"rows": [{"x": "much"}]})).await;
    assert!(wrong.to_string().contains("row 0, column 'x': expected a number"), "{wrong}");
}

#[test]
fn a_stage_that_reads_what_nothing_makes_is_refused_when_it_is_loaded() {
    let doubled = Schema::new(vec![Field::new("doubled", DType::Float64)]);
    let assembled = |from: &str, to: &str| {
        let bundle = crate::testing::bundle(one_feature(), vec![stage("double")], doubled.clone());
        let runner = mapping(from, to, |v, _| v);
        LoadedBundle::assemble(Digest::of(b"a"), bundle, vec![runner], sum(doubled.clone()))
            .err()
            .map(|e| e.to_string())
    };
    assert_eq!(assembled("x", "doubled"), None);
    let missing = assembled("y", "doubled").unwrap();
    assert!(missing.starts_with("step 'double': column 'y' is read, and nothing before it makes it"), "{missing}");
    let missing = assembled("x", "tripled").unwrap();
    assert!(missing.starts_with("model: column 'doubled' is read"), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn switching_versions_under_load_drops_no_request_and_mixes_no_answer() {
    let endpoints = endpoints();
    let put = |version: u32| {
        let loaded = without_stages(&version.to_string(), one_feature(), constant(one_feature(), f64::from(version)));
        serve(&endpoints, &name("delay"), version, loaded);
    };
    put(1);
    let (stop, newest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (endpoints, stop, newest) = (endpoints.clone(), stop.clone(), newest.clone());
        callers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let body = json!({"rows": [{"x": 1.0}, {"x": 2.0}]});
                let prediction = endpoints.predict_json("delay", body).await.unwrap();
                assert_eq!(prediction.predictions, [f64::from(prediction.version); 2]);
                assert_eq!(prediction.bundle, Digest::of(prediction.version.to_string().as_bytes()));
                newest.fetch_max(prediction.version, Ordering::Relaxed);
            }
        });
    }
    for version in 2..=50 {
        put(version);
        let answers = async {
            while newest.load(Ordering::Relaxed) < version {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), answers).await.expect("each version answers soon");
    }
    stop.store(true, Ordering::Relaxed);
    callers.join_all().await;
    assert_eq!(endpoints.live("delay").unwrap().served.version, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_row_takes_far_less_than_a_millisecond_besides_the_plugins() {
    let fields: Vec<_> = (0..20).map(|i| Field::new(format!("column_{i}"), DType::Float64)).collect();
    let schema = Schema::new(fields);
    let endpoints = endpoints();
    serve(&endpoints, &name("delay"), 1, without_stages("a", schema.clone(), sum(schema.clone())));
    let row: crate::JsonRow = schema.names().map(|n| (n.to_owned(), json!(1.5))).collect();
    let mut took = Vec::new();
    for _ in 0..500 {
        let input = Input::Rows(vec![row.clone()]);
        let start = Instant::now();
        endpoints.predict("delay", input).await.unwrap();
        took.push(start.elapsed());
    }
    took.sort();
    println!("one row of 20 columns: p50 {:?}, p99 {:?}", took[250], took[495]);
    // The fastest tenth, so that a busy machine does not decide.
    assert!(took[50] < Duration::from_millis(1), "p10 {:?}", took[50]);
}
