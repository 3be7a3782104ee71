//! Points in columns: times and steps as differences of differences, values as they are.
//!
//! Format 1: the number 1, the count of points (u32), the times, the steps, the values; little-endian throughout. A column
//! of integers is its length in bytes (u32) and one variable-length zigzag number a point: how much its distance from the
//! point before differs from the last distance. A metric that is logged at every step takes one byte for the step.

use crate::{Result, StoreError};

use super::Point;

/// Points of one segment.
pub(crate) const SEGMENT_POINTS_MAX: usize = 8_192;

const FORMAT: u8 = 1;
/// Bits of a byte of a variable-length number that belong to the number.
const VARINT_BITS: u32 = 7;

pub(crate) fn encode(points: &[Point]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + points.len() * 11);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&(points.len() as u32).to_le_bytes());
    put_integers(&mut bytes, points.iter().map(|point| point.timestamp_ms));
    put_integers(&mut bytes, points.iter().map(|point| point.step));
    for point in points {
        bytes.extend_from_slice(&point.value.to_le_bytes());
    }
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Point>> {
    read(bytes).ok_or_else(|| StoreError::Engine("a segment of a metric's history cannot be read back".to_owned()))
}

fn read(bytes: &[u8]) -> Option<Vec<Point>> {
    let mut input = Input(bytes);
    if input.take(1)? != [FORMAT] {
        return None;
    }
    let count = input.number()?;
    let times = input.integers(count)?;
    let steps = input.integers(count)?;
    if input.0.len() != count.checked_mul(size_of::<f64>())? {
        return None;
    }
    let values = input.0.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
    let point = |((timestamp_ms, step), value)| Point { timestamp_ms, step, value };
    Some(times.into_iter().zip(steps).zip(values).map(point).collect())
}

fn put_integers(bytes: &mut Vec<u8>, values: impl Iterator<Item = i64>) {
    let length_at = bytes.len();
    bytes.extend_from_slice(&[0; size_of::<u32>()]);
    let (mut last, mut distance) = (0_i64, 0_i64);
    for value in values {
        // Wrapping: what is subtracted here is added again in the same way.
        let next = value.wrapping_sub(last);
        put_varint(bytes, zigzag(next.wrapping_sub(distance)));
        (last, distance) = (value, next);
    }
    let length = (bytes.len() - length_at - size_of::<u32>()) as u32;
    bytes[length_at..length_at + size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 1 << VARINT_BITS {
        bytes.push(value as u8 | 1 << VARINT_BITS);
        value >>= VARINT_BITS;
    }
    bytes.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let bytes: [u8; size_of::<u32>()] = self.take(size_of::<u32>())?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn integers(&mut self, count: usize) -> Option<Vec<i64>> {
        let length = self.number()?;
        let mut column = Input(self.take(length)?);
        // Every number takes a byte or more, so a count that is not true reserves nothing.
        if count > length {
            return None;
        }
        let mut values = Vec::with_capacity(count);
        let (mut last, mut distance) = (0_i64, 0_i64);
        for _ in 0..count {
            distance = distance.wrapping_add(unzigzag(column.varint()?));
            last = last.wrapping_add(distance);
            values.push(last);
        }
        column.0.is_empty().then_some(values)
    }

    fn varint(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & !(1 << VARINT_BITS)).checked_shl(shift)?;
            if byte >> VARINT_BITS == 0 {
                return Some(value);
            }
            shift += VARINT_BITS;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_point() -> impl Strategy<Value = Point> {
        (any::<i64>(), any::<i64>(), any::<f64>()).prop_map(|(at, step, value)| Point::new(at, step, value))
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(points in prop::collection::vec(any_point(), 0..300)) {
            prop_assert_eq!(decode(&encode(&points)).unwrap(), points);
        }

        #[test]
        fn broken_bytes_are_an_error_and_no_panic(
            points in prop::collection::vec(any_point(), 1..20), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut bytes = encode(&points);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            _ = decode(&bytes);
            prop_assert!(decode(&bytes[..at]).is_err());
        }
    }

    #[test]
    fn a_regular_series_takes_about_ten_bytes_a_point() {
        let points: Vec<_> = (0..SEGMENT_POINTS_MAX as i64)
            .map(|step| Point::new(1_700_000_000_000 + step * 250, step, 1.0 / (step + 1) as f64))
            .collect();
        assert!(encode(&points).len() < points.len() * 10 + 64);
    }
}
