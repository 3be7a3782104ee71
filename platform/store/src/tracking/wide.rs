//! Points of many metrics in one row. Most batches of a training are one step of all its metrics: as rows that are
//! clustered by metric, each of them would touch a page of its own.
//!
//! Format 1: the number 1, the count of points (u32), then four columns: keys, times, steps, values. A column is the number
//! 0 and one value for all points, or the number 1 and one value for each; a value has eight bytes, little-endian. Points
//! are sorted by key.

use crate::{Result, StoreError};

use super::Point;

const FORMAT: u8 = 1;
const SAME: u8 = 0;
const EACH: u8 = 1;
const VALUE_BYTES: usize = 8;

/// Points with their keys, sorted.
pub(crate) fn encode(points: &[(i64, Point)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + points.len() * 2 * VALUE_BYTES);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&(points.len() as u32).to_le_bytes());
    put(&mut bytes, points, |(key, _)| key.to_le_bytes());
    put(&mut bytes, points, |(_, point)| point.timestamp_ms.to_le_bytes());
    put(&mut bytes, points, |(_, point)| point.step.to_le_bytes());
    put(&mut bytes, points, |(_, point)| point.value.to_le_bytes());
    bytes
}

fn put(bytes: &mut Vec<u8>, points: &[(i64, Point)], value: impl Fn(&(i64, Point)) -> [u8; VALUE_BYTES]) {
    match points {
        [first, rest @ ..] if rest.iter().all(|point| value(point) == value(first)) => {
            bytes.push(SAME);
            bytes.extend_from_slice(&value(first));
        }
        _ => {
            bytes.push(EACH);
            for point in points {
                bytes.extend_from_slice(&value(point));
            }
        }
    }
}

/// A batch as it is stored.
pub(crate) struct Wide<'b> {
    points: usize,
    keys: Column<'b>,
    times: Column<'b>,
    steps: Column<'b>,
    values: Column<'b>,
}

#[derive(Clone, Copy)]
enum Column<'b> {
    Same([u8; VALUE_BYTES]),
    Each(&'b [[u8; VALUE_BYTES]]),
}

impl Column<'_> {
    fn at(self, row: usize) -> [u8; VALUE_BYTES] {
        match self {
            Column::Same(value) => value,
            Column::Each(values) => values[row],
        }
    }
}

impl<'b> Wide<'b> {
    pub fn decode(bytes: &'b [u8]) -> Result<Self> {
        Self::read(bytes).ok_or_else(|| StoreError::Engine("a batch of metrics cannot be read back".to_owned()))
    }

    fn read(bytes: &'b [u8]) -> Option<Self> {
        let (FORMAT, rest) = bytes.split_first().map(|(format, rest)| (*format, rest))? else { return None };
        let (count, mut rest) = rest.split_first_chunk()?;
        let points = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let mut column = || {
            let (form, after) = rest.split_first()?;
            let length = if *form == SAME { 1 } else { points };
            let (values, after) = after.split_at_checked(length.checked_mul(VALUE_BYTES)?)?;
            rest = after;
            match (*form, values.as_chunks().0) {
                (SAME, values) => Some(Column::Same(*values.first()?)),
                (EACH, values) => Some(Column::Each(values)),
                _ => None,
            }
        };
        Some(Self { points, keys: column()?, times: column()?, steps: column()?, values: column()? })
    }

    /// The points of metrics whose keys are at least `from` and less than `until`, with their keys.
    pub fn between(&self, from: i64, until: i64) -> impl Iterator<Item = (i64, Point)> {
        let begin = self.first_not_below(from);
        (begin..self.points).map(|row| (self.key(row), self.point(row))).take_while(move |(key, _)| *key < until)
    }

    /// The keys that are at least `from`, one for each point.
    pub fn keys_from(&self, from: i64) -> impl Iterator<Item = i64> {
        (self.first_not_below(from)..self.points).map(|row| self.key(row))
    }

    fn key(&self, row: usize) -> i64 {
        i64::from_le_bytes(self.keys.at(row))
    }

    fn point(&self, row: usize) -> Point {
        Point {
            timestamp_ms: i64::from_le_bytes(self.times.at(row)),
            step: i64::from_le_bytes(self.steps.at(row)),
            value: f64::from_le_bytes(self.values.at(row)),
        }
    }

    fn first_not_below(&self, key: i64) -> usize {
        match self.keys {
            Column::Same(own) => {
                if i64::from_le_bytes(own) < key {
                    self.points
                } else {
                    0
                }
            }
            Column::Each(keys) => keys.partition_point(|own| i64::from_le_bytes(*own) < key),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch() -> impl Strategy<Value = Vec<(i64, Point)>> {
        let time = prop_oneof![Just(5_i64), any::<i64>()];
        let point = (0..40_i64, time, prop_oneof![Just(7_i64), any::<i64>()], any::<f64>());
        prop::collection::vec(point, 0..200).prop_map(|points| {
            let mut points: Vec<_> =
                points.into_iter().map(|(key, at, step, value)| (key, Point::new(at, step, value))).collect();
            points.sort();
            points
        })
    }

    proptest! {
        #[test]
        fn each_metric_finds_its_points(batch in batch(), from in 0..40_i64, length in 1..9_i64) {
            let bytes = encode(&batch);
            let wide = Wide::decode(&bytes).unwrap();
            let expected: Vec<_> =
                batch.iter().filter(|(key, _)| (from..from + length).contains(key)).copied().collect();
            prop_assert_eq!(wide.between(from, from + length).collect::<Vec<_>>(), expected);
            let keys: Vec<_> = batch.iter().map(|(key, _)| *key).filter(|key| *key >= from).collect();
            prop_assert_eq!(wide.keys_from(from).collect::<Vec<_>>(), keys);
        }

        #[test]
        fn broken_bytes_are_an_error_and_no_panic(batch in batch(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&batch);
            prop_assert!(Wide::decode(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }

    #[test]
    fn a_step_of_many_metrics_takes_sixteen_bytes_a_point() {
        let points: Vec<_> = (0..1_000).map(|key| (key, Point::new(1_700_000_000_000, 3, key as f64))).collect();
        assert!(encode(&points).len() < 16_100);
    }
}
