use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use candle_core::Device;
use tiegel_engine::{ModelArtifact, ModelEngine, Order};
use tiegel_types::{Family, Split, Task};

use super::data::{MemoryData, Request, circle, cities, plane};
use super::{engine, train};
use crate::artifact;
use crate::examples::Reader;
use crate::network::Network;
use crate::vocabulary::{Values, Vocabulary};
use crate::weights::from_bytes;

pub(crate) fn predict(artifact: &ModelArtifact, rows: &RecordBatch) -> Vec<f64> {
    let predictions = engine().load(artifact).unwrap().predict(rows).unwrap();
    predictions.as_primitive::<Float64Type>().values().to_vec()
}

fn cities_model() -> (ModelArtifact, MemoryData) {
    let names = ["Aachen", "Bonn"];
    let data = MemoryData { train: cities(1, 1_000, &names), validation: Some(cities(2, 333, &names)) };
    let mut request = Request::mlp(Task::Regression).embed("city", 4);
    request.model.dropout = 0.3;
    request.train.epochs_max = 3;
    (train(&request, &data).0.artifact, data)
}

#[test]
fn a_row_is_predicted_alike_in_every_batch() {
    for (artifact, rows) in [
        (cities_model().0, cities(5, 300, &["Aachen", "Bonn", "Celle"])),
        (
            train(&Request::mlp(Task::Binary), &MemoryData { train: circle(1, 500), validation: None }).0.artifact,
            circle(3, 300),
        ),
        (
            train(&Request::linear(Task::Binary), &MemoryData { train: circle(1, 500), validation: None }).0.artifact,
            circle(3, 300),
        ),
    ] {
        let whole = predict(&artifact, &rows);
        for batch_rows in [1, 2, 7, 64, 65, 299] {
            let parts: Vec<f64> = (0..rows.num_rows())
                .step_by(batch_rows)
                .flat_map(|start| predict(&artifact, &rows.slice(start, batch_rows.min(rows.num_rows() - start))))
                .collect();
            assert_eq!(parts, whole, "in batches of {batch_rows}");
        }
    }
}

#[test]
fn a_prediction_is_that_of_candles_forward_pass_without_dropout() {
    let (artifact, data) = cities_model();
    let loaded = artifact::load(&artifact).unwrap();
    let mut request = Request::mlp(Task::Regression).embed("city", 4);
    request.model.dropout = 0.3;
    let request = request.build(&data);
    let (weights, _) = from_bytes(&artifact.weights).unwrap();
    let network = Network::new(&loaded.layout, &request.model, &weights, &Device::Cpu).unwrap();
    let values: Values = serde_json::from_value(artifact.config["vocabularies"]["city"].clone()).unwrap();
    let vocabularies = [Vocabulary::new(&values)];
    let reader = Reader { request: &request, data: &data, layout: &loaded.layout, splits: &[Split::Validation] };
    let mut expected = Vec::new();
    for examples in reader.examples(Order::Stored, &vocabularies).unwrap() {
        expected.extend(network.forward(&mut examples.unwrap(), None).unwrap().output().unwrap());
    }
    let scale = loaded.config.target;
    let found = predict(&artifact, data.validation.as_ref().unwrap());
    assert_eq!(found.len(), 333);
    for (found, z) in found.iter().zip(expected) {
        let expected = scale.prediction(Task::Regression, z);
        assert!((found - expected).abs() <= 1e-6 + 1e-5 * expected.abs(), "{found} but {expected}");
    }
}

#[test]
fn the_measures_of_a_training_are_those_of_its_predictions() {
    let data = MemoryData { train: circle(1, 1_000), validation: Some(circle(5, 400)) };
    let (model, _) = train(&Request::mlp(Task::Binary), &data);
    let validation = data.validation.as_ref().unwrap();
    let targets: Vec<f64> =
        validation.column_by_name("y").unwrap().as_boolean().values().iter().map(|y| f64::from(u8::from(y))).collect();
    let measures = engine().metrics(Task::Binary, &predict(&model.artifact, validation), &targets).unwrap();
    for (name, value) in measures {
        assert_eq!(model.validation[&name], value, "{name}");
    }
}

#[test]
fn a_predictor_says_what_it_takes_and_answers_nothing_for_nothing() {
    let (artifact, data) = cities_model();
    let predictor = engine().load(&artifact).unwrap();
    assert_eq!(predictor.task(), Task::Regression);
    assert_eq!(*predictor.features(), data.features(&["y"]));
    assert_eq!(predictor.predict(&data.train.slice(0, 0)).unwrap().len(), 0);
}

#[test]
fn the_order_of_columns_does_not_matter_and_others_are_ignored() {
    let (artifact, data) = cities_model();
    let turned = data.train.project(&[2, 1, 0]).unwrap();
    assert_eq!(predict(&artifact, &turned), predict(&artifact, &data.train));
}

#[test]
fn an_artifact_survives_its_journey_as_json_and_bytes() {
    let (artifact, data) = cities_model();
    let config = serde_json::from_str(&serde_json::to_string(&artifact.config).unwrap()).unwrap();
    let copy = ModelArtifact { weights: artifact.weights.to_vec().into(), config };
    assert_eq!(copy, artifact);
    assert_eq!(predict(&copy, &data.train), predict(&artifact, &data.train));
    assert_eq!(artifact.config["format"], 1);
    assert_eq!(artifact.config["family"], serde_json::to_value(Family::Mlp).unwrap());
}

#[test]
fn a_raw_plane_needs_no_scaling_of_its_target() {
    let (model, _) =
        train(&Request::mlp(Task::Regression), &MemoryData { train: plane(1, 3_000), validation: Some(plane(4, 500)) });
    assert!(model.validation["r2"] > 0.99, "{:?}", model.validation);
}
