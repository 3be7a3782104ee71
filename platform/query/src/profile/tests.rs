use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use tiegel_engine::{TableEngine, arrow_schema};
use tiegel_types::{ColumnProfile, DType, Schema, TopValue};

use crate::fixture::{Lab, field};

const ROWS: usize = 1_000;

async fn profile_of(columns: Vec<(&str, DType, ArrayRef)>, partitions: usize) -> Vec<ColumnProfile> {
    let lab = Lab::new(partitions);
    let schema = Schema::new(columns.iter().map(|(name, dtype, _)| field(name, *dtype)).collect());
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let batch = RecordBatch::try_new(arrow_schema(&schema), arrays).unwrap();
    let table = lab.table(schema, vec![batch]).await;
    let profile = lab.engine.profile(&table).await.unwrap();
    assert_eq!(profile.rows, table.rows);
    profile.columns
}

fn top(values: &[(&str, u64)]) -> Vec<TopValue> {
    values.iter().map(|(value, rows)| TopValue { value: (*value).to_owned(), rows: *rows }).collect()
}

#[tokio::test]
async fn numbers_have_exact_figures_while_the_table_is_small() {
    // 0 to 999 with every tenth missing.
    let whole: ArrayRef = Arc::new(Int64Array::from_iter((0..ROWS as i64).map(|i| (i % 10 != 0).then_some(i))));
    let columns = profile_of(vec![("n", DType::Int64, whole)], 1).await;
    let n = &columns[0];
    assert_eq!((n.nulls, n.distinct_approx), (100, 900));
    assert_eq!((n.min.as_deref(), n.max.as_deref()), (Some("1"), Some("999")));
    assert_eq!(n.mean, Some(500.0));
    assert_eq!(n.quantiles.len(), 7);
    assert!((n.quantiles[3] - 500.0).abs() < 1.0, "{:?}", n.quantiles);
    assert_eq!(n.histogram.len(), 20);
    assert_eq!(n.histogram.iter().sum::<u64>(), 900);
    assert!(n.histogram.iter().all(|rows| (44..=46).contains(rows)), "{:?}", n.histogram);
    assert_eq!(n.top.len(), 10);
    assert_eq!(n.top[0], top(&[("1", 1)])[0]);
}

#[tokio::test]
async fn floats_leave_out_nan_and_infinity_and_have_no_top_values() {
    let values = [1.0, 2.0, f64::NAN, f64::INFINITY, 3.0];
    let wide: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
    let narrow: ArrayRef = Arc::new(Float32Array::from(vec![0.1f32, 0.1, 0.7, 0.7, 0.7]));
    let columns = profile_of(vec![("x", DType::Float64, wide), ("f", DType::Float32, narrow)], 2).await;
    let x = &columns[0];
    assert_eq!((x.min.as_deref(), x.max.as_deref(), x.mean), (Some("1"), Some("inf"), Some(2.0)));
    assert_eq!(x.distinct_approx, 5);
    assert_eq!((x.histogram[0], x.histogram[10], x.histogram[19]), (1, 1, 1));
    assert!(x.top.is_empty());
    assert_eq!((columns[1].min.as_deref(), columns[1].distinct_approx), (Some("0.1"), 2));
}

#[tokio::test]
async fn texts_dates_and_flags_have_top_values() {
    let text: ArrayRef =
        Arc::new(StringArray::from_iter((0..ROWS).map(|i| (i % 4 != 0).then(|| ["", "UA", "B6", "UA"][i % 4]))));
    let day: ArrayRef = Arc::new(Date32Array::from_iter_values((0..ROWS).map(|i| 15_706 + (i % 2) as i32)));
    let time =
        TimestampMicrosecondArray::from_iter_values((0..ROWS).map(|i| i as i64 * 3_600_000_000)).with_timezone("UTC");
    let flag: ArrayRef = Arc::new(BooleanArray::from_iter((0..ROWS).map(|i| Some(i % 5 == 0))));
    let columns = profile_of(
        vec![
            ("s", DType::Utf8, text),
            ("d", DType::Date32, day),
            ("t", DType::TimestampUs, Arc::new(time)),
            ("b", DType::Boolean, flag),
        ],
        3,
    )
    .await;
    assert_eq!(columns[0].top, top(&[("UA", 500), ("B6", 250)]));
    assert_eq!((columns[0].nulls, columns[0].distinct_approx), (250, 2));
    assert_eq!((columns[0].min.as_deref(), columns[0].max.as_deref(), columns[0].mean), (Some("B6"), Some("UA"), None));
    assert_eq!(columns[1].top, top(&[("2013-01-01", 500), ("2013-01-02", 500)]));
    assert_eq!(columns[2].max.as_deref(), Some("1970-02-11T15:00:00Z"));
    assert_eq!(columns[3].top, top(&[("false", 800), ("true", 200)]));
    assert!(columns[3].quantiles.is_empty() && columns[3].histogram.is_empty());
}

#[tokio::test]
async fn columns_of_bytes_tell_nulls_only_and_a_column_of_nulls_has_nothing_to_tell() {
    let bytes: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(b"a"), None]));
    let nothing: ArrayRef = Arc::new(Int64Array::from(vec![None, None]));
    let columns = profile_of(vec![("raw", DType::Binary, bytes), ("n", DType::Int64, nothing)], 1).await;
    assert_eq!((columns[0].nulls, columns[0].distinct_approx, columns[0].min.as_deref()), (1, 0, None));
    let n = &columns[1];
    assert_eq!((n.nulls, n.distinct_approx, n.mean), (2, 0, None));
    assert!(n.min.is_none() && n.quantiles.is_empty() && n.histogram.is_empty() && n.top.is_empty());
}

#[tokio::test]
async fn many_values_are_sketched_and_the_frequent_ones_counted_exactly() {
    const MANY: usize = 120_000;
    let ids: ArrayRef =
        Arc::new(Int64Array::from_iter_values((0..MANY).map(|i| if i % 50 == 0 { 42 } else { i as i64 })));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..MANY).map(|i| if i % 40 == 0 { "often".into() } else { format!("t{i}") }),
    ));
    let make = || vec![("id", DType::Int64, Arc::clone(&ids)), ("s", DType::Utf8, Arc::clone(&texts))];
    let columns = profile_of(make(), 1).await;
    let close = |estimate: u64, exact: f64| (estimate as f64 - exact).abs() < 0.03 * exact;
    assert!(close(columns[0].distinct_approx, 117_601.0), "{}", columns[0].distinct_approx);
    assert!(close(columns[1].distinct_approx, 117_001.0), "{}", columns[1].distinct_approx);
    assert_eq!(columns[0].top[0], top(&[("42", 2_401)])[0]);
    assert_eq!(columns[1].top[0], top(&[("often", 3_000)])[0]);
    assert_eq!(profile_of(make(), 4).await, columns, "the profile does not depend on threads");
}
