//! Small made-up flights: enough for every step of the main job in a debug build, with a signal that a model can find.

use std::fmt::Write as _;

pub const FLIGHTS_ROWS: usize = 6_000;

const CARRIERS: [&str; 6] = ["AA", "B6", "DL", "EV", "UA", "WN"];
const ORIGINS: [&str; 3] = ["EWR", "JFK", "LGA"];

/// A small linear congruential generator: the same rows on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// `id,time,origin,carrier,distance,delay`: one flight every 90 minutes of 2013; late flights have more wind and later hours.
pub fn flights_csv() -> String {
    let mut numbers = Numbers(7);
    let mut csv = "id,time,origin,carrier,distance,delay\n".to_owned();
    for id in 0..FLIGHTS_ROWS {
        let minutes = id * 87;
        let (hour, day) = (minutes / 60 % 24, minutes / 1_440);
        let origin = ORIGINS[numbers.next(3) as usize];
        let carrier = CARRIERS[numbers.next(6) as usize];
        let late = (hour as u64 * 3 + wind(origin, minutes / 60) + numbers.next(40)) > 85;
        let delay = if late { 30 + numbers.next(90) as i64 } else { numbers.next(29) as i64 - 10 };
        let distance = if numbers.next(50) == 0 { String::new() } else { (200 + numbers.next(2_400)).to_string() };
        let time = format!("{}T{hour:02}:{:02}:00Z", date(day), minutes % 60);
        writeln!(csv, "{id},{time},{origin},{carrier},{distance},{delay}").expect("a string grows");
    }
    csv
}

/// `origin,time_hour,wind`: every hour of the year at every origin.
pub fn weather_csv() -> String {
    let mut csv = "origin,time_hour,wind\n".to_owned();
    for hour in 0..FLIGHTS_ROWS * 87 / 60 + 1 {
        for origin in ORIGINS {
            let time = format!("{}T{:02}:00:00Z", date(hour / 24), hour % 24);
            writeln!(csv, "{origin},{time},{}.5", wind(origin, hour)).expect("a string grows");
        }
    }
    csv
}

fn wind(origin: &str, hour: usize) -> u64 {
    Numbers(hour as u64 * 31 + origin.len() as u64 + u64::from(origin.as_bytes()[0])).next(30)
}

fn date(day: usize) -> String {
    const MONTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut rest = day % 365;
    for (month, days) in MONTHS.iter().enumerate() {
        if rest < *days {
            return format!("2013-{:02}-{:02}", month + 1, rest + 1);
        }
        rest -= days;
    }
    unreachable!("a year has 365 days")
}
