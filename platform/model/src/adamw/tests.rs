use candle_core::Device;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::randomness::uniform;

const OPTIONS: Optimizer = Optimizer {
    learning_rate: 0.01,
    schedule: tiegel_types::LearningRate::Constant,
    weight_decay: 0.1,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
};

fn numbers(seed: u64, len: usize) -> Vec<f32> {
    uniform(&mut ChaCha8Rng::seed_from_u64(seed), len, 1.0)
}

/// The algorithm as the paper writes it, in float64.
struct Reference {
    w: Vec<f64>,
    m: Vec<f64>,
    v: Vec<f64>,
}

impl Reference {
    fn new(weights: &[f32]) -> Self {
        let zeros = vec![0.0; weights.len()];
        Self { w: weights.iter().map(|w| f64::from(*w)).collect(), m: zeros.clone(), v: zeros }
    }

    fn step(&mut self, gradient: &[f32], t: i32) {
        for (i, g) in gradient.iter().map(|g| f64::from(*g)).enumerate() {
            self.m[i] = OPTIONS.beta1 * self.m[i] + (1.0 - OPTIONS.beta1) * g;
            self.v[i] = OPTIONS.beta2 * self.v[i] + (1.0 - OPTIONS.beta2) * g * g;
            let m = self.m[i] / (1.0 - OPTIONS.beta1.powi(t));
            let v = self.v[i] / (1.0 - OPTIONS.beta2.powi(t));
            self.w[i] -= OPTIONS.learning_rate * (m / (v.sqrt() + OPTIONS.epsilon) + OPTIONS.weight_decay * self.w[i]);
        }
    }

    fn assert_near(&self, found: &[f32]) {
        let worst = self.w.iter().zip(found).map(|(w, f)| (w - f64::from(*f)).abs()).fold(0.0, f64::max);
        assert!(worst < 2e-5, "a weight is {worst} off");
    }
}

#[test]
fn the_fused_step_is_the_papers() {
    // Over one chunk, so that several threads take part.
    let len = CHUNK_ELEMENTS * 2 + 77;
    let start = numbers(1, len);
    let mut reference = Reference::new(&start);
    let parameter = Tensor::from_slice(&start, len, &Device::Cpu).unwrap();
    let (mut first, mut second) = (vec![0.0; len], vec![0.0; len]);
    for t in 1..=50 {
        let gradient = numbers(100 + t, len);
        reference.step(&gradient, t as i32);
        let factors = factors(&OPTIONS, t, OPTIONS.learning_rate, OPTIONS.weight_decay);
        let op = Fused { factors, first: RefCell::new(&mut first), second: RefCell::new(&mut second) };
        parameter.inplace_op2(&Tensor::from_slice(&gradient, len, &Device::Cpu).unwrap(), &op).unwrap();
    }
    reference.assert_near(&parameter.to_vec1::<f32>().unwrap());
}

#[test]
fn the_step_for_other_devices_is_the_papers() {
    let start = numbers(1, 300);
    let mut reference = Reference::new(&start);
    let mut parameter = Tensor::from_slice(&start, 300, &Device::Cpu).unwrap();
    let (mut first, mut second) = (parameter.zeros_like().unwrap(), parameter.zeros_like().unwrap());
    for t in 1..=50 {
        let gradient = numbers(100 + t, 300);
        reference.step(&gradient, t as i32);
        let factors = factors(&OPTIONS, t, OPTIONS.learning_rate, OPTIONS.weight_decay);
        let gradient = Tensor::from_slice(&gradient, 300, &Device::Cpu).unwrap();
        device_step(&mut parameter, &gradient, (&mut first, &mut second), factors).unwrap();
    }
    reference.assert_near(&parameter.to_vec1::<f32>().unwrap());
}
