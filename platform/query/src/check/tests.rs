use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use serde_json::json;
use std::sync::Arc;
use tiegel_engine::{TableEngine, arrow_schema};
use tiegel_types::Schema;

use super::*;
use crate::fixture::{Lab, field};

/// Rows: (1, 5.5, UA), (2, null, B6), (2, NaN, null), (null, 30, UA), (4, -1, XX).
async fn lab() -> (Lab, Table) {
    let lab = Lab::new(3);
    let schema = Schema::new(vec![
        field("id", tiegel_types::DType::Int64),
        field("delay", tiegel_types::DType::Float64),
        field("carrier", tiegel_types::DType::Utf8),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(2), None, Some(4)])),
        Arc::new(Float64Array::from(vec![Some(5.5), None, Some(f64::NAN), Some(30.0), Some(-1.0)])),
        Arc::new(StringArray::from(vec![Some("UA"), Some("B6"), None, Some("UA"), Some("XX")])),
    ];
    let batch = RecordBatch::try_new(arrow_schema(&schema), columns).unwrap();
    let table = lab.table(schema, vec![batch]).await;
    (lab, table)
}

async fn report(test: serde_json::Value) -> Result<TestReport, String> {
    let (lab, table) = lab().await;
    let test = serde_json::from_value(test).unwrap();
    let reports = lab.engine.check(&table, &[test]).await.map_err(|error| error.to_string())?;
    Ok(reports.into_iter().next().unwrap())
}

#[tokio::test]
async fn each_kind_of_test_passes_where_it_holds() {
    for (test, label) in [
        (json!({ "not_null": [] }), "not_null: "),
        (json!({ "unique": ["id", "carrier"] }), "unique: id, carrier"),
        (json!({ "accepted": { "column": "carrier", "in": ["UA", "B6", "XX"] } }), "accepted: carrier"),
        (json!({ "accepted": { "column": "id", "in": [1, 2, 4] } }), "accepted: id"),
        (json!({ "range": { "column": "id", "min": 1, "max": 4 } }), "range: id 1 to 4"),
        (json!({ "rows": { "min": 5, "max": 5 } }), "rows: 5 to 5"),
        (json!({ "sql": "SELECT * FROM this\n WHERE id > 4" }), "sql: SELECT * FROM this WHERE id > 4"),
    ] {
        let report = report(test).await.unwrap();
        let expected = TestReport { test: label.into(), passed: true, failing_rows: 0, samples: vec![] };
        assert_eq!(report, expected);
    }
}

#[tokio::test]
async fn each_kind_of_test_fails_with_a_count_and_the_rows() {
    let row = |id: Value, delay: Value, carrier: Value| json!({ "id": id, "delay": delay, "carrier": carrier });
    let (second, third) = (row(json!(2), json!(null), json!("B6")), row(json!(2), json!("NaN"), json!(null)));
    let (fourth, fifth) = (row(json!(null), json!(30.0), json!("UA")), row(json!(4), json!(-1.0), json!("XX")));
    for (test, label, failing_rows, samples) in [
        (json!({ "not_null": ["id", "carrier"] }), "not_null: id, carrier", 2, vec![third.clone(), fourth.clone()]),
        (json!({ "unique": ["id"] }), "unique: id", 2, vec![second.clone(), third.clone()]),
        (
            json!({ "accepted": { "column": "carrier", "in": ["UA", "B6"] } }),
            "accepted: carrier",
            1,
            vec![fifth.clone()],
        ),
        (
            json!({ "range": { "column": "delay", "min": 0 } }),
            "range: delay at least 0",
            2,
            vec![third.clone(), fifth.clone()],
        ),
        (
            json!({ "range": { "column": "delay", "max": 29.5 } }),
            "range: delay at most 29.5",
            2,
            vec![third.clone(), fourth.clone()],
        ),
        (json!({ "rows": { "min": 8 } }), "rows: at least 8", 3, vec![]),
        (json!({ "rows": { "max": 4 } }), "rows: at most 4", 1, vec![]),
        (
            json!({ "sql": "SELECT id * 2 AS twice FROM this WHERE carrier = 'XX'" }),
            "sql: SELECT id * 2 AS twice FROM this WHERE carrier = 'XX'",
            1,
            vec![json!({ "twice": 8 })],
        ),
    ] {
        let report = report(test).await.unwrap();
        assert_eq!(report, TestReport { test: label.into(), passed: false, failing_rows, samples });
    }
}

#[tokio::test]
async fn at_most_five_rows_are_shown() {
    let lab = Lab::new(2);
    let table = lab.table(crate::fixture::flights_schema(), vec![crate::fixture::flights(0, 30_000)]).await;
    let tests =
        [TableTest::Sql("SELECT id FROM this WHERE id >= 100".into()), TableTest::Unique(vec!["carrier".into()])];
    let reports = lab.engine.check(&table, &tests).await.unwrap();
    assert_eq!((reports[0].failing_rows, reports[1].failing_rows), (29_900, 30_000));
    assert_eq!(reports[0].samples, (100..105).map(|id| json!({ "id": id })).collect::<Vec<_>>());
    assert_eq!(reports[1].samples.len(), 5);
}

#[tokio::test]
async fn a_test_that_makes_no_sense_is_an_error_and_not_a_report() {
    for (test, message) in [
        (
            json!({ "not_null": ["dest"] }),
            "test 'not_null: dest': there is no column 'dest': the columns are id, delay, carrier",
        ),
        (json!({ "unique": [] }), "test 'unique: ': name at least one column"),
        (
            json!({ "accepted": { "column": "id", "in": ["one"] } }),
            "test 'accepted: id': \"one\" is not int64, the type of column 'id'",
        ),
        (
            json!({ "accepted": { "column": "carrier", "in": [1] } }),
            "test 'accepted: carrier': 1 is not utf8, the type of column 'carrier'",
        ),
        (
            json!({ "range": { "column": "carrier", "min": 1 } }),
            "test 'range: carrier at least 1': column 'carrier' is utf8, and a range is of numbers",
        ),
        (
            json!({ "sql": "DELETE FROM this" }),
            "test 'sql: DELETE FROM this': DELETE is not allowed here: write one SELECT",
        ),
        (
            json!({ "sql": "SELECT * FROM that" }),
            "test 'sql: SELECT * FROM that': there is no table 'that': a test reads `this` only",
        ),
    ] {
        assert_eq!(report(test).await.unwrap_err(), message);
    }
}
