use super::training::Range;
use super::{Checker, NO_HINT, meant};
use crate::field::FieldPath;
use crate::kinds::{PipelineSpec, SplitByFraction, SplitByTime, SplitSpec};
use crate::time::parse_time;

impl Checker<'_> {
    pub(super) fn split(&mut self, at: &FieldPath, split: &SplitSpec, pipeline: &PipelineSpec) {
        let SplitSpec { step, by_time, by_fraction, by_column } = split;
        match pipeline.steps.get(step) {
            None => {
                let hint = meant(step, pipeline.steps.keys().map(|n| n.as_str()), "step");
                self.error(&at.field("step"), format!("there is no step '{step}'"), hint);
            }
            Some(found) if found.sql.is_none() => {
                let message = format!("'{step}' is no SQL step");
                self.error(&at.field("step"), message, "split the SQL step that the plugins read from");
            }
            Some(_) => {}
        }
        let choices =
            [("byTime", by_time.is_some()), ("byFraction", by_fraction.is_some()), ("byColumn", by_column.is_some())];
        self.exactly_one(at, &choices);
        if let Some(by) = by_time {
            self.split_by_time(&at.field("byTime"), by);
        }
        if let Some(by) = by_fraction {
            self.split_by_fraction(&at.field("byFraction"), by);
        }
        if let Some(by) = by_column {
            let at = at.field("byColumn");
            self.not_empty(&at.field("column"), &by.column);
            if by.test.is_empty() {
                self.error(&at.field("test"), "no value is given to test", NO_HINT);
            }
            for (i, value) in by.validation.iter().enumerate().filter(|(_, value)| by.test.contains(value)) {
                self.error(&at.field("validation").item(i), format!("{value} is in test already"), NO_HINT);
            }
        }
    }

    fn split_by_time(&mut self, at: &FieldPath, by: &SplitByTime) {
        self.not_empty(&at.field("column"), &by.column);
        let test_from = self.time(&at.field("testFrom"), &by.test_from);
        let Some(validation_from) = &by.validation_from else { return };
        let validation_from = self.time(&at.field("validationFrom"), validation_from);
        if let (Some(validation), Some(test)) = (validation_from, test_from)
            && validation >= test
        {
            let message = format!("validation must start before test, which starts at {}", by.test_from);
            self.error(&at.field("validationFrom"), message, NO_HINT);
        }
    }

    fn time(&mut self, at: &FieldPath, text: &str) -> Option<i64> {
        let time = parse_time(text);
        if time.is_none() {
            let hint = "write a date such as 2013-11-01 or a time such as 2013-11-01T00:00:00Z";
            self.error(at, format!("'{text}' is not a time"), hint);
        }
        time
    }

    fn split_by_fraction(&mut self, at: &FieldPath, by: &SplitByFraction) {
        let SplitByFraction { key, seed: _, validation, test } = by;
        if key.is_empty() {
            self.error(&at.field("key"), "the columns that identify a row are missing", "write key: [COLUMN]");
        }
        self.columns(&at.field("key"), key);
        self.number(&at.field("test"), *test, Range::BetweenZeroAndOne);
        self.number(&at.field("validation"), *validation, Range::FromZeroBelowOne);
        if *test < 1.0 && *validation < 1.0 && test + validation >= 1.0 {
            let message = format!("test {test} and validation {validation} leave no row to train on");
            self.error(at, message, "their sum must be below 1");
        }
    }
}
