use serde::Deserialize;
use tiegel_engine::{ModelEngine, ModelError};
use tiegel_types::{Metrics, Task};

use super::{engine, refusal};

const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    task: Task,
    predictions: Vec<f64>,
    targets: Vec<f64>,
    expected: Metrics,
}

#[test]
fn every_measure_is_that_of_scikit_learn() {
    let reference: Reference = serde_json::from_str(include_str!("../../tests/metrics_reference.json")).unwrap();
    assert!(reference.cases.len() >= 14);
    for case in reference.cases {
        let found = engine().metrics(case.task, &case.predictions, &case.targets).unwrap();
        assert!(found.keys().eq(case.expected.keys()), "{}: {found:?} but {:?}", case.name, case.expected);
        for (name, expected) in case.expected {
            let difference = (found[&name] - expected).abs();
            assert!(difference <= TOLERANCE, "{}: {name} is {} but {expected}", case.name, found[&name]);
        }
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let measure = |task, p: &[f64], t: &[f64]| engine().metrics(task, p, t);
    assert_eq!(refusal(measure(Task::Binary, &[], &[])), "there are no rows to measure: the split is empty");
    assert_eq!(
        refusal(measure(Task::Regression, &[1.0, f64::NAN], &[1.0, 2.0])),
        "row 1 (from 0) has prediction NaN and target 2: both must be finite numbers"
    );
    assert_eq!(refusal(measure(Task::Binary, &[0.5], &[2.0])), "target 2 in row 0 (from 0) is neither 0 nor 1");
    assert_eq!(refusal(measure(Task::Binary, &[1.5], &[1.0])), "prediction 1.5 in row 0 (from 0) is not a probability");
    assert!(matches!(measure(Task::Binary, &[0.5], &[]), Err(ModelError::Internal(_))));
}
