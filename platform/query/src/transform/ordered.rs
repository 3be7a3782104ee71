//! A plugin that is not row-wise: all rows, in order, on one instance.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::stream::{self, BoxStream, StreamExt};
use tiegel_engine::{FaultKind, PluginFailure, TableError, Transformer};
use tokio::sync::mpsc;

use super::exec::plugin_inputs;
use super::payload::TransformPayload;
use crate::runtime::{blocking, spawn};

/// Batches that wait on either side of the plugin.
const WAITING_BATCHES_MAX: usize = 2;

/// Feeds the rows to one instance on a blocking thread and streams what it answers.
pub(super) fn transform_ordered(
    payload: &TransformPayload,
    transformer: Arc<dyn Transformer>,
    batches: SendableRecordBatchStream,
) -> BoxStream<'static, Result<RecordBatch, TableError>> {
    let inputs = plugin_inputs(batches, &payload.input);
    let label = payload.label.clone();
    let (output, answers) = mpsc::channel(WAITING_BATCHES_MAX);
    // The instance starts when the stream is first polled, inside the engine's runtime.
    let start = move || {
        let (sender, receiver) = mpsc::channel(WAITING_BATCHES_MAX);
        let feeder = spawn(async move {
            let mut inputs = std::pin::pin!(inputs);
            while let Some(batch) = inputs.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
        });
        let instance = Instance { label, transformer, inputs: receiver, output };
        (feeder, spawn(blocking(move || instance.run())))
    };
    stream::unfold((Some(start), None, answers), |(start, mut live, mut answers)| async move {
        if let Some(start) = start {
            live = Some(start());
        }
        match answers.recv().await {
            Some(batch) => Some((Ok(batch), (None, live, answers))),
            None => {
                let (_feeder, instance) = live.take()?;
                let ended = instance
                    .await
                    .unwrap_or_else(|e| Err(TableError::Internal(format!("a plugin thread stopped: {e}"))));
                ended.err().map(|error| (Err(error), (None, None, answers)))
            }
        }
    })
    .boxed()
}

struct Instance {
    label: String,
    transformer: Arc<dyn Transformer>,
    inputs: mpsc::Receiver<Result<RecordBatch, TableError>>,
    output: mpsc::Sender<RecordBatch>,
}

impl Instance {
    fn run(mut self) -> Result<(), TableError> {
        // The plugin sees only that its input broke; the reason is kept for the caller.
        let broken = Mutex::new(None);
        let mut inputs = std::iter::from_fn(|| {
            Some(self.inputs.blocking_recv()?.map_err(|error| {
                *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                host_fault(&self.label, "its input could not be read")
            }))
        });
        let mut answer =
            |batch| self.output.blocking_send(batch).map_err(|_| host_fault(&self.label, "nobody reads its output"));
        let ended = self.transformer.transform_all(&mut inputs, &mut answer);
        match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(ended?),
        }
    }
}

fn host_fault(label: &str, message: &str) -> PluginFailure {
    PluginFailure::Fault { plugin: label.to_owned(), kind: FaultKind::Host, message: message.to_owned() }
}
