use std::str::FromStr;

use tiegel_context::OpError;

/// Each unit at most once, in this order.
const UNITS: [(char, f64); 4] = [('d', 86_400e3), ('h', 3_600e3), ('m', 60e3), ('s', 1e3)];
/// A thousand years.
const MS_MAX: f64 = 1_000.0 * 366.0 * 86_400e3;

/// A length of time, written as `mlflow gc` takes it: `30d`, `8h`, `2d8h5m20s`, `0.5h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    ms: i64,
}

impl Age {
    pub const NONE: Self = Self { ms: 0 };

    pub fn of_seconds(seconds: u64) -> Self {
        Self { ms: i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000) }
    }

    /// The time that was this long before `now_ms`.
    pub fn before(self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.ms)
    }
}

impl FromStr for Age {
    type Err = OpError;

    fn from_str(text: &str) -> Result<Self, OpError> {
        let invalid = || {
            let message = format!("'{text}' is not a length of time: write for example 30d, 8h or 2d8h5m20s");
            OpError::invalid("invalid_age", message)
        };
        let (mut rest, mut units, mut total) = (text, UNITS.iter(), 0.0);
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
            let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
            let unit = rest[end..].chars().next().ok_or_else(invalid)?;
            let (_, ms) = units.by_ref().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
            total += number * ms;
            rest = &rest[end + unit.len_utf8()..];
        }
        if text.is_empty() || total > MS_MAX { Err(invalid()) } else { Ok(Self { ms: total as i64 }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_written_as_for_mlflow() {
        for (text, seconds) in
            [("30d", 30 * 86_400), ("8h", 28_800), ("2d8h5m20s", 201_920), ("0.5h", 1_800), ("0s", 0), (".5m", 30)]
        {
            assert_eq!(text.parse::<Age>().unwrap(), Age::of_seconds(seconds), "{text}");
        }
        for text in ["", "30", "d", "5x", "5m2d", "1d1d", "-1d", "1 d", "1..5d", "9999999d", "５d", "1e3d"] {
            let error = text.parse::<Age>().unwrap_err().to_string();
            assert!(error.contains("30d, 8h or 2d8h5m20s"), "{text}: {error}");
        }
    }
}
