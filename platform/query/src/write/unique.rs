//! Checks that a sorted table's key has no repeated value, by comparing neighbours.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{and, concat};
use arrow::util::display::array_value_to_string;
use tiegel_engine::TableError;

use crate::error::{internal, invalid, shown};

/// Repeated values shown in the error.
const SHOWN_MAX: usize = 3;

pub(crate) struct UniqueKey {
    names: Vec<String>,
    /// The key of the last row seen.
    last: Option<Vec<ArrayRef>>,
}

impl UniqueKey {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self { names, last: None }
    }

    /// Checks one batch against itself and the row before it. A null equals a null.
    pub(crate) fn check(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let column =
            |name: &String| batch.column_by_name(name).cloned().ok_or_else(|| internal("missing key column", name));
        let mut columns = self.names.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        if let Some(last) = &self.last {
            let joined = last.iter().zip(&columns).map(|(a, b)| concat(&[a.as_ref(), b.as_ref()]));
            columns = joined.collect::<Result<_, _>>().map_err(|e| internal("checking the key", e))?;
        }
        if let Some(repeated) = repeated(&columns).map_err(|e| internal("checking the key", e))? {
            return self.refuse(&columns, &repeated);
        }
        // A copy of one row, so that the batch can be freed.
        let rows = columns[0].len();
        let row = columns.iter().map(|c| concat(&[c.slice(rows - 1, 1).as_ref()])).collect::<Result<_, _>>();
        self.last = Some(row.map_err(|e| internal("checking the key", e))?);
        Ok(())
    }

    fn refuse(&self, columns: &[ArrayRef], repeated: &BooleanArray) -> Result<(), TableError> {
        let rows = (0..repeated.len()).filter(|&row| repeated.value(row)).take(SHOWN_MAX);
        let value = |name: &str, column: &ArrayRef, row: usize| {
            let text = if column.is_null(row) {
                "null".into()
            } else {
                array_value_to_string(column, row).unwrap_or_default()
            };
            format!("{name} = {}", shown(&text))
        };
        let key = |row| self.names.iter().zip(columns).map(|(n, c)| value(n, c, row)).collect::<Vec<_>>().join(", ");
        let keys: Vec<String> = rows.map(|row| format!("({})", key(row))).collect();
        Err(invalid(format!(
            "the key ({}) is not unique: several rows have {}; declare a key that tells every row apart",
            self.names.join(", "),
            keys.join(" and "),
        )))
    }
}

/// Marks each row whose next row has the same values; none where there is no such row.
fn repeated(columns: &[ArrayRef]) -> Result<Option<BooleanArray>, arrow::error::ArrowError> {
    let pairs = columns[0].len() - 1;
    let mut same: Option<BooleanArray> = None;
    for column in columns {
        let equal = not_distinct(&column.slice(0, pairs), &column.slice(1, pairs))?;
        same = Some(match same {
            Some(before) => and(&before, &equal)?,
            None => equal,
        });
    }
    Ok(same.filter(|same| same.true_count() > 0))
}
