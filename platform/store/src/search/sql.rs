use crate::Result;
use crate::db::{Row, Tx, Value};

/// The values of a statement's placeholders, while its text is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Vec<Bound>);

/// A value to bind, owned. Rows are identified by one, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Bound {
    Int(i64),
    /// The bits of a double that is not NaN.
    Real(u64),
    Text(String),
}

impl From<i64> for Bound {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Bound {
    fn from(value: f64) -> Self {
        Self::Real(value.to_bits())
    }
}

impl From<&str> for Bound {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Bound {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<&Bound> for Bound {
    fn from(value: &Bound) -> Self {
        value.clone()
    }
}

impl Bound {
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Real(_) | Self::Text(_) => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Int(_) | Self::Real(_) => None,
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::Int(value) => Value::Int(Some(*value)),
            Self::Real(bits) => Value::Real(Some(f64::from_bits(*bits))),
            Self::Text(value) => Value::Text(Some(value)),
        }
    }
}

impl Places {
    /// The placeholder of a value.
    pub fn add(&mut self, value: impl Into<Bound>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    /// Placeholders between commas.
    pub fn add_all<B: Into<Bound>>(&mut self, values: impl IntoIterator<Item = B>) -> String {
        let places: Vec<_> = values.into_iter().map(|value| self.add(value)).collect();
        places.join(", ")
    }

    /// As many placeholders as a power of two, the last value repeated: so there are few statements to prepare.
    pub fn add_list(&mut self, values: &[Bound]) -> String {
        let padding = values.last().into_iter().cycle().take(values.len().next_power_of_two() - values.len());
        self.add_all(values.iter().chain(padding))
    }

    pub fn rows<T>(&self, tx: &mut Tx<'_>, text: &str, read: impl FnMut(Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        let values: Vec<_> = self.0.iter().map(Bound::value).collect();
        tx.rows(text, &values, read)
    }
}
