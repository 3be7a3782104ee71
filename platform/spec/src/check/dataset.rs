use tiegel_types::TableTest;
use tiegel_types::limits::{COLUMNS_MAX, SOURCE_FILES_MAX};

use super::{Checker, NO_HINT};
use crate::field::FieldPath;
use crate::kinds::{DatasetSpec, Source};

/// What a server reads by itself.
const URL_SCHEMES: [&str; 5] = ["s3://", "gs://", "az://", "https://", "file://"];

impl Checker<'_> {
    pub(super) fn dataset(&mut self, at: &FieldPath, dataset: &DatasetSpec) {
        let DatasetSpec { description: _, source, columns, null_values: _, tests } = dataset;
        self.source(&at.field("source"), source);
        if columns.len() > COLUMNS_MAX {
            let message = format!("{} columns are named; a table has at most {COLUMNS_MAX}", columns.len());
            self.error(&at.field("columns"), message, NO_HINT);
        }
        for (i, test) in tests.iter().enumerate() {
            self.table_test(&at.field("tests").item(i), test);
        }
    }

    fn source(&mut self, at: &FieldPath, source: &Source) {
        let Source { path, url, format: _, files } = source;
        self.exactly_one(at, &[("path", path.is_some()), ("url", url.is_some())]);
        if let Some(path) = path {
            self.not_empty(&at.field("path"), path);
        }
        if let Some(url) = url
            && !URL_SCHEMES.iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme))
        {
            let message = format!("'{url}' is not a URL that the server reads");
            let hint =
                format!("it starts with one of {}; for a file beside this one, write path", URL_SCHEMES.join(", "));
            self.error(&at.field("url"), message, hint.as_str());
        }
        if files.len() > SOURCE_FILES_MAX {
            let message = format!("the source has {} files; at most {SOURCE_FILES_MAX} are read", files.len());
            self.error(&at.field("files"), message, NO_HINT);
        }
    }

    fn table_test(&mut self, at: &FieldPath, test: &TableTest) {
        match test {
            TableTest::NotNull(columns) | TableTest::Unique(columns) => {
                let kind = if matches!(test, TableTest::Unique(_)) { "unique" } else { "not_null" };
                let at = at.field(kind);
                if columns.is_empty() {
                    self.error(&at, "the test names no column", NO_HINT);
                }
                self.columns(&at, columns);
            }
            TableTest::Accepted { column, r#in } => {
                let at = at.field("accepted");
                self.not_empty(&at.field("column"), column);
                if r#in.is_empty() {
                    self.error(&at.field("in"), "the test accepts no value", NO_HINT);
                }
            }
            TableTest::Range { column, min, max } => {
                let at = at.field("range");
                self.not_empty(&at.field("column"), column);
                self.bounds(&at, *min, *max);
            }
            TableTest::Rows { min, max } => self.bounds(&at.field("rows"), *min, *max),
            TableTest::Sql(sql) => self.not_empty(&at.field("sql"), sql),
        }
    }

    fn bounds<T: PartialOrd + std::fmt::Display>(&mut self, at: &FieldPath, min: Option<T>, max: Option<T>) {
        match (min, max) {
            (None, None) => self.error(at, "the test has no bound", "write min, max or both"),
            (Some(min), Some(max)) if min > max => {
                self.error(at, format!("min {min} is above max {max}"), NO_HINT);
            }
            _ => {}
        }
    }
}
