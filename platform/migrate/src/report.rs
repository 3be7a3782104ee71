use std::collections::BTreeMap;

use serde::Serialize;
use tiegel_types::transfer::Counts;

/// Both sides, counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub rows: Vec<Row>,
    /// What was done otherwise than a reader may expect.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub what: &'static str,
    pub source: u64,
    pub target: u64,
}

impl Row {
    pub fn is_equal(&self) -> bool {
        self.source == self.target
    }
}

impl Report {
    pub fn of(source: &Counts, target: &Counts, notes: Notes) -> Self {
        let rows = source.entries().into_iter().zip(target.entries());
        let row = |((what, source), (_, target))| Row { what, source, target };
        Self { rows: rows.map(row).collect(), notes: notes.into_lines() }
    }

    pub fn is_equal(&self) -> bool {
        self.rows.iter().all(Row::is_equal)
    }
}

/// Remarks of one kind become one line, however often they are made.
#[derive(Clone, Debug, Default)]
pub struct Notes(BTreeMap<String, (usize, String)>);

impl Notes {
    /// `example` is one of the things that it is about.
    pub fn add(&mut self, what: &str, example: &str) {
        let (count, _) = self.0.entry(what.to_owned()).or_insert_with(|| (0, example.to_owned()));
        *count += 1;
    }

    fn into_lines(self) -> Vec<String> {
        let line = |(what, (count, example)): (String, (usize, String))| match count {
            1 => format!("{what}: {example}"),
            _ => format!("{what}: {count}, such as {example}"),
        };
        self.0.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_seen_and_remarks_are_gathered() {
        let mut notes = Notes::default();
        notes.add("files left where they are", "s3://a");
        notes.add("files left where they are", "s3://b");
        let source = Counts { runs: 2, ..Counts::default() };
        let report = Report::of(&source, &Counts { runs: 1, ..source }, notes);
        assert!(!report.is_equal());
        assert_eq!(report.rows.iter().find(|row| !row.is_equal()).map(|row| row.what), Some("runs"));
        assert_eq!(report.notes, ["files left where they are: 2, such as s3://a"]);
        assert!(Report::of(&source, &source, Notes::default()).is_equal());
    }
}
