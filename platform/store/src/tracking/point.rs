use std::cmp::Ordering;

/// One value of a metric. A history is ordered by time, then step, then value, and no point is in it twice.
///
/// The value is finite or NaN: an infinity becomes the greatest finite number, and -0 becomes 0. In comparisons NaN is 0,
/// and a NaN comes after a 0.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub timestamp_ms: i64,
    pub step: i64,
    pub value: f64,
}

impl Point {
    pub fn new(timestamp_ms: i64, step: i64, value: f64) -> Self {
        let value = if value.is_nan() { f64::NAN } else { value.clamp(f64::MIN, f64::MAX) + 0.0 };
        Self { timestamp_ms, step, value }
    }

    /// As the databases hold it: SQLite would store NaN as NULL.
    pub(crate) fn stored(timestamp_ms: i64, step: i64, value: f64, is_nan: bool) -> Self {
        Self { timestamp_ms, step, value: if is_nan { f64::NAN } else { value } }
    }

    /// The value that stands for this one in comparisons and in the databases.
    pub fn finite(&self) -> f64 {
        if self.value.is_nan() { 0.0 } else { self.value }
    }

    pub fn is_nan(&self) -> bool {
        self.value.is_nan()
    }

    /// Whether this point replaces `other` as the latest one: it does not where they are equal.
    pub fn is_later_than(&self, other: &Point) -> bool {
        let place = |point: &Point| (point.step, point.timestamp_ms, point.finite());
        place(self) > place(other)
    }

    /// Order by step, as samples are given.
    pub fn cmp_by_step(&self, other: &Point) -> Ordering {
        (self.step, self.timestamp_ms).cmp(&(other.step, other.timestamp_ms)).then(self.cmp_value(other))
    }

    fn cmp_value(&self, other: &Point) -> Ordering {
        self.finite().total_cmp(&other.finite()).then(self.is_nan().cmp(&other.is_nan()))
    }
}

impl Ord for Point {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.timestamp_ms, self.step).cmp(&(other.timestamp_ms, other.step)).then(self.cmp_value(other))
    }
}

impl PartialOrd for Point {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Point {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Point {}

/// Joins two ordered histories into one, without the points that are in both.
pub(crate) fn merge(left: &[Point], right: &[Point]) -> Vec<Point> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left, right);
    while let ([first, ..], [second, ..]) = (left, right) {
        let order = first.cmp(second);
        if order == Ordering::Greater {
            merged.push(*second);
        } else {
            merged.push(*first);
        }
        left = if order == Ordering::Greater { left } else { &left[1..] };
        right = if order == Ordering::Less { right } else { &right[1..] };
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_values_have_one_form() {
        assert_eq!(Point::new(1, 1, f64::INFINITY).value, f64::MAX);
        assert_eq!(Point::new(1, 1, f64::NEG_INFINITY).value, f64::MIN);
        assert!(Point::new(1, 1, -0.0).value.is_sign_positive());
        assert_eq!(Point::new(1, 1, f64::NAN), Point::new(1, 1, -f64::NAN));
        assert_ne!(Point::new(1, 1, f64::NAN), Point::new(1, 1, 0.0));
    }

    #[test]
    fn the_latest_is_the_greatest_by_step_then_time_then_value() {
        let first = Point::new(10, 1, 2.0);
        assert!(Point::new(1, 2, 0.0).is_later_than(&first));
        assert!(Point::new(11, 1, 0.0).is_later_than(&first));
        assert!(Point::new(10, 1, 2.5).is_later_than(&first));
        assert!(!first.is_later_than(&first));
        assert!(Point::new(10, 1, f64::NAN).is_later_than(&Point::new(10, 1, -1.0)));
        assert!(!Point::new(10, 1, f64::NAN).is_later_than(&Point::new(10, 1, 0.0)));
    }

    #[test]
    fn merging_keeps_the_order_and_drops_what_is_in_both() {
        let points = |times: &[i64]| times.iter().map(|at| Point::new(*at, 0, 1.0)).collect::<Vec<_>>();
        assert_eq!(merge(&points(&[1, 3, 5]), &points(&[1, 2, 5, 9])), points(&[1, 2, 3, 5, 9]));
        assert_eq!(merge(&[], &points(&[4])), points(&[4]));
    }
}
