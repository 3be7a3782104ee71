//! Loops over columns that LLVM turns into SIMD where the target has it (`+simd128` for guests).
//!
//! Each has a twin in `scalar` that says in plain loops what it computes, to the last bit.
//!
//! They work on blocks of 16 or 64 elements: wide enough that the epoch check, which the host adds to every loop turn, costs
//! next to nothing. Elementwise kernels give the same bits for a value wherever it stands in the slice; sums depend on
//! the order of the slice, and on nothing else.

pub mod scalar;

use crate::native::Native;

const LANES: usize = 16;

/// Elements that an elementwise kernel maps in one turn.
const EACH_BLOCK: usize = 64;

/// Rows that one step of `Moments` takes together: they stay in the first-level cache for the second pass.
const BLOCK: usize = 1_024;

/// A number that kernels widen to float64.
pub trait Number: Native {
    fn to_f64(self) -> f64;
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Number for $number {
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )+};
}

numbers!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

/// The sum, accumulated in float64 over 16 lanes.
pub fn sum<T: Number>(values: &[T]) -> f64 {
    fold_lanes(values, |x| x)
}

/// The smallest and largest value; none where there is none. NaN counts as neither.
pub fn min_max(values: &[f32]) -> Option<(f32, f32)> {
    let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    let blocks = values.chunks_exact(LANES);
    let rest = blocks.remainder();
    let mut take = |lane: usize, x: f32| {
        low[lane] = if x < low[lane] { x } else { low[lane] };
        high[lane] = if x > high[lane] { x } else { high[lane] };
    };
    for block in blocks {
        for (lane, x) in block.iter().enumerate() {
            take(lane, *x);
        }
    }
    rest.iter().for_each(|x| take(0, *x));
    let low = low.into_iter().fold(f32::INFINITY, f32::min);
    let high = high.into_iter().fold(f32::NEG_INFINITY, f32::max);
    (low <= high).then_some((low, high))
}

/// x * scale + shift, in place.
pub fn affine(values: &mut [f32], scale: f32, shift: f32) {
    each(values, |x| x * scale + shift);
}

/// (x - mean) * scale, in place.
///
/// The mean is taken as the sum of two float32, so that values near a large mean keep all their digits, which
/// `affine` would lose.
pub fn center_scale(values: &mut [f32], mean: f64, scale: f64) {
    let high = mean as f32;
    let low = (mean - f64::from(high)) as f32;
    let scale = scale as f32;
    each(values, |x| (x - high - low) * scale);
}

/// Values below `low` become `low`, those above `high` become `high`, in place. NaN stays NaN.
pub fn clip(values: &mut [f32], low: f32, high: f32) {
    each(values, |x| {
        if x < low {
            low
        } else if x > high {
            high
        } else {
            x
        }
    });
}

/// The table's value for each code, and `other` for codes beyond the table.
pub fn lookup(table: &[f32], codes: &[u32], other: f32, out: &mut Vec<f32>) {
    // The first place past the table holds what all codes beyond it get: no branch in the loop.
    let mut padded = Vec::with_capacity(table.len() + 1);
    padded.extend_from_slice(table);
    padded.push(other);
    let last = table.len();
    out.reserve(codes.len());
    let (blocks, rest) = codes.as_chunks::<LANES>();
    for block in blocks {
        out.extend_from_slice(&block.map(|code| padded[(code as usize).min(last)]));
    }
    out.extend(rest.iter().map(|code| padded[(*code as usize).min(last)]));
}

/// Count, mean and sum of squared deviations, mergeable.
///
/// Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    pub count: u64,
    pub mean: f64,
    /// The sum of (x - mean)^2.
    pub m2: f64,
}

impl Moments {
    /// Two passes over each block of rows, which is as exact as two passes over all of them.
    pub fn of<T: Number>(values: &[T]) -> Self {
        let mut moments = Self::default();
        moments.extend_slice(values);
        moments
    }

    pub fn extend_slice<T: Number>(&mut self, values: &[T]) {
        values.chunks(BLOCK).for_each(|block| self.merge(Self::of_block(block)));
    }

    /// Takes values one by one, for columns with nulls.
    pub fn extend(&mut self, values: impl IntoIterator<Item = f64>) {
        let (mut block, mut len) = ([0.0; BLOCK], 0);
        for value in values {
            block[len] = value;
            len += 1;
            if len == BLOCK {
                self.merge(Self::of_block(&block));
                len = 0;
            }
        }
        self.merge(Self::of_block(&block[..len]));
    }

    /// The moments of both samples together.
    pub fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        if other.count == 0 {
            return;
        }
        let delta = other.mean - self.mean;
        let share = other.count as f64 / count as f64;
        self.m2 += other.m2 + delta * delta * share * self.count as f64;
        self.mean += delta * share;
        self.count = count;
    }

    /// The population variance; 0 where there is no value.
    pub fn variance(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.m2 / self.count as f64 }
    }

    fn of_block<T: Number>(block: &[T]) -> Self {
        if block.is_empty() {
            return Self::default();
        }
        let mean = sum(block) / block.len() as f64;
        let m2 = fold_lanes(block, |x| (x - mean) * (x - mean));
        Self { count: block.len() as u64, mean, m2 }
    }
}

#[inline(always)]
fn each(values: &mut [f32], map: impl Fn(f32) -> f32 + Copy) {
    let (blocks, rest) = values.as_chunks_mut::<EACH_BLOCK>();
    blocks.iter_mut().for_each(|block| each_of_block(block, map));
    rest.iter_mut().for_each(|x| *x = map(*x));
}

/// A function of its own: where LLVM sees the loop over blocks too, it gathers elements of four blocks into a vector.
#[inline(never)]
fn each_of_block(block: &mut [f32; EACH_BLOCK], map: impl Fn(f32) -> f32) {
    block.iter_mut().for_each(|x| *x = map(*x));
}

#[inline(always)]
fn fold_lanes<T: Number>(values: &[T], map: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let blocks = values.chunks_exact(LANES);
    let rest = blocks.remainder();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += map(x.to_f64());
        }
    }
    let mut total: f64 = lanes.iter().sum();
    for x in rest {
        total += map(x.to_f64());
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(len: usize) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * 0.37).sin() * 10.0 + 1_000.0).collect()
    }

    #[test]
    fn moments_of_parts_merge_to_those_of_the_whole() {
        let values = wave(10_000);
        let whole = Moments::of(&values);
        for cut in [0, 1, 17, 5_000, 10_000] {
            let mut parts = Moments::of(&values[..cut]);
            parts.merge(Moments::of(&values[cut..]));
            assert_eq!(parts.count, whole.count);
            assert!((parts.mean - whole.mean).abs() < 1e-9, "{cut}");
            assert!((parts.m2 / whole.m2 - 1.0).abs() < 1e-12, "{cut}");
        }
    }

    #[test]
    fn moments_agree_with_the_definition() {
        let values = wave(3_001);
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / 3_001.0;
        let m2 = values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>();
        let moments = Moments::of(&values);
        assert!((moments.mean - mean).abs() < 1e-9);
        assert!((moments.m2 / m2 - 1.0).abs() < 1e-12);
        let mut one_by_one = Moments::default();
        one_by_one.extend(values.iter().map(|x| f64::from(*x)));
        assert_eq!(one_by_one, moments);
    }

    #[test]
    fn a_value_gets_the_same_bits_wherever_it_stands() {
        let mut together = wave(1_000);
        center_scale(&mut together, 1_000.123, 0.7);
        for (i, x) in wave(1_000).into_iter().enumerate() {
            let mut alone = [x];
            center_scale(&mut alone, 1_000.123, 0.7);
            assert_eq!(alone[0].to_bits(), together[i].to_bits());
        }
    }

    #[test]
    fn clip_and_lookup_take_the_ends() {
        let mut values = [f32::NAN, -5.0, 0.5, 7.0, f32::INFINITY];
        clip(&mut values, -1.0, 1.0);
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [-1.0, 0.5, 1.0, 1.0]);
        let mut out = Vec::new();
        lookup(&[10.0, 11.0], &[1, 0, 2, u32::MAX], -1.0, &mut out);
        assert_eq!(out, [11.0, 10.0, -1.0, -1.0]);
    }

    #[test]
    fn a_large_mean_keeps_the_digits() {
        let mut values = [16_777_216f32, 16_777_218.0];
        center_scale(&mut values, 16_777_216.5, 1.0);
        assert_eq!(values, [-0.5, 1.5]);
    }

    #[test]
    fn the_extremes_ignore_nan() {
        let mut values = wave(100);
        values[3] = f32::NAN;
        values[98] = -5.0;
        values[99] = 2_000.0;
        assert_eq!(min_max(&values), Some((-5.0, 2_000.0)));
        assert_eq!(min_max(&[]), None);
        assert_eq!(min_max(&[f32::NAN]), None);
    }

    #[test]
    fn sum_and_affine_take_slices_of_any_length() {
        for len in [0, 1, 15, 16, 17, 100] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            assert_eq!(sum(&values), (len * (len.max(1) - 1) / 2) as f64);
            let mut scaled = values.clone();
            affine(&mut scaled, 2.0, 1.0);
            assert!(values.iter().zip(&scaled).all(|(x, y)| *y == x * 2.0 + 1.0));
        }
    }
}
