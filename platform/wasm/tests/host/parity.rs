//! What a row becomes does not depend on where batches end, nor on which instance sees it; what a fit learns does not
//! depend on how many threads ran it. One line of `cases` for each first-party plugin and config.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rayon::prelude::*;
use serde_json::{Value, json};
use tiegel_engine::{Binding, FitRows, Fitted, PluginHost, State, Transformer};
use tiegel_types::{DType, Field, Schema};
use tiegel_wasm::proof::{cut, joined};

use crate::binding::{Bench, batch, bytes, fields, state};

/// Rows that a property draws, at most.
const ROWS_MAX: usize = 120;

/// Tables that a property draws for each plugin.
const TABLES: u32 = 12;

/// How a plugin learns, and what its state depends on.
#[derive(Clone, Copy, PartialEq)]
enum Learns {
    Nothing,
    /// The set of rows.
    TheSet,
    /// The set of rows, and within rounding on their chunks.
    TheChunks,
    /// As `TheChunks`, from the column `humidity` as the target.
    TheTarget,
}

struct Case {
    plugin: &'static str,
    config: Value,
    columns: &'static [&'static str],
    learns: Learns,
}

fn case(plugin: &'static str, config: Value, columns: &'static [&'static str], learns: Learns) -> Case {
    Case { plugin, config, columns, learns }
}

fn row_wise() -> Vec<Case> {
    use Learns::{Nothing, TheChunks, TheSet, TheTarget};
    let numbers = &["delay", "distance", "humidity"];
    let categories = &["carrier", "late", "distance"];
    vec![
        case("standardize", json!({}), numbers, TheChunks),
        case("standardize", json!({"nulls": "mean"}), numbers, TheChunks),
        case("min-max", json!({"min": -1.0, "clip": true}), numbers, TheSet),
        case("robust-scale", json!({}), numbers, TheSet),
        case("impute", json!({"strategy": "mean"}), numbers, TheChunks),
        case("impute", json!({"strategy": "median"}), numbers, TheSet),
        case("impute", json!({"strategy": "mode"}), categories, TheSet),
        case("one-hot", json!({"unknown": "column", "nulls": "column"}), categories, TheSet),
        case("ordinal", json!({"order": "frequency", "max_categories": 2}), categories, TheSet),
        case("target-encode", json!({"smoothing": 2.0}), categories, TheTarget),
        case("hash-features", json!({"width": 32}), &["carrier", "late", "distance", "humidity"], Nothing),
        case("calendar", json!({"utc_offset_minutes": -300}), &["departure"], Nothing),
        case("tf-idf", json!({"min_chars": 1}), &["note"], TheSet),
        case("image-decode-resize", json!({"width": 3, "height": 2, "broken": "null"}), &["photo"], Nothing),
    ]
}

fn ordered() -> Vec<Case> {
    let config = json!({
        "key": ["carrier"], "columns": ["delay", "distance"], "lags": [1, 3], "windows": [4],
        "statistics": ["mean", "min", "max", "sum"],
    });
    vec![case("lag-window", config, &["carrier", "delay", "distance", "note"], Learns::Nothing)]
}

/// A red and a green pixel.
const PNG: &[u8] = b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x02\x00\x00\x00\x01\
    \x08\x02\x00\x00\x00\x7b\x40\xe8\xdd\x00\x00\x00\x0f\x49\x44\x41\x54\x78\x9c\x63\xf8\xcf\xc0\xc0\
    \xf0\x9f\x01\x00\x07\xff\x01\xff\x01\x7f\x89\xa7\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

#[derive(Clone, Debug)]
struct Row {
    delay: Option<f32>,
    distance: Option<i32>,
    humidity: Option<f64>,
    carrier: Option<&'static str>,
    late: Option<bool>,
    departure: Option<i64>,
    note: Option<String>,
    photo: Option<bool>,
}

fn any_row() -> impl Strategy<Value = Row> {
    let numbers = (
        prop::option::of(-1e6f32..1e6),
        prop::option::of(-500..500i32),
        prop::option::of(-1e12..1e12f64),
        prop::option::of(any::<i64>()),
    );
    let others = (
        prop::option::of(select(vec!["UA", "AA", "", "Ünïted"])),
        any::<Option<bool>>(),
        prop::option::of("[a-dÄ ,.]{0,20}"),
        any::<Option<bool>>(),
    );
    (numbers, others).prop_map(|((delay, distance, humidity, departure), (carrier, late, note, photo))| Row {
        delay,
        distance,
        humidity,
        carrier,
        late,
        departure,
        note,
        photo,
    })
}

/// Rows of which the first has every value, so that there is something to learn.
fn table() -> impl Strategy<Value = RecordBatch> {
    let first = Row {
        delay: Some(1.5),
        distance: Some(7),
        humidity: Some(0.25),
        carrier: Some("UA"),
        late: Some(true),
        departure: Some(0),
        note: Some("a b".to_owned()),
        photo: Some(true),
    };
    prop::collection::vec(any_row(), 0..ROWS_MAX).prop_map(move |rows| {
        let rows: Vec<Row> = std::iter::once(first.clone()).chain(rows).collect();
        batch(&schema(), columns(&rows))
    })
}

fn schema() -> Schema {
    fields(&[
        ("delay", DType::Float32),
        ("distance", DType::Int32),
        ("humidity", DType::Float64),
        ("carrier", DType::Utf8),
        ("late", DType::Boolean),
        ("departure", DType::TimestampUs),
        ("note", DType::Utf8),
        ("photo", DType::Binary),
    ])
}

fn columns(rows: &[Row]) -> Vec<ArrayRef> {
    let image = |row: &Row| row.photo.map(|is_image| if is_image { PNG } else { b"no image".as_slice() });
    let departure: TimestampMicrosecondArray = rows.iter().map(|row| row.departure).collect();
    vec![
        Arc::new(rows.iter().map(|row| row.delay).collect::<Float32Array>()),
        Arc::new(rows.iter().map(|row| row.distance).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.humidity).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.carrier).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.late).collect::<BooleanArray>()),
        Arc::new(departure.with_timezone("UTC")),
        Arc::new(rows.iter().map(|row| row.note.clone()).collect::<StringArray>()),
        Arc::new(rows.iter().map(image).collect::<BinaryArray>()),
    ]
}

/// A plugin of the table, bound to its columns.
struct Bound<'a> {
    bench: &'a Bench,
    case: &'a Case,
    binding: Binding,
    places: Vec<usize>,
}

impl<'a> Bound<'a> {
    fn new(bench: &'a Bench, case: &'a Case) -> Self {
        let all = schema();
        let place = |name: &&str| all.fields.iter().position(|field| field.name == **name).unwrap();
        let places: Vec<usize> = case.columns.iter().map(place).collect();
        let input = Schema::new(places.iter().map(|at| all.fields[*at].clone()).collect());
        let binding = bench.bind(case.plugin, case.config.clone(), &input);
        Self { bench, case, binding, places }
    }

    fn input(&self, table: &RecordBatch) -> RecordBatch {
        table.project(&self.places).unwrap()
    }

    fn partial(&self, chunk: usize, table: &RecordBatch) -> Vec<u8> {
        let targets = (self.case.learns == Learns::TheTarget).then(|| vec![Arc::clone(table.column(2))]);
        let rows = FitRows { batches: vec![self.input(table)], targets };
        let mut binding = self.binding.clone();
        binding.target = rows.targets.is_some().then(|| Field { nullable: true, ..Field::new("y", DType::Float64) });
        self.bench.host.partial(&binding, chunk as u64, &rows).unwrap()
    }

    fn finish(&self, partials: &[Vec<u8>]) -> Fitted {
        self.bench.host.finish(&self.binding, partials).unwrap()
    }

    fn state(&self, table: &RecordBatch) -> Option<State> {
        (self.case.learns != Learns::Nothing).then(|| state(&self.finish(&[self.partial(0, table)])))
    }

    /// A pool without instances: its first call is a fresh one's.
    fn fresh(&self, state: Option<&State>) -> Arc<dyn Transformer> {
        self.bench.host.transformer(&self.binding, state.cloned()).unwrap()
    }
}

/// The table cut at these places.
fn pieces(table: &RecordBatch, cuts: &[Index]) -> Vec<RecordBatch> {
    let places: Vec<usize> = cuts.iter().map(|place| place.index(table.num_rows() + 1)).collect();
    cut(table, &places)
}

fn all_in_order(transformer: &dyn Transformer, inputs: Vec<RecordBatch>) -> Vec<u8> {
    let mut outputs = Vec::new();
    let mut keep = |output| {
        outputs.push(output);
        Ok(())
    };
    transformer.transform_all(&mut inputs.into_iter().map(Ok), &mut keep).unwrap();
    joined(&outputs)
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..6)
}

/// Draws tables and places to cut them.
fn check(property: impl Fn(&RecordBatch, &[Index]) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases: TABLES, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    runner.run(&(table(), cuts()), |(table, cuts)| property(&table, &cuts)).unwrap();
}

#[test]
fn any_split_of_the_rows_gives_the_same_bytes_on_fresh_and_warm_instances() {
    let bench = Bench::new();
    for case in row_wise() {
        let bound = Bound::new(&bench, &case);
        check(|table, cuts| {
            let (state, input) = (bound.state(table), bound.input(table));
            let warm = bound.fresh(state.as_ref());
            let together = bytes(&warm.transform(&input).unwrap());
            let parts = pieces(&input, cuts);
            let on_warm: Vec<_> = parts.iter().map(|part| warm.transform(part).unwrap()).collect();
            prop_assert!(joined(&on_warm) == together, "{} {}: warm", case.plugin, case.config);
            let on_fresh: Vec<_> =
                parts.iter().map(|part| bound.fresh(state.as_ref()).transform(part).unwrap()).collect();
            prop_assert!(joined(&on_fresh) == together, "{} {}: fresh", case.plugin, case.config);
            Ok(())
        });
    }
}

#[test]
fn ordered_plugins_answer_the_same_bytes_wherever_batches_end() {
    let bench = Bench::new();
    for case in ordered() {
        let bound = Bound::new(&bench, &case);
        check(|table, cuts| {
            let input = bound.input(table);
            let transformer = bound.fresh(None);
            let together = all_in_order(&*transformer, vec![input.clone()]);
            let parts = all_in_order(&*transformer, pieces(&input, cuts));
            prop_assert!(parts == together, "{} {}", case.plugin, case.config);
            Ok(())
        });
    }
}

#[test]
fn fits_do_not_depend_on_threads_and_those_of_sets_not_on_chunks() {
    let bench = Bench::new();
    for case in row_wise().into_iter().filter(|case| case.learns != Learns::Nothing) {
        let bound = Bound::new(&bench, &case);
        check(|table, cuts| {
            let chunks = pieces(table, cuts);
            let learn = |(chunk, rows): (usize, &RecordBatch)| bound.partial(chunk, rows);
            let serial: Vec<_> = chunks.iter().enumerate().map(learn).collect();
            let parallel: Vec<_> = chunks.par_iter().enumerate().map(learn).collect();
            let fitted = bound.finish(&serial).state;
            prop_assert!(bound.finish(&parallel).state == fitted, "{} {}: threads", case.plugin, case.config);
            if case.learns == Learns::TheSet {
                let whole = bound.finish(&[bound.partial(0, table)]).state;
                prop_assert!(whole == fitted, "{} {}: chunks", case.plugin, case.config);
            }
            Ok(())
        });
    }
}
