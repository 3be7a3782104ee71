//! Matrix products on the CPU, for training and for inference.
//!
//! Invariant: each element of a product is summed in one order, with separate multiplications and additions, whatever
//! the number of rows, the threads and the processor. So a row gives the same bits alone and in any batch, and a
//! training the same weights on any machine. Candle's `matmul` promises neither (its kernels follow the shape and the
//! processor), asks `/proc/cpuinfo` for the number of processors at every call, and its element-wise operations wait
//! for each other by spinning; `examples/bench_train.rs` measures both.

use rayon::prelude::*;

/// Columns that are computed together; the right matrix is stored in panels of this many.
const LANES: usize = 16;
/// Rows that share one read of a panel.
const TILE_ROWS: usize = 4;
/// Multiplications below which a second thread costs more than it saves.
const PARALLEL_PRODUCTS_MIN: usize = 1 << 20;

/// The right matrix of a product, `[depth, columns]`, and what each column's sum starts from.
pub(crate) struct Panels {
    depth: usize,
    pub(crate) columns: usize,
    /// Panel after panel of `depth x LANES` values, zero beyond the last column.
    values: Vec<[f32; LANES]>,
    start: Vec<[f32; LANES]>,
}

/// The left matrix of a product, `[rows, depth]`.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a> {
    /// Stored row by row.
    Rows(&'a [f32]),
    /// Stored column by column: the transpose of a row-major matrix with `stride` columns, from column `first` on.
    Columns { values: &'a [f32], stride: usize, first: usize },
}

impl Panels {
    /// Packs a row-major `[depth, columns]` matrix. `start` has a value for each column, or none at all for zeros.
    pub(crate) fn new(matrix: &[f32], columns: usize, start: &[f32]) -> Self {
        let row = |row: &[f32], first: usize| lanes(|lane| row.get(first + lane).copied());
        let firsts = (0..columns).step_by(LANES);
        let values =
            firsts.clone().flat_map(|first| matrix.chunks_exact(columns).map(move |values| row(values, first)));
        let depth = matrix.len() / columns;
        Self { depth, columns, values: values.collect(), start: firsts.map(|first| row(start, first)).collect() }
    }

    /// Packs the transpose of a row-major `[columns, depth]` matrix.
    pub(crate) fn transposed(matrix: &[f32], depth: usize) -> Self {
        let columns = matrix.len() / depth;
        let firsts = (0..columns).step_by(LANES);
        let at = |row: usize, first: usize| lanes(|lane| matrix.get((first + lane) * depth + row).copied());
        let values = firsts.clone().flat_map(|first| (0..depth).map(move |row| at(row, first)));
        Self { depth, columns, values: values.collect(), start: firsts.map(|_| [0.0; LANES]).collect() }
    }
}

fn lanes(value: impl Fn(usize) -> Option<f32>) -> [f32; LANES] {
    std::array::from_fn(|lane| value(lane).unwrap_or(0.0))
}

/// `left x right`, row-major, on the threads of the current pool.
pub(crate) fn parallel_product(left: Left<'_>, right: &Panels, rows: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * right.columns];
    let threads = rayon::current_num_threads();
    if threads < 2 || rows * right.columns * right.depth < PARALLEL_PRODUCTS_MIN {
        product(left, right, false, &mut out);
        return out;
    }
    let share = rows.div_ceil(threads).next_multiple_of(TILE_ROWS);
    out.par_chunks_mut(share * right.columns).enumerate().for_each(|(index, out)| {
        let row = index * share;
        let left = match left {
            Left::Rows(values) => Left::Rows(&values[row * right.depth..]),
            Left::Columns { values, stride, first } => Left::Columns { values, stride, first: first + row },
        };
        product(left, right, false, out);
    });
    out
}

/// Fills `out` with as many rows of `left x right` as it has room for; with ReLU, negative sums become 0.
pub(crate) fn product(left: Left<'_>, right: &Panels, relu: bool, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "code for a wider vector unit may only run where the processor has it")]
        // SAFETY: the processor was just found to have AVX2, all that `product_avx2` asks for.
        unsafe {
            product_avx2(left, right, relu, out);
        }
        return;
    }
    product_any(left, right, relu, out);
}

/// The same code in wider registers. No fused multiply-add: it would round differently from [`product_any`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn product_avx2(left: Left<'_>, right: &Panels, relu: bool, out: &mut [f32]) {
    product_any(left, right, relu, out);
}

#[inline(always)]
fn product_any(left: Left<'_>, right: &Panels, relu: bool, out: &mut [f32]) {
    let (depth, columns) = (right.depth, right.columns);
    for (index, (panel, start)) in right.values.chunks_exact(depth).zip(&right.start).enumerate() {
        let column = index * LANES;
        let mut row = 0;
        let mut tiles = out.chunks_exact_mut(columns * TILE_ROWS);
        for tile in &mut tiles {
            let sums = match left {
                Left::Rows(values) => four_rows(panel, start, &values[row * depth..(row + TILE_ROWS) * depth]),
                Left::Columns { values, stride, first } => four_columns(panel, start, &values[first + row..], stride),
            };
            for (sums, out) in sums.iter().zip(tile.chunks_exact_mut(columns)) {
                store(sums, relu, &mut out[column..]);
            }
            row += TILE_ROWS;
        }
        for out in tiles.into_remainder().chunks_exact_mut(columns) {
            let sums = match left {
                Left::Rows(values) => one_row(panel, start, values[row * depth..].iter()),
                Left::Columns { values, stride, first } => {
                    one_row(panel, start, values[first + row..].iter().step_by(stride))
                }
            };
            store(&sums, relu, &mut out[column..]);
            row += 1;
        }
    }
}

/// The sums of one panel for four rows. Four variables and not an array of them: those stay in registers.
#[inline(always)]
fn four_rows(panel: &[[f32; LANES]], start: &[f32; LANES], x: &[f32]) -> [[f32; LANES]; TILE_ROWS] {
    let (x01, x23) = x.split_at(2 * panel.len());
    let ((x0, x1), (x2, x3)) = (x01.split_at(panel.len()), x23.split_at(panel.len()));
    let [mut sums0, mut sums1, mut sums2, mut sums3] = [*start; TILE_ROWS];
    for ((((weights, x0), x1), x2), x3) in panel.iter().zip(x0).zip(x1).zip(x2).zip(x3) {
        sums0 = add_scaled(sums0, *x0, weights);
        sums1 = add_scaled(sums1, *x1, weights);
        sums2 = add_scaled(sums2, *x2, weights);
        sums3 = add_scaled(sums3, *x3, weights);
    }
    [sums0, sums1, sums2, sums3]
}

/// The same where the rows lie side by side, and each next element `stride` further.
#[inline(always)]
fn four_columns(panel: &[[f32; LANES]], start: &[f32; LANES], x: &[f32], stride: usize) -> [[f32; LANES]; TILE_ROWS] {
    let [mut sums0, mut sums1, mut sums2, mut sums3] = [*start; TILE_ROWS];
    for (weights, x) in panel.iter().zip(x.chunks(stride)) {
        let &[x0, x1, x2, x3] = x.first_chunk().expect("a tile lies within its row");
        sums0 = add_scaled(sums0, x0, weights);
        sums1 = add_scaled(sums1, x1, weights);
        sums2 = add_scaled(sums2, x2, weights);
        sums3 = add_scaled(sums3, x3, weights);
    }
    [sums0, sums1, sums2, sums3]
}

#[inline(always)]
fn one_row<'a>(panel: &[[f32; LANES]], start: &[f32; LANES], x: impl Iterator<Item = &'a f32>) -> [f32; LANES] {
    let mut sums = *start;
    for (weights, x) in panel.iter().zip(x) {
        sums = add_scaled(sums, *x, weights);
    }
    sums
}

#[inline(always)]
fn add_scaled(mut sums: [f32; LANES], x: f32, weights: &[f32; LANES]) -> [f32; LANES] {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += x * weight;
    }
    sums
}

/// `out` goes on to the end of its row, and is shorter than the panel at the last columns.
#[inline(always)]
fn store(sums: &[f32; LANES], relu: bool, out: &mut [f32]) {
    let sums = if relu { sums.map(|sum| if sum > 0.0 { sum } else { 0.0 }) } else { *sums };
    match out.first_chunk_mut() {
        Some(whole) => *whole = sums,
        None => out.copy_from_slice(&sums[..out.len()]),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::randomness::uniform;

    fn numbers(seed: u64, len: usize) -> Vec<f32> {
        uniform(&mut ChaCha8Rng::seed_from_u64(seed), len, 2.0)
    }

    fn transpose(matrix: &[f32], columns: usize) -> Vec<f32> {
        (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
    }

    #[test]
    fn products_are_those_of_float64_for_every_layout_and_shape() {
        for (rows, depth, columns) in [(1, 1, 1), (4, 7, 16), (5, 60, 64), (67, 3, 33), (3, 130, 1), (130, 64, 257)] {
            let (a, b, start) = (numbers(1, rows * depth), numbers(2, depth * columns), numbers(3, columns));
            let exact = |row: usize, column: usize, start: f32| {
                let products = (0..depth).map(|i| f64::from(a[row * depth + i]) * f64::from(b[i * columns + column]));
                products.sum::<f64>() + f64::from(start)
            };
            let (at, bt) = (transpose(&a, depth), transpose(&b, columns));
            let columns_of = Left::Columns { values: &at, stride: rows, first: 0 };
            let plain = parallel_product(Left::Rows(&a), &Panels::new(&b, columns, &start), rows);
            for (index, found) in plain.iter().enumerate() {
                let expected = exact(index / columns, index % columns, start[index % columns]);
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-4,
                    "{rows}x{depth}x{columns}: {found} but {expected}"
                );
            }
            let zero = vec![0.0; columns];
            let expected = parallel_product(Left::Rows(&a), &Panels::new(&b, columns, &zero), rows);
            assert_eq!(parallel_product(columns_of, &Panels::new(&b, columns, &[]), rows), expected);
            assert_eq!(parallel_product(Left::Rows(&a), &Panels::transposed(&bt, depth), rows), expected);
        }
    }

    #[test]
    fn threads_and_vector_units_change_no_bit() {
        let (rows, depth, columns) = (203, 90, 85);
        let (a, b) = (numbers(1, rows * depth), numbers(2, depth * columns));
        let right = Panels::new(&b, columns, &[]);
        let (mut narrow, at) = (vec![0.0; rows * columns], transpose(&a, depth));
        product_any(Left::Rows(&a), &right, false, &mut narrow);
        for threads in 1..=5 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let columns_of = Left::Columns { values: &at, stride: rows, first: 0 };
            assert_eq!(pool.install(|| parallel_product(Left::Rows(&a), &right, rows)), narrow);
            assert_eq!(pool.install(|| parallel_product(columns_of, &right, rows)), narrow);
        }
        assert!(rows * depth * columns > PARALLEL_PRODUCTS_MIN, "threads share this product");
    }

    #[test]
    fn relu_makes_negative_sums_zero() {
        let mut out = [9.0; 2];
        product(Left::Rows(&[1.0]), &Panels::new(&[-3.0, 2.0], 2, &[0.5, 0.5]), true, &mut out);
        assert_eq!(out, [0.0, 2.5]);
    }
}
