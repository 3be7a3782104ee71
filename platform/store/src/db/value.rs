/// A value to bind. A null knows its type, as Postgres asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Int(Option<i64>),
    /// SQLite stores NaN as NULL, so NaN is never bound.
    Real(Option<f64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
}

macro_rules! into_value {
    ($($from:ty => $variant:ident),+ $(,)?) => {
        $(impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Self {
                Self::$variant(Some(value))
            }
        }

        impl<'a> From<Option<$from>> for Value<'a> {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value)
            }
        })+
    };
}

into_value!(i64 => Int, f64 => Real, &'a str => Text, &'a [u8] => Bytes);

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(value: &'a Option<String>) -> Self {
        Self::Text(value.as_deref())
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

/// The rows' values in one column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Column<'a> {
    Int(Vec<i64>),
    IntOpt(Vec<Option<i64>>),
    /// No NaN.
    Real(Vec<f64>),
    /// No NaN.
    RealOpt(Vec<Option<f64>>),
    Text(Vec<&'a str>),
    TextOpt(Vec<Option<&'a str>>),
    Bytes(Vec<&'a [u8]>),
    /// One value for all rows, and how many rows.
    Same(Value<'a>, usize),
}

impl<'a> Column<'a> {
    pub fn len(&self) -> usize {
        match self {
            Column::Int(values) => values.len(),
            Column::IntOpt(values) => values.len(),
            Column::Real(values) => values.len(),
            Column::RealOpt(values) => values.len(),
            Column::Text(values) => values.len(),
            Column::TextOpt(values) => values.len(),
            Column::Bytes(values) => values.len(),
            Column::Same(_, rows) => *rows,
        }
    }

    pub fn value(&self, row: usize) -> Value<'a> {
        match self {
            Column::Int(values) => values[row].into(),
            Column::IntOpt(values) => values[row].into(),
            Column::Real(values) => values[row].into(),
            Column::RealOpt(values) => values[row].into(),
            Column::Text(values) => values[row].into(),
            Column::TextOpt(values) => values[row].into(),
            Column::Bytes(values) => values[row].into(),
            Column::Same(value, _) => *value,
        }
    }
}

/// Where many rows go: `Insert { table: "params", columns: &["run", "key"], on_conflict: "ON CONFLICT DO NOTHING" }`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Insert<'a> {
    pub table: &'a str,
    pub columns: &'a [&'a str],
    /// Empty: a conflict is an error.
    pub on_conflict: &'a str,
}
