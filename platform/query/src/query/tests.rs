use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use tiegel_engine::TableEngine;
use tiegel_types::DType;

use super::*;
use crate::fixture::{Lab, flights, flights_schema};

async fn ask(sql: &str, rows_max: usize) -> Result<(Schema, Vec<arrow::array::RecordBatch>), TableError> {
    let lab = Lab::new(2);
    let table = lab.table(flights_schema(), vec![flights(0, 20_000)]).await;
    let tables = BTreeMap::from([("flights".to_owned(), table)]);
    let (schema, rows) = lab.engine.query(QueryRequest { sql: sql.into(), tables, rows_max }).await?;
    Ok((schema, rows.try_collect().await?))
}

#[tokio::test]
async fn a_query_answers_at_most_the_rows_asked_for() {
    let (schema, batches) = ask("SELECT id, carrier FROM flights ORDER BY id DESC", 12_000).await.unwrap();
    assert_eq!(schema.names().collect::<Vec<_>>(), ["id", "carrier"]);
    assert_eq!(batches.iter().map(|b| b.num_rows()).sum::<usize>(), 12_000);
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 19_999);
}

#[tokio::test]
async fn explain_answers_the_plan() {
    for sql in ["EXPLAIN SELECT * FROM flights WHERE id = 3", "EXPLAIN ANALYZE SELECT count(*) FROM flights"] {
        let (schema, batches) = ask(sql, 10).await.unwrap();
        assert_eq!(schema.names().collect::<Vec<_>>(), ["plan_type", "plan"], "{sql}");
        assert!(batches.iter().map(|b| b.num_rows()).sum::<usize>() > 0, "{sql}");
    }
}

#[tokio::test]
async fn what_no_table_can_hold_is_shown_as_text() {
    let (schema, batches) =
        ask("SELECT INTERVAL '36 hours' AS i, array_agg(DISTINCT carrier ORDER BY carrier) AS c FROM flights", 10)
            .await
            .unwrap();
    assert!(schema.fields.iter().all(|f| f.dtype == DType::Utf8));
    assert_eq!(batches[0].column(1).as_string::<i32>().value(0), "[AA, B6, DL, UA, WN]");
}

#[tokio::test]
async fn a_query_reads_its_tables_and_nothing_else() {
    for (sql, message) in [
        ("SELECT * FROM '/etc/passwd'", "there is no table '/etc/passwd': the inputs are flights"),
        (
            "SELECT * FROM \"tiegel-blobs://blobs/sha256\"",
            "there is no table 'tiegel-blobs://blobs/sha256': the inputs are flights",
        ),
        (
            "SELECT * FROM information_schema.tables",
            "there is no table 'information_schema.tables': the inputs are flights",
        ),
        ("CREATE VIEW v AS SELECT 1", "CREATE is not allowed here: write one SELECT"),
        ("EXPLAIN INSERT INTO flights SELECT * FROM flights", "EXPLAIN is not allowed here: write one SELECT"),
        (
            "SELECT * FROM range(0, 10)",
            "the table function range() is not allowed here: write one SELECT over tables by name",
        ),
    ] {
        assert_eq!(ask(sql, 10).await.unwrap_err().to_string(), message, "{sql}");
    }
}

#[tokio::test]
async fn an_error_while_running_ends_the_stream() {
    let error = ask("SELECT 1 / (id - 5000) AS n FROM flights", 20_000).await.unwrap_err();
    assert_eq!(error.to_string(), "division by zero: guard it with nullif(divisor, 0)");
}
