//! Days since 1970-01-01 and the proleptic Gregorian calendar, after Howard Hinnant, "chrono-compatible low-level date
//! algorithms" (2013).

pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Days in the 400 years after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_EPOCH: i64 = 719_468;

/// Days from 1 March to 1 January.
const DAYS_MARCH_TO_JANUARY: i64 = 306;

/// Monday is 0.
pub fn weekday(day: i64) -> u8 {
    // 1970-01-01 was a Thursday.
    (day + 3).rem_euclid(7) as u8
}

/// The day of the year from 0, and how many days that year has.
pub fn day_of_year(day: i64) -> (u16, u16) {
    let shifted = day + DAYS_BEFORE_EPOCH;
    let (era, day_of_era) = (shifted.div_euclid(DAYS_PER_ERA), shifted.rem_euclid(DAYS_PER_ERA));
    // Years here begin on 1 March, so that a leap day is a year's last.
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_year = era * 400 + year_of_era;
    if day_from_march >= DAYS_MARCH_TO_JANUARY {
        return ((day_from_march - DAYS_MARCH_TO_JANUARY) as u16, days_in(march_year + 1));
    }
    let days = days_in(march_year);
    (day_from_march as u16 + 59 + (days - 365), days)
}

fn days_in(year: i64) -> u16 {
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_hundred_years_follows_the_one_before() {
        // From 1600-01-01, a Saturday, counted by hand.
        let first = -135_140;
        assert_eq!(day_of_year(first), (0, 366));
        assert_eq!(weekday(first), 5);
        let (mut year, mut expected) = (1600, 0);
        for day in first..first + 2 * DAYS_PER_ERA {
            assert_eq!(day_of_year(day), (expected, days_in(year)), "day {day} of year {year}");
            expected += 1;
            if expected == days_in(year) {
                (year, expected) = (year + 1, 0);
            }
        }
    }

    #[test]
    fn known_days_are_found() {
        assert_eq!((weekday(0), day_of_year(0)), (3, (0, 365)));
        // 2024-02-29, a Thursday; 2013-12-31, a Tuesday.
        assert_eq!((weekday(19_782), day_of_year(19_782)), (3, (59, 366)));
        assert_eq!((weekday(16_070), day_of_year(16_070)), (1, (364, 365)));
    }
}
