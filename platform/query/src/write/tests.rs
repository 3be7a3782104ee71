use arrow::array::{Float64Array, Int64Array, StringArray};
use parquet::file::reader::{FileReader, SerializedFileReader};
use tiegel_types::{DType, Digest, Field};

use super::*;

fn scratch(dir: &Path) -> Scratch {
    Scratch { dir: dir.to_owned(), counter: Arc::default() }
}

fn schema() -> Schema {
    Schema::new(vec![Field::new("id", DType::Int64), Field::new("x", DType::Float64), Field::new("s", DType::Utf8)])
}

fn rows(from: usize, to: usize) -> RecordBatch {
    let ids = Int64Array::from_iter_values((from..to).map(|i| i as i64));
    let xs = Float64Array::from_iter((from..to).map(|i| (i % 7 != 0).then_some(i as f64 / 3.0)));
    let texts = StringArray::from_iter((from..to).map(|i| (i % 11 != 0).then(|| format!("v{}", i % 5_000))));
    RecordBatch::try_new(arrow_schema(&schema()), vec![Arc::new(ids), Arc::new(xs), Arc::new(texts)]).unwrap()
}

fn written(batch_rows: usize, total: usize, dir: &Path) -> Written {
    let mut writer = TableWriter::new(schema(), scratch(dir)).unwrap();
    for from in (0..total).step_by(batch_rows) {
        writer.push(rows(from, (from + batch_rows).min(total))).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn the_bytes_do_not_depend_on_the_size_of_batches() {
    let dir = tempfile::tempdir().unwrap();
    let total = 3 * limits::ROW_GROUP_ROWS + 123;
    let whole = written(total, total, dir.path());
    for batch_rows in [1_000, 8_192, limits::ROW_GROUP_ROWS, 40_000] {
        assert_eq!(
            written(batch_rows, total, dir.path()).files[0].digest,
            whole.files[0].digest,
            "{batch_rows} rows a batch"
        );
    }
    let bytes = std::fs::read(&whole.files[0].path).unwrap();
    assert_eq!(Digest::of(&bytes), whole.files[0].digest);
    assert_eq!(bytes.len() as u64, whole.files[0].bytes);
}

#[test]
fn row_groups_hold_exactly_the_fixed_number_of_rows() {
    let dir = tempfile::tempdir().unwrap();
    let written = written(5_000, 2 * limits::ROW_GROUP_ROWS + 7, dir.path());
    let reader = SerializedFileReader::new(File::open(&written.files[0].path).unwrap()).unwrap();
    let groups: Vec<_> = reader.metadata().row_groups().iter().map(|g| g.num_rows() as usize).collect();
    assert_eq!(groups, [limits::ROW_GROUP_ROWS, limits::ROW_GROUP_ROWS, 7]);
}

#[test]
fn a_table_without_rows_is_one_file_with_a_schema() {
    let dir = tempfile::tempdir().unwrap();
    let written = TableWriter::new(schema(), scratch(dir.path())).unwrap().finish().unwrap();
    assert_eq!((written.rows, written.files.len(), written.files[0].rows), (0, 1, 0));
    let reader = SerializedFileReader::new(File::open(&written.files[0].path).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().schema_descr().num_columns(), 3);
}

#[test]
fn a_long_table_is_cut_into_files_at_fixed_rows() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = TableWriter::new(schema(), scratch(dir.path())).unwrap();
    writer.file_rows_max = 2 * limits::ROW_GROUP_ROWS;
    writer.push(rows(0, 5 * limits::ROW_GROUP_ROWS)).unwrap();
    let rows: Vec<_> = writer.finish().unwrap().files.iter().map(|f| f.rows as usize).collect();
    assert_eq!(rows, [2 * limits::ROW_GROUP_ROWS, 2 * limits::ROW_GROUP_ROWS, limits::ROW_GROUP_ROWS]);
}

#[test]
fn a_writer_that_does_not_finish_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = TableWriter::new(schema(), scratch(dir.path())).unwrap();
    writer.file_rows_max = limits::ROW_GROUP_ROWS;
    writer.push(rows(0, limits::ROW_GROUP_ROWS + 10)).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    drop(writer);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_repeated_key_is_found_across_batches_and_shown() {
    let mut key = UniqueKey::new(vec!["id".into(), "s".into()]);
    key.check(&rows(0, 10)).unwrap();
    key.check(&rows(10, 20)).unwrap();
    let error = key.check(&rows(19, 30)).unwrap_err().to_string();
    assert_eq!(
        error,
        "the key (id, s) is not unique: several rows have (id = 19, s = v19); declare a key that tells every row apart"
    );
}
