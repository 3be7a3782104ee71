use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use tiegel_engine::{ScanOptions, ScanOrder, TableEngine};
use tiegel_types::limits::ROW_GROUP_ROWS;
use tiegel_types::{Split, Table};

use crate::fixture::{Lab, flights, flights_schema};

const ROWS: usize = 5 * ROW_GROUP_ROWS + 100;

async fn ids(lab: &Lab, table: &Table, options: ScanOptions) -> Vec<i64> {
    let batches: Vec<_> = lab.engine.scan(table, options).try_collect().await.unwrap();
    batches.iter().flat_map(|b| b.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().to_vec()).collect()
}

async fn lab() -> (Lab, Table) {
    let lab = Lab::new(2);
    // Two files, so that a shuffle crosses files.
    let mut table = lab.table(flights_schema(), vec![flights(0, 2 * ROW_GROUP_ROWS)]).await;
    let second = lab.table(flights_schema(), vec![flights(2 * ROW_GROUP_ROWS, ROWS)]).await;
    table.files.extend(second.files);
    table.rows += second.rows;
    (lab, table)
}

#[tokio::test]
async fn rows_come_as_stored_in_batches_of_the_size_asked_for() {
    let (lab, table) = lab().await;
    let options =
        ScanOptions { batch_rows: 1_000, columns: Some(vec!["carrier".into(), "id".into()]), ..Default::default() };
    let batches: Vec<_> = lab.engine.scan(&table, options.clone()).try_collect().await.unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= 1_000));
    let schema = batches[0].schema();
    assert_eq!(schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["carrier", "id"]);
    assert_eq!(ids(&lab, &table, options).await, (0..ROWS as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn offset_and_limit_cut_the_rows_wherever_they_fall() {
    let (lab, table) = lab().await;
    for (offset, limit) in [
        (0, 10),
        (ROW_GROUP_ROWS - 1, 3),
        (3 * ROW_GROUP_ROWS, ROW_GROUP_ROWS + 5),
        (ROWS - 2, 10),
        (ROWS + 1, 10),
        (5, 0),
    ] {
        let options = ScanOptions { offset, limit: Some(limit), ..Default::default() };
        let expected: Vec<i64> = (0..ROWS as i64).skip(offset).take(limit).collect();
        assert_eq!(ids(&lab, &table, options).await, expected, "offset {offset}, limit {limit}");
    }
}

#[tokio::test]
async fn splits_choose_rows() {
    let (lab, table) = lab().await;
    let options =
        ScanOptions { splits: vec![Split::Train, Split::Test], columns: Some(vec!["id".into()]), ..Default::default() };
    let expected: Vec<i64> = (0..ROWS as i64).filter(|id| id % 3 != 1).collect();
    assert_eq!(ids(&lab, &table, options).await, expected);
    let options = ScanOptions { splits: vec![Split::Validation], offset: 7, limit: Some(3), ..Default::default() };
    assert_eq!(ids(&lab, &table, options).await, [22, 25, 28]);
}

#[tokio::test]
async fn a_shuffle_is_drawn_from_its_seed_alone() {
    let (lab, table) = lab().await;
    let shuffled =
        |seed| ScanOptions { order: ScanOrder::RowGroupsShuffled { seed }, batch_rows: 500, ..Default::default() };
    let first = ids(&lab, &table, shuffled(7)).await;
    let other_engine = Lab::over(lab.blobs.clone(), 1, 64 << 20);
    assert_eq!(first, ids(&other_engine, &table, shuffled(7)).await);
    let mut orders = std::collections::BTreeSet::from([first.clone()]);
    for seed in 100..120 {
        orders.insert(ids(&lab, &table, shuffled(seed)).await);
    }
    assert!(orders.len() > 10, "{} orders of 21", orders.len());
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..ROWS as i64).collect::<Vec<_>>());
    // Inside a row group the rows stay as stored.
    assert!(first.windows(2).filter(|pair| pair[1] != pair[0] + 1).count() <= 5);
}

#[tokio::test]
async fn what_a_table_lacks_is_named() {
    let (lab, table) = lab().await;
    let failing =
        |options| async { lab.engine.scan(&table, options).try_collect::<Vec<_>>().await.unwrap_err().to_string() };
    let options = ScanOptions { columns: Some(vec!["altitude".into()]), ..Default::default() };
    assert_eq!(failing(options).await, "there is no column 'altitude': the columns are id, x, carrier, split");
    let mut unsplit = table.clone();
    unsplit.schema.fields.pop();
    let options = ScanOptions { splits: vec![Split::Train], ..Default::default() };
    let error = lab.engine.scan(&unsplit, options).try_collect::<Vec<_>>().await.unwrap_err().to_string();
    assert_eq!(error, "the table has no column 'split' to choose rows by: add a split step before");
}
