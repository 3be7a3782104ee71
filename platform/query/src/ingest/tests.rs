use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, DictionaryArray, Int32Array, LargeStringArray, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use parquet::arrow::ArrowWriter;
use tiegel_engine::{IngestRequest, SourceFile, TableEngine, TableError};
use tiegel_types::{DType, SourceFormat, Table};
use tokio_util::sync::CancellationToken;

use crate::fixture::Lab;

/// Files by label and bytes, and how to read them.
#[derive(Default)]
struct Sources {
    files: Vec<(&'static str, Vec<u8>)>,
    columns: BTreeMap<String, DType>,
    null_values: Vec<String>,
    format: Option<SourceFormat>,
}

fn source(label: &'static str, bytes: impl AsRef<[u8]>) -> Sources {
    Sources { files: vec![(label, bytes.as_ref().to_vec())], ..Sources::default() }
}

impl Sources {
    fn and(mut self, label: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        self.files.push((label, bytes.as_ref().to_vec()));
        self
    }

    fn column(mut self, name: &str, dtype: DType) -> Self {
        self.columns.insert(name.into(), dtype);
        self
    }

    fn null(mut self, text: &str) -> Self {
        self.null_values.push(text.into());
        self
    }

    async fn ingest(self, lab: &Lab) -> Result<Table, TableError> {
        let files = self.files.into_iter().enumerate().map(|(number, (label, bytes))| {
            let path = lab.path(&format!("source-{number}"));
            std::fs::write(&path, bytes).unwrap();
            SourceFile { label: label.into(), path }
        });
        let request = IngestRequest {
            files: files.collect(),
            format: self.format,
            columns: self.columns,
            null_values: self.null_values,
            scratch: lab.scratch(),
        };
        let written = lab.engine.ingest(request, CancellationToken::new()).await?;
        Ok(lab.store(written).await)
    }

    async fn types(self) -> Vec<(String, DType)> {
        let table = self.ingest(&Lab::new(1)).await.unwrap();
        table.schema.fields.into_iter().map(|f| (f.name, f.dtype)).collect()
    }

    async fn rows(self) -> RecordBatch {
        let lab = Lab::new(1);
        let table = self.ingest(&lab).await.unwrap();
        lab.rows(&table).await
    }

    async fn refusal(self) -> String {
        let lab = Lab::new(1);
        let error = self.ingest(&lab).await.unwrap_err();
        assert_eq!(lab.scratch_files(), 0, "no scratch file is left");
        assert!(matches!(error, TableError::Invalid(_)), "{error:?}");
        error.to_string()
    }
}

fn zipped(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn parquet_of(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// A column of 20,000 small numbers, and then one that is something else.
fn late(text: &str) -> String {
    let mut csv = String::from("id,n\n");
    (0..20_000).for_each(|row| csv.push_str(&format!("{row},{}\n", row % 7)));
    csv.push_str(&format!("20000,{text}\n"));
    csv
}

#[tokio::test]
async fn csv_types_are_those_of_the_values() {
    let csv = "\u{feff}i,f,b,t,d,s,none\r\n1,2.5,true,2013-01-01T05:00:00Z,2013-01-01,\"a, \"\"b\"\"\nc\",\r\n-2,NA,,2013-01-01 06:30:00,NA,,\r\n\r\n";
    let types = source("a.csv", csv).null("NA").types().await;
    let expected = [
        ("i", DType::Int64),
        ("f", DType::Float64),
        ("b", DType::Boolean),
        ("t", DType::TimestampUs),
        ("d", DType::Date32),
        ("s", DType::Utf8),
        ("none", DType::Utf8),
    ];
    assert_eq!(types, expected.map(|(name, dtype)| (name.to_owned(), dtype)));
    let rows = source("a.csv", csv).null("NA").rows().await;
    assert_eq!(rows.num_rows(), 2);
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values().to_vec(), [1, -2]);
    assert!(rows.column(1).is_null(1) && rows.column(2).is_null(1) && rows.column(4).is_null(1));
    assert_eq!(rows.column(3).as_primitive::<TimestampMicrosecondType>().value(0), 1_357_016_400_000_000);
    assert_eq!(rows.column(5).as_string::<i32>().value(0), "a, \"b\"\nc");
    assert!(rows.column(5).is_null(1), "an empty field is null");
}

#[tokio::test]
async fn declared_types_win_over_guessed_ones() {
    let rows = source("a.csv", "zip,n\n00501,1\n90210,2\n")
        .column("zip", DType::Utf8)
        .column("n", DType::Float64)
        .rows()
        .await;
    assert_eq!(rows.column(0).as_string::<i32>().value(0), "00501");
    assert_eq!(rows.column(1).as_primitive::<Float64Type>().value(1), 2.0);
}

#[tokio::test]
async fn malformed_csv_is_refused_with_its_place() {
    for (sources, expected) in [
        (source("a.csv", ""), "a.csv: is empty: the first line must name the columns".to_owned()),
        (source("a.csv", "a,b,a\n1,2,3\n"), "a.csv: two columns are named 'a': columns 1 and 3".into()),
        (source("a.csv", "a,\n1,2\n"), "a.csv: column 2 has no name".into()),
        (source("a.csv", "a,b\n1,2\n\n3,4,5\n"), "a.csv, line 4: 3 fields, but the header names 2 columns".into()),
        (source("a.csv", "a,b\r\n\"x\ny\",2\r\n3\r\n"), "a.csv, line 4: 1 fields, but the header names 2 columns".into()),
        (source("a.csv", b"a,b\n1,2\n3,\xff\xfe\n"), "a.csv, line 3, column 'b': the text is not UTF-8: convert the file first".into()),
        (
            source("a.csv", late("NA")),
            "a.csv, line 20002, column 'n': 'NA' is not int64, the type of the first 20000 rows; if the column holds anything else, declare it under `columns:`, such as `n: utf8`".into(),
        ),
        (
            source("a.csv", "d\n2013-01-01\n2013-02-30\n").column("d", DType::Date32),
            "a.csv, line 3, column 'd': '2013-02-30' is not date32, the type declared under `columns:`".into(),
        ),
        (
            source("a.csv", format!("n\n{}\n", "9".repeat(200))).column("n", DType::Int32),
            format!("a.csv, line 2, column 'n': '{}…' is not int32, the type declared under `columns:`", "9".repeat(60)),
        ),
        (source("a.csv", "a\n1\n").column("b", DType::Int8), "a.csv: `columns:` declares 'b', which is not a column; the columns are a".into()),
        (source("a.csv", "a\n1\n").column("a", DType::Bfloat16), "a.csv: column 'a' is declared as bfloat16, which no table can hold: use float32".into()),
        (source("a.csv", "a\n1\n").column("a", DType::Binary), "column 'a' is declared as binary, which CSV cannot hold".into()),
        (source("a.csv", "a,b\n1,2\n").and("b.csv", "b,a\n1,2\n"), "b.csv: the columns are b, a, but those of the first file are a, b".into()),
        (source("a.csv", "a\n1\n").and("b.csv", "a\nx\n"), "b.csv, line 2, column 'a': 'x' is not int64, the type of the first 20000 rows; if the column holds anything else, declare it under `columns:`, such as `a: utf8`".into()),
        (source("a.txt", "a\n1\n"), "a.txt: its ending tells no format: use .csv, .csv.gz, .zip, .parquet, .jsonl or .arrow, or declare `format:`".into()),
        (Sources::default(), "there are no files to read".into()),
    ] {
        assert_eq!(sources.refusal().await, expected);
    }
}

#[tokio::test]
async fn a_quote_that_is_never_closed_does_not_take_the_memory() {
    let endless = format!("a,b\n1,2\n3,\"{}", "x".repeat(17 << 20));
    assert_eq!(
        source("a.csv", endless).refusal().await,
        "a.csv, line 3: the record is longer than 16777216 bytes: is a quote never closed?"
    );
}

#[tokio::test]
async fn a_zip_of_one_file_and_a_gz_are_unpacked_while_they_stream() {
    let zip = zipped(&[("flights.csv", "a,b\n1,x\n2,y\n")]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"a,b\n3,z\n").unwrap();
    let rows = source("flights.csv.zip", zip).and("more.csv.gz", gz.finish().unwrap()).rows().await;
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values().to_vec(), [1, 2, 3]);
    let two = zipped(&[("a.csv", "a\n1\n"), ("b.csv", "a\n1\n")]);
    assert_eq!(source("a.zip", two).refusal().await, "a.zip: holds 2 files, but exactly one is expected");
    let error = source("a.zip", "not a zip").refusal().await;
    assert!(error.starts_with("a.zip: cannot be unpacked: "), "{error}");
    let error = source("a.csv.gz", "not a gz").refusal().await;
    assert!(error.starts_with("a.csv.gz: cannot be read: "), "{error}");
}

#[tokio::test]
async fn json_lines_become_columns_in_the_order_they_are_first_seen() {
    let lines = "{\"a\": 1, \"s\": \"x\", \"t\": \"2013-01-01T05:00:00Z\"}\n\n{\"f\": 2.5, \"a\": null, \"b\": false}\n{\"f\": 3, \"a\": 7}\n";
    let types = source("a.jsonl", lines).types().await;
    let expected = [
        ("a", DType::Int64),
        ("s", DType::Utf8),
        ("t", DType::TimestampUs),
        ("f", DType::Float64),
        ("b", DType::Boolean),
    ];
    assert_eq!(types, expected.map(|(name, dtype)| (name.to_owned(), dtype)));
    let rows = source("a.jsonl", lines).rows().await;
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None, Some(7)]);
    assert_eq!(rows.column(3).as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [None, Some(2.5), Some(3.0)]);
}

#[tokio::test]
async fn malformed_json_lines_are_refused_with_their_place() {
    let mut late = "{\"a\": 1}\n".repeat(20_000);
    late.push_str("{\"a\": 1, \"b\": 2}\n");
    for (sources, expected) in [
        (source("a.jsonl", "{\"a\": 1}\n{\"a\": }\n"), "a.jsonl, line 2: not JSON at column 7: expected value"),
        (source("a.jsonl", "{\"a\": 1}\n\n[1, 2]\n"), "a.jsonl, line 3: expected an object, found '[1,2]'"),
        (
            source("a.jsonl", "{\"a\": {\"x\": 1}}\n"),
            "a.jsonl, line 1, column 'a': '{\"x\":1}' is an object, which no table can hold: flatten it into columns",
        ),
        (
            source("a.jsonl", late),
            "a.jsonl, line 20001: column 'b' is not in the first 20000 rows; declare it under `columns:`, such as `b: utf8`",
        ),
        (
            source("a.jsonl", "{\"a\": \"12\"}\n").column("a", DType::Int64),
            "a.jsonl, line 1, column 'a': '\"12\"' is not int64, the type declared under `columns:`",
        ),
        (
            source("a.jsonl", "{\"a\": 300}\n").column("a", DType::Uint8),
            "a.jsonl, line 1, column 'a': '300' is not uint8, the type declared under `columns:`",
        ),
    ] {
        assert_eq!(sources.refusal().await, expected);
    }
}

fn odd_types() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("t", Arc::new(TimestampNanosecondArray::from(vec![1_500, 2_000_000]).with_timezone("+02:00"))),
        ("d", Arc::new(Decimal128Array::from(vec![125, -50]).with_precision_and_scale(10, 2).unwrap())),
        ("s", Arc::new(LargeStringArray::from(vec!["x", "y"]))),
        ("k", Arc::new(DictionaryArray::<Int32Type>::from_iter(["p", "q"]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn ipc_file(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[tokio::test]
async fn parquet_and_arrow_are_cast_to_the_closed_set() {
    let batch = odd_types();
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    for (label, bytes) in
        [("a.parquet", parquet_of(&batch)), ("a.arrow", ipc_file(&batch)), ("a.arrows", stream.into_inner().unwrap())]
    {
        let rows = source(label, bytes).rows().await;
        assert_eq!(rows.column(0).as_primitive::<TimestampMicrosecondType>().values().to_vec(), [1, 2_000], "{label}");
        assert_eq!(rows.column(1).as_primitive::<Float64Type>().values().to_vec(), [1.25, -0.5]);
        assert_eq!(rows.column(2).as_string::<i32>().value(1), "y");
        assert_eq!(rows.column(3).as_string::<i32>().value(1), "q");
    }
}

#[tokio::test]
async fn columnar_files_that_cannot_be_a_table_are_refused_with_their_place() {
    let ints =
        |values: Vec<i32>| RecordBatch::try_from_iter([("a", Arc::new(Int32Array::from(values)) as ArrayRef)]).unwrap();
    let text =
        RecordBatch::try_from_iter([("a", Arc::new(StringArray::from(vec!["1", "2", "x"])) as ArrayRef)]).unwrap();
    let time =
        RecordBatch::try_from_iter([("at", Arc::new(Time64MicrosecondArray::from(vec![1])) as ArrayRef)]).unwrap();
    for (sources, expected) in [
        (
            source("a.parquet", parquet_of(&time)),
            "a.parquet: column 'at' has type Time64(µs), which no table can hold; cast it in SQL, for example to double or varchar",
        ),
        (
            source("a.parquet", parquet_of(&ints(vec![1]))).and("b.parquet", parquet_of(&text)),
            "b.parquet: column 1 is 'a' utf8, but it is 'a' int32 in a.parquet",
        ),
        (
            source("a.parquet", parquet_of(&text)).column("a", DType::Int64),
            "a.parquet, row 3, column 'a': 'x' is not int64, the type declared under `columns:`",
        ),
        (
            source("a.arrow", ipc_file(&ints(vec![1, 300]))).column("a", DType::Uint8),
            "a.arrow, row 2, column 'a': '300' is not uint8, the type declared under `columns:`",
        ),
    ] {
        assert_eq!(sources.refusal().await, expected);
    }
    let error = source("a.parquet", "not parquet").refusal().await;
    assert!(error.starts_with("a.parquet: is not a Parquet file that can be read: "), "{error}");
    let error = source("a.arrow", "not arrow").refusal().await;
    assert!(error.starts_with("a.arrow: is not an Arrow IPC file or stream that can be read: "), "{error}");
    let mut broken = parquet_of(&ints((0..30_000).collect()));
    broken[4..2_000].fill(0xff);
    let error = source("a.parquet", broken).refusal().await;
    assert!(error.starts_with("a.parquet: cannot be read after row 0: "), "{error}");
}

#[tokio::test]
async fn the_bytes_are_those_of_the_rows_and_not_of_the_format() {
    let lab = Lab::new(1);
    let csv = source("a.csv", "a,b\n1,x\n2,\n").and("b.csv", "a,b\n3,z\n").ingest(&lab).await.unwrap();
    let json = "{\"a\":1,\"b\":\"x\"}\n{\"a\":2}\n{\"a\":3,\"b\":\"z\"}\n";
    let mut lines = source("x.bin", json);
    lines.format = Some(SourceFormat::JsonLines);
    assert_eq!(lines.ingest(&lab).await.unwrap(), csv);
}

#[tokio::test]
async fn a_header_without_rows_is_a_table_of_no_rows() {
    let table = source("a.csv", "a,b\n").ingest(&Lab::new(1)).await.unwrap();
    assert_eq!((table.rows, table.files.len(), table.schema.fields.len()), (0, 1, 2));
}

#[tokio::test]
async fn a_cancelled_ingestion_leaves_no_file() {
    let lab = Lab::new(1);
    let path = lab.path("a.csv");
    std::fs::write(&path, late("1")).unwrap();
    let files = vec![SourceFile { label: "a.csv".into(), path }];
    let request =
        IngestRequest { files, format: None, columns: BTreeMap::new(), null_values: vec![], scratch: lab.scratch() };
    let cancel = CancellationToken::new();
    cancel.cancel();
    assert!(matches!(lab.engine.ingest(request, cancel).await, Err(TableError::Cancelled)));
    assert_eq!(lab.scratch_files(), 0);
}
