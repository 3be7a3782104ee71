use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array, Int32Array, RecordBatch, TimestampMicrosecondArray};
use tiegel_engine::{ModelArtifact, ModelEngine};
use tiegel_types::{DType, Field, Schema, Task};

use super::data::{MemoryData, Recorder, Request, booleans, circle, cities, doubles, floats, table, texts};
use super::{engine, refusal, train};
use crate::weights::{from_bytes, to_bytes};
use crate::{CandleEngine, ModelConfig};

fn refused_check(request: &Request, fields: Vec<Field>) -> String {
    refusal(engine().check(request.task, &request.model, &Schema::new(fields)))
}

fn refused_training(request: &Request, batch: RecordBatch) -> String {
    let data = MemoryData { train: batch, validation: None };
    refusal(engine().train(&request.build(&data), &data, &mut Recorder::default()))
}

#[test]
fn columns_that_are_no_numbers_are_refused_by_name_with_advice() {
    let linear = Request::linear(Task::Binary);
    let refused = |dtype| refused_check(&linear, vec![Field::new("x", DType::Int8), Field::new("when", dtype)]);
    assert_eq!(
        refused(DType::TimestampUs),
        "column 'when' is timestamp_us, which is not a number: turn it into numbers first, for example with the calendar plugin"
    );
    assert_eq!(
        refused(DType::Utf8),
        "column 'when' is utf8, which is not a number: encode it with the one-hot plugin, or list it under 'embeddings'"
    );
    assert!(refused(DType::Date32).ends_with("for example with the calendar plugin"));
    assert!(refused(DType::Binary).ends_with("leave it out of the features"));
    assert!(refused(DType::Bfloat16).ends_with("cast it to float32"));
    assert_eq!(
        refused_check(&linear, vec![]),
        "a model needs at least one feature column: the pipeline's output has none"
    );
}

#[test]
fn embeddings_of_the_wrong_columns_are_refused() {
    let fields = || vec![Field::new("x", DType::Float32), Field::new("city", DType::Utf8)];
    let refused =
        |column: &str, len| refused_check(&Request::mlp(Task::Binary).embed("city", 2).embed(column, len), fields());
    assert_eq!(refused("town", 2), "'embeddings' names 'town', which is no feature: there are x, city");
    assert_eq!(
        refused("x", 2),
        "column 'x' is float32, and an embedding needs a utf8 or integer column of width 1: remove it from 'embeddings'"
    );
    assert_eq!(refused("city", 0), "the embedding of 'city' has length 0: use 1 to 1024");
}

#[test]
fn families_refuse_settings_that_are_not_theirs() {
    let refused = |change: fn(&mut Request), mut request: Request| {
        change(&mut request);
        refused_check(&request, vec![Field::new("x", DType::Float32)])
    };
    let (linear, mlp) = (|| Request::linear(Task::Binary), || Request::mlp(Task::Binary));
    assert!(
        refused(|r| r.model.hidden = vec![3], linear())
            .starts_with("family linear has no hidden layers: remove 'hidden'")
    );
    assert!(refused(|r| r.model.dropout = 0.1, linear()).starts_with("family linear has no hidden units to drop"));
    assert!(refused(|r| r.model.hidden = vec![], mlp()).starts_with("family mlp needs at least one hidden layer"));
    assert_eq!(refused(|r| r.model.dropout = 1.0, mlp()), "'dropout' is 1 and must be at least 0 and below 1");
    assert!(refused(|r| r.model.hidden = vec![4, 0], mlp()).starts_with("a hidden layer of 0 units"));
    assert!(refused(|r| r.model.hidden = vec![1; 33], mlp()).starts_with("'hidden' has 33 layers and 32 are allowed"));
    assert!(refused(|r| r.model.hidden = vec![40_000, 40_000], mlp()).contains("parameters and 67108864 are allowed"));
}

#[test]
fn training_settings_out_of_range_are_refused() {
    let refused = |task, change: fn(&mut Request)| {
        let mut request = Request::linear(task);
        change(&mut request);
        refused_training(&request, circle(1, 50))
    };
    let binary = |change| refused(Task::Binary, change);
    assert_eq!(binary(|r| r.train.epochs_max = 0), "'epochsMax' is 0: use 1 to 100000");
    assert_eq!(binary(|r| r.train.batch_rows = 70_000), "'batchRows' is 70000: use 1 to 65536");
    assert_eq!(binary(|r| r.train.optimizer.learning_rate = 0.0), "'optimizer.learningRate' is 0 and must be over 0");
    assert_eq!(binary(|r| r.train.optimizer.beta1 = 1.0), "'optimizer.beta1' is 1 and must be at least 0 and below 1");
    assert_eq!(
        binary(|r| r.train.optimizer.weight_decay = -1.0),
        "'optimizer.weightDecay' is -1 and must be 0 or more"
    );
    assert_eq!(binary(|r| r.train.positive_weight = Some(0.0)), "'positiveWeight' is 0 and must be over 0");
    assert_eq!(
        refused(Task::Regression, |r| r.train.positive_weight = Some(2.0)),
        "'positiveWeight' is for task binary: remove it from a regression"
    );
}

#[test]
fn nulls_and_nan_in_features_are_refused_with_row_and_column() {
    let mut values: Vec<Option<f32>> = (0..500).map(|row| Some(row as f32)).collect();
    let y = || doubles((0..500).map(f64::from).collect());
    let with = |values: &[Option<f32>]| -> ArrayRef { Arc::new(Float32Array::from(values.to_vec())) };
    values[321] = None;
    let null = table(vec![("temp", with(&values)), ("y", y())]);
    let expected =
        "column 'temp' is null in row 321 (from 0) of the train split: impute it, for example with the impute plugin";
    assert_eq!(refused_training(&Request::linear(Task::Regression), null), expected);
    values[321] = Some(f32::NAN);
    let nan = table(vec![("temp", with(&values)), ("y", y())]);
    assert_eq!(refused_training(&Request::linear(Task::Regression), nan), expected.replace("null", "NaN"));
    values[321] = Some(f32::INFINITY);
    let infinite = table(vec![("first", y()), ("temp", with(&values)), ("y", y())]);
    assert_eq!(
        refused_training(&Request::linear(Task::Regression), infinite),
        "column 'temp' is infinite as float32 in row 321 (from 0) of the train split: scale it or limit it, for example in SQL"
    );
}

#[test]
fn a_null_in_a_request_is_refused_with_row_and_column() {
    let (model, _) = train(&Request::linear(Task::Binary), &MemoryData { train: circle(1, 100), validation: None });
    let predictor = engine().load(&model.artifact).unwrap();
    let b: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.0), None]));
    assert_eq!(
        refusal(predictor.predict(&table(vec![("a", floats(vec![1.0, 2.0])), ("b", b)]))),
        "column 'b' is null in row 1 (from 0): impute it, for example with the impute plugin"
    );
    assert_eq!(
        refusal(predictor.predict(&table(vec![("a", floats(vec![1.0]))]))),
        "column 'b' is missing: the model needs it"
    );
    assert_eq!(
        refusal(predictor.predict(&table(vec![("a", floats(vec![1.0])), ("b", doubles(vec![1.0]))]))),
        "column 'b' has type Float64 and the model was made for float32 of width 1: cast it"
    );
}

#[test]
fn targets_and_weights_that_teach_nothing_are_refused() {
    let refused = |task, y: ArrayRef| {
        let x = floats(vec![1.0; y.len()]);
        refused_training(&Request::linear(task), table(vec![("x", x), ("y", y)]))
    };
    assert_eq!(
        refused(Task::Binary, doubles(vec![0.0, 1.0, 2.0])),
        "target 'y' is 2 in row 2 (from 0) of the train split: task binary wants false and true, or 0 and 1; a number wants task \
         regression"
    );
    assert_eq!(
        refused(Task::Binary, booleans(vec![false; 9])),
        "target 'y' is false in every row of the train split: a classifier needs both classes"
    );
    let null: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    assert_eq!(
        refused(Task::Regression, null),
        "target 'y' is null in row 1 (from 0) of the train split: leave such rows out, for example in SQL"
    );
    assert_eq!(
        refused(Task::Binary, texts(vec![Some("yes"), Some("no")])),
        "target column 'y' is Utf8: make it a number or a boolean, for example in SQL"
    );
    assert_eq!(refused(Task::Binary, booleans(vec![])), "there are no rows of the train split: nothing can be learned");
    let mut weighted = Request::linear(Task::Regression);
    weighted.weight = Some("w");
    let rows = |w| table(vec![("x", floats(vec![1.0; 2])), ("y", doubles(vec![1.0; 2])), ("w", doubles(w))]);
    assert_eq!(
        refused_training(&weighted, rows(vec![1.0, -2.0])),
        "weight 'w' is -2 in row 1 (from 0) of the train split: it must be 0 or more"
    );
    assert!(
        refused_training(&weighted, rows(vec![0.0, 0.0])).starts_with("all 2 rows of the train split have weight 0")
    );
}

#[test]
fn a_column_has_one_role() {
    let data = MemoryData { train: circle(1, 50), validation: None };
    let mut request = Request::linear(Task::Binary).build(&data);
    request.features.fields.push(Field::new("y", DType::Boolean));
    let message = refusal(engine().train(&request, &data, &mut Recorder::default()));
    assert_eq!(message, "column 'y' is the target and a feature: a model must not see its target");
}

#[test]
fn a_diverging_training_says_what_to_try() {
    let mut request = Request::mlp(Task::Regression);
    request.train.optimizer.learning_rate = 1e30;
    let (a, y) = (floats((0..200).map(|row| row as f32).collect()), doubles((0..200).map(f64::from).collect()));
    let message = refused_training(&request, table(vec![("a", a), ("y", y)]));
    assert!(
        message.starts_with("the training diverged in epoch 1: the loss is no finite number. Standardize"),
        "{message}"
    );
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let data = MemoryData { train: circle(1, 100), validation: None };
    let mut request = Request::linear(Task::Binary);
    let (_, recorder) = train(&request, &data);
    request.checkpoint = recorder.checkpoints.last().cloned();
    request.train.seed = 99;
    assert!(refused_training(&request, circle(1, 100)).starts_with("the checkpoint is of another training"));
    request.checkpoint = Some(b"rubbish".to_vec());
    assert!(
        refused_training(&request, circle(1, 100))
            .starts_with("the checkpoint cannot be read (its bytes are not safetensors")
    );
}

#[test]
fn an_artifact_whose_parts_do_not_fit_is_refused() {
    let data = MemoryData { train: cities(1, 200, &["Aachen"]), validation: None };
    let good = train(&Request::mlp(Task::Regression).embed("city", 2), &data).0.artifact;
    let load = |change: &dyn Fn(&mut ModelArtifact)| {
        let mut bad = good.clone();
        change(&mut bad);
        refusal(engine().load(&bad))
    };
    let weights = |change: &dyn Fn(&mut crate::weights::Weights)| {
        load(&|bad| {
            let mut weights = from_bytes(&bad.weights).unwrap().0;
            change(&mut weights);
            bad.weights = to_bytes(&weights, None).unwrap();
        })
    };
    assert!(
        load(&|bad| bad.config["format"] = 2.into())
            .starts_with("the model's config has format 2 and this version of tiegel reads format 1")
    );
    assert!(load(&|bad| bad.config = serde_json::json!({})).starts_with("the model's config has no format"));
    assert!(
        load(&|bad| bad.config["model"]["hidden"] = serde_json::json!([16, 9]))
            .starts_with("tensor 'dense.1.bias' has shape [8]")
    );
    assert!(
        load(&|bad| bad.weights = bad.weights[..100].into()).starts_with("the model's weights are not safetensors")
    );
    let missing = weights(&|weights| drop(weights.remove("dense.0.bias")));
    assert_eq!(missing, "the model's weights have no tensor 'dense.0.bias', which its config calls for");
    let broken = weights(&|weights| weights.get_mut("embedding.city").unwrap().data[1] = f32::NAN);
    assert_eq!(broken, "tensor 'embedding.city' of the model's weights holds NaN");
    let extra = weights(&|weights| drop(weights.insert("x".into(), weights["dense.0.bias"].clone())));
    assert_eq!(extra, "the model's weights have tensor 'x', which its config does not know");
    let renamed = load(&|bad| bad.config["vocabularies"] = serde_json::json!({}));
    assert_eq!(renamed, "the model's config has no vocabulary of column 'city'");
}

#[test]
fn devices_that_are_not_there_are_refused() {
    let open = |device: &str| CandleEngine::new(&ModelConfig { threads: 1, device: device.to_owned() });
    assert_eq!(refusal(open("tpu")), "device 'tpu' is unknown: use cpu, cuda:0 or auto");
    assert!(open("auto").is_ok());
    if !cfg!(feature = "cuda") {
        let expected = "device 'cuda:0' needs a build with CUDA: build with '--features cuda', or use device cpu";
        assert_eq!(refusal(open("cuda:0")), expected);
    }
}

#[test]
fn the_version_names_the_candle_that_is_linked() {
    let lock = include_str!("../../../../Cargo.lock");
    let start = lock.find("name = \"candle-core\"\nversion = \"").unwrap();
    let version = lock[start..].split('"').nth(3).unwrap();
    assert!(engine().version().contains(&format!("candle {version},")), "{}", engine().version());
}

#[test]
fn too_many_categories_are_refused() {
    let names: Vec<String> = (0..100_001).map(|row| format!("user {row}")).collect();
    let users = texts(names.iter().map(|name| Some(name.as_str())).collect());
    let y = booleans((0..100_001).map(|row| row % 2 == 0).collect());
    assert_eq!(
        refused_training(&Request::linear(Task::Binary).embed("user", 2), table(vec![("user", users), ("y", y)])),
        "column 'user' has over 100000 values, too many for an embedding: group rare values in SQL, or leave the column out"
    );
}

#[test]
fn a_timestamp_cannot_be_embedded() {
    let when: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("UTC"));
    assert_eq!(when.null_count(), 0);
    let message = refused_training(
        &Request::linear(Task::Binary).embed("when", 2),
        table(vec![("when", when), ("y", booleans(vec![true, false]))]),
    );
    assert!(message.starts_with("column 'when' is timestamp_us, and an embedding needs"), "{message}");
}
