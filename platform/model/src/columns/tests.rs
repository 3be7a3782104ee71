use std::sync::Arc;

use arrow::array::{BooleanArray, FixedSizeListArray, Float32Array, Int64Array};
use arrow::compute::cast;
use tiegel_engine::schema_of;
use tiegel_types::{Family, ModelSpec, Task};

use super::*;
use crate::layout::check;

const ROWS: usize = 300;
const PLACE: Place<'_> = Place { rows_before: 0, of: "" };

fn small() -> Vec<i64> {
    (0..ROWS as i64).map(|row| row * 7 % 11).collect()
}

/// One column of each numeric type, all with the same values, then a boolean and a list.
fn batch() -> RecordBatch {
    use DataType::*;
    let types = [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float16, Float32, Float64];
    let of = |data_type| cast(&Int64Array::from(small()), data_type).unwrap();
    let mut columns: Vec<(String, ArrayRef)> = types.iter().map(|t| (t.to_string(), of(t))).collect();
    let odd: Vec<bool> = small().iter().map(|value| value % 2 == 1).collect();
    columns.push(("odd".into(), Arc::new(BooleanArray::from(odd))));
    let items = Float32Array::from((0..3 * ROWS).map(|item| item as f32).collect::<Vec<_>>());
    let item = Arc::new(Field::new("item", Float32, false));
    columns.push(("list".into(), Arc::new(FixedSizeListArray::new(item, 3, Arc::new(items), None))));
    RecordBatch::try_from_iter(columns).unwrap()
}

fn layout(batch: &RecordBatch) -> InputLayout {
    let spec = ModelSpec { family: Family::Linear, hidden: vec![], dropout: 0.0, embeddings: Default::default() };
    check(Task::Regression, &spec, &schema_of(&batch.schema()).unwrap()).unwrap()
}

fn fill(batch: &RecordBatch, stride: usize) -> Vec<f32> {
    let layout = layout(batch);
    let columns = Columns::new(&layout, batch, PLACE).unwrap();
    let mut out = vec![-1.0; columns.rows * stride];
    columns.fill_numbers(0..columns.rows, &mut out, stride).unwrap();
    out
}

#[test]
fn every_numeric_type_and_width_becomes_float32_in_the_order_of_the_columns() {
    let filled = fill(&batch(), 15);
    for (row, inputs) in filled.chunks_exact(15).enumerate() {
        let value = small()[row] as f32;
        assert_eq!(inputs[..11], [value; 11], "row {row}");
        assert_eq!(inputs[11], value % 2.0);
        assert_eq!(inputs[12..], [3 * row, 3 * row + 1, 3 * row + 2].map(|item| item as f32));
    }
}

#[test]
fn offsets_of_a_slice_and_room_after_each_row_are_respected() {
    let whole = fill(&batch(), 15);
    let part = fill(&batch().slice(101, 150), 20);
    for (row, inputs) in part.chunks_exact(20).enumerate() {
        assert_eq!(inputs[..15], whole[(101 + row) * 15..(102 + row) * 15], "row {row}");
        assert_eq!(inputs[15..], [-1.0; 5], "what lies behind is left alone");
    }
}

#[test]
fn a_null_inside_a_list_is_found_in_its_row() {
    let items = Float32Array::from(vec![Some(1.0), Some(2.0), Some(3.0), None]);
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let list: ArrayRef = Arc::new(FixedSizeListArray::new(item, 2, Arc::new(items), None));
    let batch = RecordBatch::try_from_iter([("list", list)]).unwrap();
    let layout = layout(&batch);
    let error = Columns::new(&layout, &batch, PLACE).err().unwrap().to_string();
    assert_eq!(error, "column 'list' is null in row 1 (from 0): impute it, for example with the impute plugin");
}
