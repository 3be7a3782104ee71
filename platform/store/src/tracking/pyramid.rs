//! What a picture of a long history needs: of each stretch the least, the greatest and the last point.
//!
//! Format 1: the number 1; then for each level, coarse first, the count of its stretches (u32) and for each three points of
//! three numbers (time, step, value) of eight bytes, little-endian.

use crate::{Result, StoreError};

use super::Point;

/// Points of a stretch on the two levels.
pub(crate) const LEVELS: [usize; 2] = [1_024, 128];

const FORMAT: u8 = 1;
const POINT_BYTES: usize = 24;
const STRETCH_BYTES: usize = 3 * POINT_BYTES;

/// Neighbouring points, or what is known of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stretch {
    pub points: u64,
    /// The first of the least values. NaN only where all are NaN, as in `max`.
    pub min: Point,
    /// The first of the greatest values.
    pub max: Point,
    /// The last by step.
    pub last: Point,
}

impl Stretch {
    pub fn of_one(point: Point) -> Self {
        Self { points: 1, min: point, max: point, last: point }
    }

    pub fn of(points: &[Point]) -> Option<Self> {
        points.iter().map(|point| Self::of_one(*point)).reduce(Self::followed_by)
    }

    /// This one and the next as one.
    pub fn followed_by(self, next: Self) -> Self {
        // A comparison with NaN is false.
        let replaces_min = next.min.value < self.min.value || (self.min.is_nan() && !next.min.is_nan());
        let replaces_max = next.max.value > self.max.value || (self.max.is_nan() && !next.max.is_nan());
        Self {
            points: self.points + next.points,
            min: if replaces_min { next.min } else { self.min },
            max: if replaces_max { next.max } else { self.max },
            last: if self.last.cmp_by_step(&next.last).is_gt() { self.last } else { next.last },
        }
    }
}

/// The stretches of `length` points, the last one shorter.
pub(crate) fn stretches(points: &[Point], length: usize) -> impl Iterator<Item = Stretch> {
    points.chunks(length).filter_map(Stretch::of)
}

pub(crate) fn encode(points: &[Point]) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    for length in LEVELS {
        bytes.extend_from_slice(&(points.len().div_ceil(length) as u32).to_le_bytes());
        for stretch in stretches(points, length) {
            for point in [stretch.min, stretch.max, stretch.last] {
                bytes.extend_from_slice(&point.timestamp_ms.to_le_bytes());
                bytes.extend_from_slice(&point.step.to_le_bytes());
                bytes.extend_from_slice(&point.value.to_le_bytes());
            }
        }
    }
    bytes
}

/// The stretches of one level of a segment with that many points.
pub(crate) fn decode(bytes: &[u8], level: usize, points: u64) -> Result<Vec<Stretch>> {
    read(bytes, level, points)
        .ok_or_else(|| StoreError::Engine("a summary of a metric's history cannot be read back".to_owned()))
}

fn read(bytes: &[u8], level: usize, points: u64) -> Option<Vec<Stretch>> {
    let (FORMAT, mut rest) = bytes.split_first().map(|(format, rest)| (*format, rest))? else { return None };
    for at in 0..=level {
        let (count, after) = rest.split_first_chunk()?;
        let (stretches, after) =
            after.split_at_checked(usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(STRETCH_BYTES)?)?;
        if at == level {
            let length = LEVELS[level] as u64;
            let stretch = |(place, bytes): (usize, &[u8; STRETCH_BYTES])| Stretch {
                points: length.min(points.saturating_sub(place as u64 * length)),
                min: point(bytes, 0),
                max: point(bytes, 1),
                last: point(bytes, 2),
            };
            return Some(stretches.as_chunks().0.iter().enumerate().map(stretch).collect());
        }
        rest = after;
    }
    None
}

fn point(bytes: &[u8; STRETCH_BYTES], place: usize) -> Point {
    let number = |at: usize| {
        let at = place * POINT_BYTES + at * 8;
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[at..at + 8]);
        number
    };
    Point {
        timestamp_ms: i64::from_le_bytes(number(0)),
        step: i64::from_le_bytes(number(1)),
        value: f64::from_le_bytes(number(2)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn history() -> impl Strategy<Value = Vec<Point>> {
        let value = prop_oneof![4 => -10.0..10.0, 1 => Just(f64::NAN)];
        prop::collection::vec((0..500_i64, -9..9_i64, value), 1..3_000).prop_map(|points| {
            let mut points: Vec<_> = points.into_iter().map(|(at, step, value)| Point::new(at, step, value)).collect();
            points.sort();
            points.dedup();
            points
        })
    }

    proptest! {
        #[test]
        fn every_level_knows_all_points_and_their_bounds(points in history()) {
            let bytes = encode(&points);
            let number = |point: &&Point| !point.is_nan();
            let min = points.iter().filter(number).map(|p| p.value).reduce(f64::min);
            let max = points.iter().filter(number).map(|p| p.value).reduce(f64::max);
            for (level, width) in LEVELS.into_iter().enumerate() {
                let decoded = decode(&bytes, level, points.len() as u64).unwrap();
                prop_assert_eq!(&decoded, &stretches(&points, width).collect::<Vec<_>>());
                let whole = decoded.into_iter().reduce(Stretch::followed_by).unwrap();
                prop_assert_eq!(whole.points, points.len() as u64);
                prop_assert_eq!(Some(whole.min.value).filter(|v| !v.is_nan()), min);
                prop_assert_eq!(Some(whole.max.value).filter(|v| !v.is_nan()), max);
                prop_assert_eq!(&whole.last, points.iter().max_by(|a, b| a.cmp_by_step(b)).unwrap());
                prop_assert!(points.contains(&whole.min) && points.contains(&whole.max));
            }
        }

        #[test]
        fn broken_bytes_are_an_error_and_no_panic(points in history(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&points);
            let cut = cut.index(bytes.len());
            prop_assert!(decode(&bytes[..cut], 1, points.len() as u64).is_err());
        }
    }
}
