//! What Linux knows of this process. Elsewhere nothing is known and the gauges stay 0.

use std::fs;

/// Ticks a second in `/proc/PID/stat`, fixed for user space on every Linux architecture.
const TICKS_A_SECOND: f64 = 100.0;

pub(crate) fn resident_bytes() -> Option<i64> {
    resident_bytes_of(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Seconds since 1970.
pub(crate) fn start_seconds() -> Option<f64> {
    start_seconds_of(&fs::read_to_string("/proc/self/stat").ok()?, &fs::read_to_string("/proc/stat").ok()?)
}

fn resident_bytes_of(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

/// Field 22 of `proc_pid_stat(5)`, counted after the command's closing bracket because a command may hold spaces.
fn start_seconds_of(stat: &str, system: &str) -> Option<f64> {
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let boot: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + ticks / TICKS_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_start_are_read_from_proc() {
        assert_eq!(resident_bytes_of("Name:\ttiegel\nVmRSS:\t   81920 kB\nThreads:\t4\n"), Some(83_886_080));
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 5 6 0 0 20 0 4 0 12345 1000 200";
        assert_eq!(start_seconds_of(stat, "cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_123.45));
        assert_eq!(start_seconds_of("", ""), None);
    }
}
