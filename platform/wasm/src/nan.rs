//! One bit pattern for every NaN: which one an operation answers is the processor's choice, and the same input must give
//! the same bytes on every machine. All other values, -0 among them, stay as they are.

use tiegel_types::DType;

/// Values that are looked at together: most have no NaN among them and are only read.
const BLOCK_VALUES: usize = 1_024;

/// Answers that are gathered side by side.
const LANES: usize = 8;

/// Writes the canonical quiet NaN over every NaN in little-endian values of this type.
pub fn canonicalise(dtype: DType, data: &mut [u8]) {
    match dtype {
        DType::Float32 => blocks(data, |b| f32::from_le_bytes(b).is_nan(), 0x7fc0_0000u32.to_le_bytes()),
        DType::Float64 => blocks(data, |b| f64::from_le_bytes(b).is_nan(), 0x7ff8_0000_0000_0000u64.to_le_bytes()),
        DType::Float16 => blocks(data, |b| exceeds(b, 0x7c00), 0x7e00u16.to_le_bytes()),
        DType::Bfloat16 => blocks(data, |b| exceeds(b, 0x7f80), 0x7fc0u16.to_le_bytes()),
        _ => {}
    }
}

/// Whether a half's magnitude is above infinity's. Signed, as processors compare lanes.
fn exceeds(bytes: [u8; 2], infinity: i16) -> bool {
    i16::from_le_bytes(bytes) & i16::MAX > infinity
}

fn blocks<const N: usize>(data: &mut [u8], is_nan: impl Fn([u8; N]) -> bool + Copy, nan: [u8; N]) {
    let (values, _) = data.as_chunks_mut::<N>();
    for block in values.chunks_mut(BLOCK_VALUES) {
        if holds(block, is_nan) {
            block.iter_mut().filter(|value| is_nan(**value)).for_each(|value| *value = nan);
        }
    }
}

/// Without a branch in it, so that it is vectorised: one comparison of two lanes tells whether either is unordered, and
/// counting in 32 bits keeps the answers in the lanes of the values.
fn holds<const N: usize>(block: &[[u8; N]], is_nan: impl Fn([u8; N]) -> bool) -> bool {
    let (groups, rest) = block.as_chunks::<{ 2 * LANES }>();
    let mut found = [0u32; LANES];
    for group in groups {
        let (front, back) = group.split_at(LANES);
        for ((found, a), b) in found.iter_mut().zip(front).zip(back) {
            *found |= u32::from(is_nan(*a) | is_nan(*b));
        }
    }
    found.iter().any(|lane| *lane != 0) || rest.iter().any(|value| is_nan(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dtype: DType, data: &[u8]) -> Vec<u8> {
        let mut data = data.to_vec();
        canonicalise(dtype, &mut data);
        data
    }

    #[test]
    fn every_nan_becomes_the_same_and_all_else_stays() {
        let others = [0.0f32, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE / 2.0, f32::MAX];
        for bits in [0x7fa0_0001u32, 0xffc0_0000, 0x7f80_0001, 0xffff_ffff, 0x7fc0_0000] {
            let mut values: Vec<u32> = others.iter().map(|x| x.to_bits()).collect();
            values.resize(5_000, 0x8000_0000);
            values[4_321] = bits;
            let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            values[4_321] = 0x7fc0_0000;
            let expected: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            assert_eq!(of(DType::Float32, &bytes), expected, "{bits:x}");
        }
    }

    #[test]
    fn all_widths_of_floats_have_their_own_pattern() {
        let wide = [0xfff8_0000_dead_beefu64, (-0.0f64).to_bits(), f64::INFINITY.to_bits()];
        let bytes: Vec<u8> = wide.iter().flat_map(|x| x.to_le_bytes()).collect();
        let expected = [0x7ff8_0000_0000_0000u64, wide[1], wide[2]];
        assert_eq!(of(DType::Float64, &bytes), expected.map(u64::to_le_bytes).concat());
        // Infinity, minus zero and two NaN.
        let half = [0x7c00u16, 0x8000, 0x7c01, 0xfe01].map(u16::to_le_bytes).concat();
        assert_eq!(of(DType::Float16, &half), [0x7c00u16, 0x8000, 0x7e00, 0x7e00].map(u16::to_le_bytes).concat());
        let brain = [0x7f80u16, 0x7f81, 0x8000, 0xffff].map(u16::to_le_bytes).concat();
        assert_eq!(of(DType::Bfloat16, &brain), [0x7f80u16, 0x7fc0, 0x8000, 0x7fc0].map(u16::to_le_bytes).concat());
        // The same bits as whole numbers are numbers.
        let ints = 0xffff_ffffu32.to_le_bytes();
        assert_eq!(of(DType::Int32, &ints), ints);
    }
}
