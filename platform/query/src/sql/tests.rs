use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, FixedSizeListArray, Float32Array, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field as ArrowField, Int64Type};
use tiegel_engine::{SqlStep, TableEngine, TableError, arrow_schema};
use tiegel_types::{DType, Digest, Field, Schema, Table};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Lab, field, flights, flights_schema};
use crate::write::{Scratch, TableWriter};

const ROWS: usize = 50_000;

fn step(sql: &str, key: &[&str]) -> SqlStep {
    SqlStep { sql: sql.to_owned(), key: key.iter().map(|k| (*k).to_owned()).collect() }
}

/// `flights`, and `carriers` with one row for each carrier.
async fn inputs(lab: &Lab) -> BTreeMap<String, Table> {
    let flights = lab.table(flights_schema(), vec![flights(0, ROWS)]).await;
    let sql = "SELECT DISTINCT carrier, upper(carrier) || ' Inc' AS name FROM flights";
    let only = BTreeMap::from([("flights".to_owned(), flights.clone())]);
    let written =
        lab.engine.sql(&step(sql, &["carrier"]), &only, lab.scratch(), CancellationToken::new()).await.unwrap();
    BTreeMap::from([("flights".to_owned(), flights), ("carriers".to_owned(), lab.store(written).await)])
}

async fn run(lab: &Lab, inputs: &BTreeMap<String, Table>, step: &SqlStep) -> Result<Vec<Digest>, TableError> {
    let written = lab.engine.sql(step, inputs, lab.scratch(), CancellationToken::new()).await?;
    Ok(written.files.iter().map(|file| file.digest).collect())
}

async fn refusal(sql: &str, key: &[&str]) -> String {
    let lab = Lab::new(2);
    let inputs = inputs(&lab).await;
    let error = run(&lab, &inputs, &step(sql, key)).await.unwrap_err();
    assert_eq!(lab.scratch_files(), 0);
    error.to_string()
}

#[tokio::test]
async fn the_bytes_do_not_depend_on_threads_or_on_how_the_input_is_cut() {
    let one = Lab::new(1);
    let inputs = inputs(&one).await;
    let mut cut = inputs.clone();
    // The same rows in several files, in the same order.
    let parts = [0..7_000, 7_000..30_001, 30_001..ROWS];
    let mut files = Vec::new();
    for part in parts {
        files.extend(one.table(flights_schema(), vec![flights(part.start, part.end)]).await.files);
    }
    cut.get_mut("flights").unwrap().files = files;
    for (sql, key) in [
        ("SELECT * FROM flights JOIN carriers USING (carrier) WHERE id % 3 <> 1", &["id"] as &[&str]),
        (
            "SELECT carrier, avg(x) AS mean, stddev(x) AS sd, sum(x) AS total FROM flights GROUP BY carrier",
            &["carrier"],
        ),
        ("SELECT carrier, count(*) AS n, max(id) AS last FROM flights GROUP BY carrier", &[]),
        ("SELECT id, sum(x) OVER (PARTITION BY carrier ORDER BY id) AS total FROM flights", &["id"]),
        ("SELECT DISTINCT carrier, split FROM flights UNION ALL SELECT carrier, name FROM carriers", &[]),
        ("SELECT id, x FROM flights ORDER BY x DESC NULLS LAST, id LIMIT 100", &["id"]),
    ] {
        let expected = run(&one, &inputs, &step(sql, key)).await.unwrap();
        for partitions in [2, 5] {
            let many = Lab::over(one.blobs.clone(), partitions, 256 << 20);
            assert_eq!(run(&many, &inputs, &step(sql, key)).await.unwrap(), expected, "{partitions} partitions: {sql}");
            assert_eq!(run(&many, &cut, &step(sql, key)).await.unwrap(), expected, "cut input: {sql}");
        }
    }
}

#[tokio::test]
async fn the_output_is_sorted_by_its_key_with_nulls_last() {
    let lab = Lab::new(3);
    let inputs = inputs(&lab).await;
    let sql = "SELECT CASE WHEN id % 10 = 0 THEN NULL ELSE -id END AS k, id FROM flights WHERE id < 30";
    let written =
        lab.engine.sql(&step(sql, &["k", "id"]), &inputs, lab.scratch(), CancellationToken::new()).await.unwrap();
    let table = lab.store(written).await;
    let rows = lab.rows(&table).await;
    let ids: Vec<i64> = rows.column(1).as_primitive::<Int64Type>().values().to_vec();
    let expected: Vec<i64> = (0..30).rev().filter(|id| id % 10 != 0).chain([0, 10, 20]).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_step_that_is_wrong_is_refused_with_a_sentence() {
    for (sql, key, expected) in [
        ("SELECT id FROM flightz", &[] as &[&str], "there is no table 'flightz': the inputs are carriers, flights"),
        (
            "SELECT carier FROM flights",
            &[],
            "no column named carier. Did you mean 'flights.carrier'? The columns are flights.id, flights.x, flights.carrier, flights.split.",
        ),
        ("SELECT id FROM flights", &["carrier"], "the key column 'carrier' is not in the output, whose columns are id"),
        (
            "SELECT id, random() AS r FROM flights",
            &[],
            "random() answers something else each time, so the step could not be cached or repeated: take the value from a column",
        ),
        (
            "SELECT id FROM flights WHERE uuid() <> ''",
            &[],
            "uuid() answers something else each time, so the step could not be cached or repeated: take the value from a column",
        ),
        (
            "SELECT id, (SELECT max(now()) FROM carriers) AS t FROM flights",
            &[],
            "now() answers something else each time, so the step could not be cached or repeated: take the value from a column",
        ),
        (
            "SELECT id, current_date AS d FROM flights",
            &[],
            "current_date() answers something else each time, so the step could not be cached or repeated: take the value from a column",
        ),
        (
            "SELECT a.id, b.id FROM flights a JOIN flights b ON a.id = b.id",
            &[],
            "two columns are named 'id': columns 1 and 2",
        ),
        (
            "SELECT id, INTERVAL '1 day' AS d FROM flights",
            &[],
            "column 'd' has type Interval(MonthDayNano), which no table can hold; cast it in SQL, for example to double or varchar",
        ),
        (
            "SELECT carrier, id FROM flights",
            &["carrier"],
            "the key (carrier) is not unique: several rows have (carrier = AA) and (carrier = AA) and (carrier = AA); declare a key that tells every row apart",
        ),
        ("DROP TABLE flights", &[], "DROP is not allowed here: write one SELECT"),
    ] {
        assert_eq!(refusal(sql, key).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_computed_fails_the_step_and_leaves_no_file() {
    let error = refusal("SELECT id, CAST(carrier AS INT) AS n FROM flights WHERE carrier = 'AA'", &["id"]).await;
    assert!(error.contains("Cannot cast string 'AA' to value of Int32 type"), "{error}");
    assert_eq!(
        refusal("SELECT id, 1 / (id - 40000) AS n FROM flights", &["id"]).await,
        "division by zero: guard it with nullif(divisor, 0)"
    );
}

#[tokio::test]
async fn a_cancelled_step_leaves_no_file() {
    let lab = Lab::new(2);
    let inputs = inputs(&lab).await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error =
        lab.engine.sql(&step("SELECT * FROM flights", &["id"]), &inputs, lab.scratch(), cancel).await.unwrap_err();
    assert!(matches!(error, TableError::Cancelled), "{error}");
    assert_eq!(lab.scratch_files(), 0);
}

#[tokio::test]
async fn a_query_over_its_memory_is_a_limit_and_a_sort_spills_instead() {
    let lab = Lab::new(1);
    let inputs = inputs(&lab).await;
    let small = Lab::over(lab.blobs.clone(), 1, 24 << 20);
    let sorted = step("SELECT id, x, md5(CAST(id AS varchar)) AS h, repeat('x', 200) AS pad FROM flights", &["h"]);
    assert_eq!(run(&small, &inputs, &sorted).await.unwrap(), run(&lab, &inputs, &sorted).await.unwrap());
    let tiny = Lab::over(lab.blobs.clone(), 1, 1 << 20);
    let grouped =
        step("SELECT id, array_length(array_agg(repeat(carrier, 100))) AS n FROM flights GROUP BY id", &["id"]);
    let error = run(&tiny, &inputs, &grouped).await.unwrap_err();
    assert!(matches!(&error, TableError::Limit(m) if m.contains("more memory")), "{error:?}");
}

#[tokio::test]
async fn results_are_normalised_to_the_closed_set() {
    let lab = Lab::new(2);
    let inputs = inputs(&lab).await;
    let sql = "SELECT CAST(id AS DECIMAL(12, 2)) AS d, to_timestamp(id) AS t, arrow_cast(carrier, 'LargeUtf8') AS s,
               arrow_cast(carrier, 'Dictionary(Int32, Utf8)') AS k, CAST('2013-01-01' AS DATE) AS day FROM flights";
    let written = lab.engine.sql(&step(sql, &[]), &inputs, lab.scratch(), CancellationToken::new()).await.unwrap();
    let types: Vec<DType> = written.schema.fields.iter().map(|f| f.dtype).collect();
    assert_eq!(types, [DType::Float64, DType::TimestampUs, DType::Utf8, DType::Utf8, DType::Date32]);
}

#[tokio::test]
async fn columns_of_fixed_width_lists_pass_through_sql_and_sort() {
    let lab = Lab::new(2);
    let list = Field { width: 2, nullable: false, ..field("v", DType::Float32) };
    let schema = Schema::new(vec![list, field("id", DType::Int64)]);
    let items: ArrayRef = Arc::new(Float32Array::from(vec![3.0, 1.0, 1.0, 2.0, 3.0, 0.5]));
    let item = Arc::new(ArrowField::new("item", DataType::Float32, false));
    let lists: ArrayRef = Arc::new(FixedSizeListArray::new(item, 2, items, None));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 2]));
    let table =
        lab.table(schema.clone(), vec![RecordBatch::try_new(arrow_schema(&schema), vec![lists, ids]).unwrap()]).await;
    let inputs = BTreeMap::from([("t".to_owned(), table)]);
    // A filter keeps it from being row-wise, which would keep the order of the input.
    let filtered = step("SELECT * FROM t WHERE id >= 0", &[]);
    let written = lab.engine.sql(&filtered, &inputs, lab.scratch(), CancellationToken::new()).await.unwrap();
    assert_eq!(written.schema, schema);
    let sorted = lab.rows(&lab.store(written).await).await;
    assert_eq!(sorted.column(1).as_primitive::<Int64Type>().values().to_vec(), [1, 2, 0]);
    let projector = lab.engine.projector(&step("SELECT v, id + 1 AS next FROM t", &[]), &schema).await.unwrap();
    assert_eq!(projector.project(&sorted).unwrap().column(0), sorted.column(0));
}

#[tokio::test]
async fn a_table_whose_name_has_a_dot_is_found_quoted_and_not() {
    let lab = Lab::new(2);
    let table = inputs(&lab).await.remove("flights").unwrap();
    let inputs = BTreeMap::from([("features.joined".to_owned(), table)]);
    let plain = run(&lab, &inputs, &step("SELECT * FROM features.joined", &["id"])).await.unwrap();
    assert_eq!(run(&lab, &inputs, &step("SELECT * FROM \"features.joined\"", &["id"])).await.unwrap(), plain);
}

#[tokio::test]
async fn analysis_tells_which_sql_an_endpoint_can_run() {
    let lab = Lab::new(2);
    let schemas = BTreeMap::from([
        ("flights".to_owned(), flights_schema()),
        ("carriers".to_owned(), Schema::new(vec![field("carrier", DType::Utf8), field("name", DType::Utf8)])),
    ]);
    for (sql, because, reads) in [
        ("SELECT * FROM flights", None, &["id", "x", "carrier", "split"] as &[&str]),
        ("SELECT id, x * 2 AS y FROM flights", None, &["id", "x"]),
        ("SELECT f.id, upper(f.carrier) AS c FROM flights AS f", None, &["id", "carrier"]),
        ("WITH a AS (SELECT id, x + 1 AS y FROM flights) SELECT y * y AS z FROM (SELECT y FROM a) b", None, &["x"]),
        ("SELECT CASE WHEN x > 0 THEN 1 ELSE 0 END AS late, coalesce(x, 0) AS x FROM flights", None, &["x"]),
        ("SELECT 1 AS one FROM flights", None, &[]),
        ("SELECT id FROM flights WHERE x > 0", Some("filters rows"), &[]),
        ("SELECT count(*) AS n FROM flights", Some("aggregates"), &[]),
        (
            "SELECT carrier, avg(x) AS m FROM flights GROUP BY carrier HAVING avg(x) > 0",
            Some("aggregates and filters rows"),
            &[],
        ),
        ("SELECT id FROM flights JOIN carriers USING (carrier)", Some("joins 2 tables"), &[]),
        (
            "SELECT a.id FROM flights a JOIN flights b ON a.id = b.id WHERE a.x > 1",
            Some("joins 2 tables and filters rows"),
            &[],
        ),
        ("SELECT lag(x) OVER (ORDER BY id) AS before FROM flights", Some("uses a window function"), &[]),
        ("SELECT id FROM flights LIMIT 5", Some("limits rows"), &[]),
        ("SELECT id FROM flights ORDER BY id", Some("sorts rows"), &[]),
        ("SELECT DISTINCT carrier FROM flights", Some("removes duplicate rows"), &[]),
        ("SELECT id FROM flights UNION ALL SELECT id FROM flights", Some("joins the rows of several selects"), &[]),
        ("SELECT id, (SELECT count(*) FROM carriers) AS n FROM flights", Some("aggregates and uses a subquery"), &[]),
        ("SELECT unnest(make_array(id, id)) AS id FROM flights", Some("unnests rows"), &[]),
        ("SELECT 1 AS one", Some("makes rows of its own"), &[]),
        ("SELECT * FROM (VALUES (1), (2)) AS v(a)", Some("makes rows of its own"), &[]),
    ] {
        let analysis = lab.engine.analyze(&step(sql, &[]), &schemas).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!(analysis.not_row_wise_because.as_deref(), because, "{sql}");
        assert_eq!(analysis.row_wise, because.is_none(), "{sql}");
        assert_eq!(analysis.reads, reads, "{sql}");
    }
}

#[tokio::test]
async fn analysis_promises_the_schema_that_the_run_has() {
    let lab = Lab::new(2);
    let inputs = inputs(&lab).await;
    let schemas = inputs.iter().map(|(name, table)| (name.clone(), table.schema.clone())).collect();
    let sql = "SELECT f.id, name, count(*) AS n, avg(x) AS m, 1 AS one, NULLIF(f.id, 3) AS k
               FROM flights f LEFT JOIN carriers USING (carrier) GROUP BY f.id, name";
    let analysis = lab.engine.analyze(&step(sql, &["id"]), &schemas).await.unwrap();
    let written = lab.engine.sql(&step(sql, &["id"]), &inputs, lab.scratch(), CancellationToken::new()).await.unwrap();
    assert_eq!(analysis.output, written.schema);
    assert_eq!(analysis.tables, ["carriers", "flights"]);
    let nullable = |name: &str| written.schema.field(name).unwrap().nullable;
    assert!(!nullable("n") && !nullable("one") && nullable("m") && nullable("name"));
}

#[tokio::test]
async fn the_projector_gives_the_bytes_of_the_offline_step() {
    let lab = Lab::new(3);
    let inputs = inputs(&lab).await;
    let sql = "WITH a AS (SELECT id, x / 3 AS third, lower(carrier) AS c, to_timestamp(id * 1000) AS t FROM flights)
               SELECT id, third * third + sqrt(abs(third)) AS z, c || '-' || c AS cc, date_part('hour', t) AS hour,
                      CASE WHEN third IS NULL THEN 'none' WHEN third > 0 THEN 'up' ELSE 'down' END AS w,
                      CAST(third AS DECIMAL(20, 4)) AS d, t, 7 AS seven FROM a";
    let step = step(sql, &["id"]);
    let offline = run(&lab, &inputs, &step).await.unwrap();
    let projector = lab.engine.projector(&step, &flights_schema()).await.unwrap();
    let rows = lab.rows(&inputs["flights"]).await;
    let arrow = arrow_schema(projector.output());
    for batch_rows in [1, 7, 4_096, ROWS] {
        // One row at a time over the first rows only; the rest at once.
        let single = if batch_rows == 1 { 2_000 } else { ROWS };
        let cuts = (0..single).step_by(batch_rows).map(|from| (from, batch_rows.min(single - from)));
        let mut online: Vec<_> = cuts.map(|(from, n)| projector.project(&rows.slice(from, n)).unwrap()).collect();
        online.extend((single < ROWS).then(|| projector.project(&rows.slice(single, ROWS - single)).unwrap()));
        let mut writer = TableWriter::new(
            projector.output().clone(),
            Scratch { dir: lab.path("online"), counter: Default::default() },
        )
        .unwrap();
        writer.push(concat_batches(&arrow, &online).unwrap()).unwrap();
        let digests: Vec<Digest> = writer.finish().unwrap().files.iter().map(|f| f.digest).collect();
        assert_eq!(digests, offline, "{batch_rows} rows a batch");
    }
}

#[tokio::test]
async fn the_projector_refuses_what_an_endpoint_cannot_run_or_read() {
    let lab = Lab::new(1);
    let refused = |sql: &'static str| {
        let lab = &lab;
        async move { lab.engine.projector(&step(sql, &[]), &flights_schema()).await.err().unwrap().to_string() }
    };
    assert_eq!(refused("SELECT sum(x) AS s FROM flights").await, "an endpoint cannot run this SQL: it aggregates");
    assert_eq!(
        refused("SELECT a.id FROM flights a, carriers b").await,
        "an endpoint runs SQL over one table, but this reads 2"
    );
    let projector =
        lab.engine.projector(&step("SELECT x + 1 AS y FROM flights", &[]), &flights_schema()).await.unwrap();
    let wrong = flights(0, 3).project(&[0, 2]).unwrap();
    assert_eq!(projector.project(&wrong).unwrap_err().to_string(), "the input has no column 'x'");
}

#[tokio::test]
async fn a_row_wise_step_without_a_key_keeps_the_order_of_its_input() {
    let lab = Lab::new(2);
    let table = lab.table(flights_schema(), vec![flights(30_000, ROWS), flights(0, 30_000)]).await;
    let inputs = BTreeMap::from([("flights".to_owned(), table.clone())]);
    let step = step("SELECT id + 1 AS next FROM flights", &[]);
    let written = lab.engine.sql(&step, &inputs, lab.scratch(), CancellationToken::new()).await.unwrap();
    let next = lab.rows(&lab.store(written).await).await;
    let next = next.column(0).as_primitive::<Int64Type>().values().to_vec();
    let before = lab.rows(&table).await;
    let id = before.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(next, id.iter().map(|id| id + 1).collect::<Vec<_>>());
}
