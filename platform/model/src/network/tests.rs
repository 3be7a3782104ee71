use candle_core::Var;
use tiegel_types::{DType, Field, Schema, Task};

use super::*;
use crate::layout::check;
use crate::loss::{TargetScale, row_loss};
use crate::vocabulary::Values;

const ROWS: usize = 9;

fn spec() -> ModelSpec {
    ModelSpec {
        family: Family::Mlp,
        hidden: vec![7, 5],
        dropout: 0.0,
        embeddings: [("c".to_owned(), 3), ("d".to_owned(), 2)].into(),
    }
}

fn examples() -> Examples {
    let mut rng = stream(3, false, 0, Purpose::Window);
    Examples {
        numeric_len: 2,
        categories_len: 2,
        numeric: uniform(&mut rng, ROWS * 2, 2.0),
        categories: (0..ROWS as u32).flat_map(|row| [row % 4, row % 2]).collect(),
        targets: (0..ROWS).map(|row| f64::from(row as u32 % 2)).collect(),
        weights: vec![1.0; ROWS],
    }
}

fn network() -> Network {
    let columns = [("a", DType::Float32), ("c", DType::Utf8), ("b", DType::Float32), ("d", DType::Int8)];
    let features = Schema::new(columns.into_iter().map(|(name, dtype)| Field::new(name, dtype)).collect());
    let layout = check(Task::Binary, &spec(), &features).unwrap();
    let survey = Survey {
        rows: ROWS as u64,
        weight_mean: 1.0,
        target: TargetScale::NONE,
        output_start: 0.25,
        vocabularies: vec![Values::Text(["x", "y", "z"].map(str::to_owned).into()), Values::Integer(vec![7])],
    };
    let weights = start_weights(&layout, &spec(), &survey, 1, false);
    Network::new(&layout, &spec(), &weights, &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The network written once more with candle's variables and its own autodiff and loss.
fn autodiff(network: &Network) -> (Vec<f32>, Vec<Vec<f32>>) {
    let variables: Vec<Var> =
        network.parameters.iter().map(|tensor| Var::from_tensor(&tensor.copy().unwrap()).unwrap()).collect();
    let (input, indices) = network.input(&mut examples()).unwrap();
    let mut x = vec![input.narrow(1, 0, 2).unwrap()];
    x.extend((0..2).map(|e| variables[e].index_select(&indices[e], 0).unwrap()));
    let mut x = Tensor::cat(&x, 1).unwrap();
    for layer in 0..3 {
        x = x.matmul(&variables[2 + 2 * layer]).unwrap().broadcast_add(&variables[3 + 2 * layer]).unwrap();
        x = if layer < 2 { x.relu().unwrap() } else { x.flatten_all().unwrap() };
    }
    let targets: Vec<f32> = examples().targets.iter().map(|target| *target as f32).collect();
    let targets = Tensor::from_vec(targets, ROWS, &Device::Cpu).unwrap();
    let gradients = candle_nn::loss::binary_cross_entropy_with_logit(&x, &targets).unwrap().backward().unwrap();
    (flat(&x), variables.iter().map(|variable| flat(gradients.get(variable).unwrap())).collect())
}

#[test]
fn output_and_gradient_are_those_of_candles_autodiff() {
    let network = network();
    let trace = network.forward(&mut examples(), None).unwrap();
    let output = trace.output().unwrap();
    let targets = examples().targets;
    let slopes = output.iter().zip(&targets).map(|(z, t)| row_loss(Task::Binary, f64::from(*z), *t).1 as f32);
    let gradients = network.backward(&trace, slopes.map(|slope| slope / ROWS as f32).collect()).unwrap();

    let (expected_output, expected) = autodiff(&network);
    assert_near("output", &output, &expected_output);
    assert_eq!(gradients.len(), expected.len());
    for ((name, found), expected) in network.names.iter().zip(&gradients).zip(&expected) {
        assert_near(name, &flat(found), expected);
        assert!(expected.iter().any(|value| value.abs() > 1e-4), "{name} has no gradient to compare");
    }
}

fn assert_near(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < 2e-6, "{name}: {f} but {e}");
    }
}

#[test]
fn the_gradient_of_a_dropped_unit_is_zero() {
    let network = network();
    let mut rng = stream(1, false, 1, Purpose::Dropout);
    let trace = network.forward(&mut examples(), Some(Dropout { rate: 0.6, rng: &mut rng })).unwrap();
    let sums = flat(&ops::dense(&trace.inputs[0], network.weight(0), network.bias(0)).unwrap());
    let active = flat(&trace.inputs[1]);
    assert!((trace.kept_factor - 2.5).abs() < 1e-3, "a kept unit grows by 1 / (1 - rate): {}", trace.kept_factor);
    let kept = active.iter().zip(&sums).filter(|(active, sum)| **active > 0.0 && **active == **sum * trace.kept_factor);
    let on = sums.iter().filter(|sum| **sum > 0.0).count();
    let kept = kept.count();
    assert!(kept > 0 && kept < on, "{kept} of {on} units that are on were kept");

    let delta =
        ops::gate(Tensor::ones((ROWS, 7), candle_core::DType::F32, &Device::Cpu).unwrap(), &trace.inputs[1], 2.5)
            .unwrap();
    assert!(flat(&delta).iter().zip(&active).all(|(delta, active)| *delta == if *active > 0.0 { 2.5 } else { 0.0 }));
}

/// The same operations as another device would run them: candle's own.
#[test]
fn our_operations_are_those_of_candle() {
    let mut rng = stream(4, false, 0, Purpose::Window);
    let mut tensor = |rows: usize, columns: usize| {
        Tensor::from_vec(uniform(&mut rng, rows * columns, 1.0), (rows, columns), &Device::Cpu).unwrap()
    };
    let (x, w, b, delta, mask) = (tensor(9, 20), tensor(20, 33), tensor(1, 33), tensor(9, 33), tensor(9, 33));
    let b = b.flatten_all().unwrap();
    let sums = x.matmul(&w).unwrap().broadcast_add(&b).unwrap();
    assert_near("dense", &flat(&ops::dense(&x, &w, &b).unwrap()), &flat(&sums));
    let active = sums.relu().unwrap();
    let own = ops::activate(sums.copy().unwrap(), None).unwrap();
    assert_near("activate", &flat(&own), &flat(&active));
    let own = ops::activate(sums.copy().unwrap(), Some(&mask)).unwrap();
    assert_near("activate with a mask", &flat(&own), &flat(&active.mul(&mask).unwrap()));
    let expected = delta.mul(&active.sign().unwrap()).unwrap().affine(2.5, 0.0).unwrap();
    assert_near("gate", &flat(&ops::gate(delta.copy().unwrap(), &active, 2.5).unwrap()), &flat(&expected));
    let expected = x.t().unwrap().matmul(&delta).unwrap();
    assert_near("weights", &flat(&ops::weight_gradient(&x, &delta).unwrap()), &flat(&expected));
    let expected = delta.matmul(&w.t().unwrap()).unwrap();
    assert_near("inputs", &flat(&ops::input_gradient(&delta, &w).unwrap()), &flat(&expected));
    assert_near("biases", &flat(&ops::bias_gradient(&delta).unwrap()), &flat(&delta.sum(0).unwrap()));
}
