//! Loaded bundles of plain closures, for tests here and in the crates above.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{Float64Type, UInt64Type};
use serde_json::json;
use tiegel_engine::{ModelError, PluginFailure, Predictor, Projector, TableError, Transformer, arrow_schema};
use tiegel_registry::{Bundle, BundleModel, ReplayTables, Stage};
use tiegel_types::{DType, Digest, EndpointState, Field, Metrics, Name, Schema, Table, Task};

use crate::endpoints::{Endpoints, Entry, Live, Served};
use crate::loaded::LoadedBundle;
use crate::stage::Runner;

type TransformFn = Box<dyn Fn(&RecordBatch) -> Result<RecordBatch, PluginFailure> + Send + Sync>;
type ProjectFn = Box<dyn Fn(&RecordBatch) -> Result<RecordBatch, TableError> + Send + Sync>;
type PredictFn = Box<dyn Fn(&RecordBatch) -> Result<ArrayRef, ModelError> + Send + Sync>;

/// A row-wise plugin.
pub struct ClosureTransformer {
    pub output: Schema,
    pub run: TransformFn,
}

impl Transformer for ClosureTransformer {
    fn output(&self) -> &Schema {
        &self.output
    }

    fn row_wise(&self) -> bool {
        true
    }

    fn preferred_rows(&self) -> usize {
        0
    }

    fn transform(&self, input: &RecordBatch) -> Result<RecordBatch, PluginFailure> {
        (self.run)(input)
    }

    fn transform_all(
        &self,
        inputs: &mut dyn Iterator<Item = Result<RecordBatch, PluginFailure>>,
        output: &mut dyn FnMut(RecordBatch) -> Result<(), PluginFailure>,
    ) -> Result<(), PluginFailure> {
        for batch in inputs {
            output((self.run)(&batch?)?)?;
        }
        Ok(())
    }
}

pub struct ClosureProjector {
    pub output: Schema,
    pub run: ProjectFn,
}

impl Projector for ClosureProjector {
    fn output(&self) -> &Schema {
        &self.output
    }

    fn project(&self, input: &RecordBatch) -> Result<RecordBatch, TableError> {
        (self.run)(input)
    }
}

pub struct ClosurePredictor {
    pub features: Schema,
    pub run: PredictFn,
}

impl Predictor for ClosurePredictor {
    fn features(&self) -> &Schema {
        &self.features
    }

    fn task(&self) -> Task {
        Task::Regression
    }

    fn predict(&self, features: &RecordBatch) -> Result<ArrayRef, ModelError> {
        (self.run)(features)
    }
}

/// A model that answers one number for every row.
pub fn constant(features: Schema, answer: f64) -> Arc<dyn Predictor> {
    let run: PredictFn = Box::new(move |rows| Ok(Arc::new(Float64Array::from(vec![answer; rows.num_rows()]))));
    Arc::new(ClosurePredictor { features, run })
}

/// A model that answers the sum of its float64 features, nulls as 0.
pub fn sum(features: Schema) -> Arc<dyn Predictor> {
    let run: PredictFn = Box::new(|rows| {
        let columns: Vec<_> = rows.columns().iter().map(|c| c.as_primitive::<Float64Type>()).collect();
        let of = |row| columns.iter().filter(|c| c.is_valid(row)).map(|c| c.value(row)).sum::<f64>();
        Ok(Arc::new((0..rows.num_rows()).map(of).collect::<Float64Array>()))
    });
    Arc::new(ClosurePredictor { features, run })
}

/// Of each row the number of null features, plus the low 16 bits of the first, which is uint64.
pub fn nulls_and_first(rows: &RecordBatch) -> Result<ArrayRef, ModelError> {
    let first = rows.column(0).as_primitive::<UInt64Type>();
    let nulls = |row: usize| rows.columns().iter().filter(|c| c.is_null(row)).count() as f64;
    let of = |row: usize| nulls(row) + (first.value(row) & 0xffff) as f64;
    Ok(Arc::new((0..rows.num_rows()).map(of).collect::<Float64Array>()))
}

/// A plugin that reads float64 column `from` and makes `to` of each value; the closure is told how many rows came.
pub fn mapping(from: &str, to: &str, map: impl Fn(f64, usize) -> f64 + Send + Sync + 'static) -> Runner {
    let output = Schema::new(vec![Field::new(to, DType::Float64)]);
    let schema = arrow_schema(&output);
    let run: TransformFn = Box::new(move |rows| {
        let input = rows.column(0).as_primitive::<Float64Type>();
        let mapped: Float64Array = input.iter().map(|v| v.map(|v| map(v, rows.num_rows()))).collect();
        Ok(RecordBatch::try_new(schema.clone(), vec![Arc::new(mapped)]).expect("one column of one schema"))
    });
    let transformer = Arc::new(ClosureTransformer { output, run });
    Runner::Wasm { transformer, reads: Schema::new(vec![Field::new(from, DType::Float64)]), keep: vec![] }
}

/// A stage's entry in a bundle, for a runner given to [`LoadedBundle::assemble`].
pub fn stage(step: &str) -> Stage {
    Stage::Sql { step: step.to_owned(), sql: String::new(), source: "raw".to_owned() }
}

/// A bundle without stored rows.
pub fn bundle(input: Schema, stages: Vec<Stage>, features: Schema) -> Bundle {
    let table = |schema: &Schema| Table { schema: schema.clone(), files: vec![], rows: 0 };
    let replay = ReplayTables { raw: table(&input), features: table(&features) };
    let model = BundleModel {
        task: Task::Regression,
        target: "late".to_owned(),
        features,
        weights: Digest::of(b"weights"),
        config: json!({}),
    };
    Bundle { format: Bundle::FORMAT, input, stages, model, metrics: Metrics::new(), replay }
}

/// A bundle whose inputs are its features, under the digest of `seed`.
pub fn without_stages(seed: &str, features: Schema, predictor: Arc<dyn Predictor>) -> Arc<LoadedBundle> {
    let bundle = bundle(features.clone(), vec![], features);
    Arc::new(LoadedBundle::assemble(Digest::of(seed.as_bytes()), bundle, vec![], predictor).expect("the parts fit"))
}

/// A server's endpoints before the first one, with metrics of their own.
pub fn endpoints() -> Endpoints {
    Endpoints::new(Arc::default())
}

/// Puts a version live without a replay.
pub fn serve(endpoints: &Endpoints, endpoint: &Name, version: u32, loaded: Arc<LoadedBundle>) {
    let served = Served { endpoint: endpoint.clone(), model: endpoint.clone(), version };
    let live = Live::start(served, loaded, endpoints).expect("a thread starts");
    declare(endpoints, endpoint, EndpointState::Ready, Some(Arc::new(live)));
}

/// Declares an endpoint in a state, with or without a version that serves.
pub fn declare(endpoints: &Endpoints, endpoint: &Name, state: EndpointState, live: Option<Arc<Live>>) {
    let message = live.is_none().then(|| "model 'delay' has no alias 'champion' yet".to_owned());
    let entry = Entry { project: endpoint.clone(), state, message, live };
    endpoints.put(endpoint.clone(), entry);
}
