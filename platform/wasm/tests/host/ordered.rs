//! Plugins that are not row-wise: one instance sees all rows in order and is flushed.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{Int64Type, UInt64Type};
use serde_json::{Value, json};
use tiegel_engine::{Binding, PluginFailure, PluginHost, Transformer};
use tiegel_types::DType;

use crate::binding::{Bench, batch, fields};

const ROWS: i64 = 40_000;

fn bind(bench: &Bench, config: Value) -> (Binding, RecordBatch) {
    let mut schema = fields(&[("n", DType::Int64)]);
    schema.fields[0].nullable = false;
    let rows = batch(&schema, vec![Arc::new(Int64Array::from_iter_values(0..ROWS)) as _]);
    (bench.bind("reverse", config, &schema), rows)
}

fn run(transformer: &dyn Transformer, inputs: &[RecordBatch]) -> Result<(Vec<i64>, Vec<u64>), PluginFailure> {
    let (mut values, mut random) = (Vec::new(), Vec::new());
    transformer.transform_all(&mut inputs.iter().cloned().map(Ok), &mut |output| {
        values.extend(output.column(0).as_primitive::<Int64Type>().values());
        random.extend(output.column(1).as_primitive::<UInt64Type>().values());
        Ok(())
    })?;
    Ok((values, random))
}

#[test]
fn all_rows_go_through_one_instance_in_order_and_come_out_of_its_flush() {
    let bench = Bench::new();
    let (binding, rows) = bind(&bench, json!({}));
    let transformer = bench.host.transformer(&binding, None).unwrap();
    assert!(!transformer.row_wise());
    let inputs = [rows.slice(0, 30_001), rows.slice(30_001, 9_999)];
    let (values, random) = run(&*transformer, &inputs).unwrap();
    assert!(values.iter().copied().eq((0..ROWS).rev()));
    // A second run is another instance, with the same numbers in the same places.
    assert_eq!(run(&*transformer, &inputs).unwrap(), (values, random));
}

#[test]
fn a_single_batch_cannot_be_transformed() {
    let bench = Bench::new();
    let (binding, rows) = bind(&bench, json!({}));
    let error = bench.host.transformer(&binding, None).unwrap().transform(&rows).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plugin reverse@0.1.0: it is not row-wise: it must see all rows in order, which a single batch is not"
    );
}

#[test]
fn a_flush_without_end_is_ended() {
    let bench = Bench::new();
    let (binding, rows) = bind(&bench, json!({"endless": true}));
    let transformer = bench.host.transformer(&binding, None).unwrap();
    let error = run(&*transformer, &[rows.slice(0, 1)]).unwrap_err();
    assert_eq!(error.to_string(), "plugin reverse@0.1.0: flush answered 100000 batches and did not end");
}

#[test]
fn an_error_of_the_reader_or_of_the_writer_ends_the_run() {
    let bench = Bench::new();
    let (binding, rows) = bind(&bench, json!({}));
    let transformer = bench.host.transformer(&binding, None).unwrap();
    let broken = || PluginFailure::Fault {
        plugin: "disk".to_owned(),
        kind: tiegel_engine::FaultKind::Host,
        message: "full".to_owned(),
    };
    let read = transformer.transform_all(&mut [Err(broken())].into_iter(), &mut |_| Ok(()));
    assert_eq!(read.unwrap_err().to_string(), "plugin disk: full");
    let write = transformer.transform_all(&mut [Ok(rows)].into_iter(), &mut |_| Err(broken()));
    assert_eq!(write.unwrap_err().to_string(), "plugin disk: full");
}
