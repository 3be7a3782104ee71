//! What each kernel computes, one element after the other.

use super::{BLOCK, LANES, Moments, Number};

/// Element i of the whole blocks goes to lane i modulo 16; the lanes are added in order, then the elements left over.
pub fn sum<T: Number>(values: &[T]) -> f64 {
    sum_of(values, |x| x)
}

pub fn min_max(values: &[f32]) -> Option<(f32, f32)> {
    let mut found: Option<(f32, f32)> = None;
    for x in values.iter().copied().filter(|x| !x.is_nan()) {
        let (low, high) = found.unwrap_or((x, x));
        found = Some((if x < low { x } else { low }, if x > high { x } else { high }));
    }
    found
}

pub fn affine(values: &mut [f32], scale: f32, shift: f32) {
    for x in values {
        *x = *x * scale + shift;
    }
}

pub fn center_scale(values: &mut [f32], mean: f64, scale: f64) {
    let high = mean as f32;
    let low = (mean - f64::from(high)) as f32;
    for x in values {
        *x = (*x - high - low) * scale as f32;
    }
}

pub fn clip(values: &mut [f32], low: f32, high: f32) {
    for x in values {
        if *x < low {
            *x = low;
        } else if *x > high {
            *x = high;
        }
    }
}

pub fn lookup(table: &[f32], codes: &[u32], other: f32, out: &mut Vec<f32>) {
    for code in codes {
        out.push(table.get(*code as usize).copied().unwrap_or(other));
    }
}

/// Blocks of 1,024 rows, each in two passes, merged in order.
pub fn moments<T: Number>(values: &[T]) -> Moments {
    let mut moments = Moments::default();
    for block in values.chunks(BLOCK) {
        let mean = sum(block) / block.len() as f64;
        let m2 = sum_of(block, |x| (x - mean) * (x - mean));
        moments.merge(Moments { count: block.len() as u64, mean, m2 });
    }
    moments
}

fn sum_of<T: Number>(values: &[T], map: impl Fn(f64) -> f64) -> f64 {
    let whole = values.len() / LANES * LANES;
    let mut lanes = [0.0; LANES];
    for i in 0..whole {
        lanes[i % LANES] += map(values[i].to_f64());
    }
    let mut total = 0.0;
    for lane in lanes {
        total += lane;
    }
    for x in &values[whole..] {
        total += map(x.to_f64());
    }
    total
}

#[cfg(test)]
mod tests {
    use super::super as fast;
    use super::*;

    /// Lengths around the borders of blocks.
    const LENGTHS: [usize; 11] = [0, 1, 15, 16, 17, 63, 64, 65, 1_023, 1_025, 5_003];

    /// Numbers of all sizes and signs, zeros of both signs and, where asked for, infinities and NaN.
    fn numbers(len: usize, all_finite: bool) -> Vec<f32> {
        let mut seed = 11u64;
        let mut draw = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 32) as u32
        };
        let mut number = || match draw() % 16 {
            0 => 0.0,
            1 => -0.0,
            2 if !all_finite => f32::NAN,
            3 if !all_finite => f32::INFINITY,
            _ => (draw() as f32 / 1e6 - 2_000.0) * [1e-6, 1.0, 1e6][draw() as usize % 3],
        };
        (0..len).map(|_| number()).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        // The bits of a NaN are the host's business, which makes them all the same.
        values.iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()
    }

    /// Runs both on the same numbers.
    fn assert_same(fast: impl Fn(&mut Vec<f32>), scalar: impl Fn(&mut Vec<f32>)) {
        for len in LENGTHS {
            let (mut left, mut right) = (numbers(len, false), numbers(len, false));
            fast(&mut left);
            scalar(&mut right);
            assert_eq!(bits(&left), bits(&right), "{len}");
        }
    }

    #[test]
    fn elementwise_kernels_give_the_bytes_of_their_twins() {
        assert_same(|v| fast::affine(v, 0.3, -7.0), |v| affine(v, 0.3, -7.0));
        assert_same(|v| fast::center_scale(v, 123.456, 0.37), |v| center_scale(v, 123.456, 0.37));
        assert_same(|v| fast::clip(v, -1.5, 40.0), |v| clip(v, -1.5, 40.0));
    }

    #[test]
    fn a_lookup_gives_the_bytes_of_its_twin() {
        let table = numbers(100, false);
        for len in LENGTHS {
            let codes: Vec<u32> = numbers(len, true).iter().map(|x| x.to_bits() % 130).collect();
            let (mut left, mut right) = (Vec::new(), Vec::new());
            fast::lookup(&table, &codes, 5.0, &mut left);
            lookup(&table, &codes, 5.0, &mut right);
            assert_eq!(bits(&left), bits(&right), "{len}");
        }
    }

    #[test]
    fn folding_kernels_give_the_bytes_of_their_twins() {
        for len in LENGTHS {
            let values = numbers(len, true);
            assert_eq!(fast::sum(&values).to_bits(), sum(&values).to_bits(), "{len}");
            let (left, right) = (Moments::of(&values), moments(&values));
            assert_eq!((left.mean.to_bits(), left.m2.to_bits()), (right.mean.to_bits(), right.m2.to_bits()), "{len}");
            let with_all = numbers(len, false);
            let pair = |found: Option<(f32, f32)>| found.map(|(low, high)| bits(&[low + 0.0, high + 0.0]));
            assert_eq!(pair(fast::min_max(&with_all)), pair(min_max(&with_all)), "{len}");
        }
    }
}
