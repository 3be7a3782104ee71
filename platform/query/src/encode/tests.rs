use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, FixedSizeListArray, Float32Array, Float64Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field as ArrowField};
use futures::TryStreamExt;
use futures::executor::block_on;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tiegel_types::{DType, Field};

use super::*;

fn schema() -> Schema {
    let list = Field { width: 2, ..Field::new("v", DType::Float32) };
    let mut fields: Vec<Field> = [
        ("b", DType::Boolean),
        ("i", DType::Int64),
        ("x", DType::Float64),
        ("d", DType::Date32),
        ("t", DType::TimestampUs),
        ("s", DType::Utf8),
        ("raw", DType::Binary),
    ]
    .map(|(name, dtype)| Field::new(name, dtype))
    .into();
    fields.push(list);
    Schema::new(fields)
}

fn rows() -> RecordBatch {
    let items: ArrayRef = Arc::new(Float32Array::from(vec![0.1, 2.0, 0.0, 0.0, f32::INFINITY, -1.0]));
    let item = Arc::new(ArrowField::new("item", DataType::Float32, false));
    let list = FixedSizeListArray::try_new(item, 2, items, Some(vec![true, false, true].into())).unwrap();
    let times = TimestampMicrosecondArray::from(vec![Some(1_357_016_400_000_000), None, Some(-1)]).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(Int64Array::from(vec![Some(i64::MAX), None, Some(-3)])),
        Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NAN), Some(f64::NEG_INFINITY)])),
        Arc::new(Date32Array::from(vec![Some(15_706), None, Some(0)])),
        Arc::new(times),
        Arc::new(StringArray::from(vec![Some("a \"b\",\nc"), Some(""), None])),
        Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\x00\xff\x10\x20"), Some(b""), None])),
        Arc::new(list),
    ];
    RecordBatch::try_new(arrow_schema(&schema()), columns).unwrap()
}

fn encoded(format: RowsFormat, batches: Vec<RecordBatch>) -> Vec<u8> {
    let batches = stream::iter(batches.into_iter().map(Ok)).boxed();
    block_on(encode(&schema(), batches, format).try_concat()).unwrap()
}

#[test]
fn json_is_an_array_of_objects_with_one_form_for_every_type() {
    let first = r#"{"b":true,"i":9223372036854775807,"x":0.1,"d":"2013-01-01","t":"2013-01-01T05:00:00Z","s":"a \"b\",\nc","raw":"AP8QIA==","v":[0.1,2.0]}"#;
    let second = r#"{"b":null,"i":null,"x":"NaN","d":null,"t":null,"s":"","raw":"","v":null}"#;
    let third = r#"{"b":false,"i":-3,"x":"-Infinity","d":"1970-01-01","t":"1969-12-31T23:59:59.999999Z","s":null,"raw":null,"v":["Infinity",-1.0]}"#;
    let batches = vec![rows().slice(0, 1), rows().slice(1, 2)];
    let text = String::from_utf8(encoded(RowsFormat::Json, batches.clone())).unwrap();
    assert_eq!(text, format!("[\n{first},\n{second},\n{third}\n]\n"));
    let lines = String::from_utf8(encoded(RowsFormat::JsonLines, batches)).unwrap();
    assert_eq!(lines, format!("{first}\n{second}\n{third}\n"));
    assert_eq!(encoded(RowsFormat::Json, vec![]), b"[\n]\n");
}

#[test]
fn csv_tells_null_from_the_empty_text() {
    let text = String::from_utf8(encoded(RowsFormat::Csv, vec![rows()])).unwrap();
    let expected = "b,i,x,d,t,s,raw,v\r\n\
        true,9223372036854775807,0.1,2013-01-01,2013-01-01T05:00:00Z,\"a \"\"b\"\",\nc\",AP8QIA==,\"[0.1,2.0]\"\r\n\
        ,,NaN,,,\"\",,\r\n\
        false,-3,-Infinity,1970-01-01,1969-12-31T23:59:59.999999Z,,,\"[\"\"Infinity\"\",-1.0]\"\r\n";
    assert_eq!(text, expected);
    assert_eq!(encoded(RowsFormat::Csv, vec![]), b"b,i,x,d,t,s,raw,v\r\n");
}

#[test]
fn arrow_and_parquet_carry_the_same_rows() {
    let bytes = encoded(RowsFormat::ArrowStream, vec![rows(), rows()]);
    let read: Vec<_> =
        arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap().map(Result::unwrap).collect();
    assert_eq!(format!("{read:?}"), format!("{:?}", [rows(), rows()]));

    let bytes = encoded(RowsFormat::Parquet, vec![rows(), rows()]);
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), bytes).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(path.reopen().unwrap()).unwrap().build().unwrap();
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    let both = arrow::compute::concat_batches(&rows().schema(), &[rows(), rows()]).unwrap();
    assert_eq!(format!("{:?}", read[0].columns()), format!("{:?}", both.columns()));
}
