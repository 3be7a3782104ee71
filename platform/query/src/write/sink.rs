//! A writer on its own thread, fed through a bounded channel.

use arrow::array::RecordBatch;
use futures::StreamExt;
use tiegel_engine::{BatchStream, TableError, Written};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{TableWriter, UniqueKey};
use crate::closed::closed_batch;
use crate::error::internal;

/// Batches that wait for the writer.
const WAITING_BATCHES_MAX: usize = 4;

enum Message {
    Batch(RecordBatch),
    Finish,
}

/// The sending side. Dropped before `finish`, the writer removes what it wrote.
pub(crate) struct Sink {
    sender: mpsc::Sender<Message>,
    writer: JoinHandle<Result<Written, TableError>>,
}

impl Sink {
    /// Starts the writer; `key` is checked to be unique, over rows that come sorted by it.
    pub(crate) fn start(writer: TableWriter, key: Option<UniqueKey>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_BATCHES_MAX);
        let span = tracing::Span::current();
        let writer = tokio::task::spawn_blocking(move || span.in_scope(|| drain(writer, key, receiver)));
        Self { sender, writer }
    }

    /// Writes a whole stream, unless it is cancelled. Answers after the scratch files are complete or removed.
    pub(crate) async fn write(
        self,
        mut batches: BatchStream,
        cancel: &CancellationToken,
    ) -> Result<Written, TableError> {
        loop {
            let next = tokio::select! {
                biased;
                () = cancel.cancelled() => Some(Err(TableError::Cancelled)),
                next = batches.next() => next,
            };
            match next {
                None => return self.finish().await,
                Some(Ok(batch)) => {
                    if self.sender.send(Message::Batch(batch)).await.is_err() {
                        return self.finish().await;
                    }
                }
                Some(Err(error)) => {
                    self.abandon().await;
                    return Err(error);
                }
            }
        }
    }

    /// Hands over one batch from a blocking thread. False: the writer has failed, and `finish` says why.
    pub(crate) fn push_blocking(&self, batch: RecordBatch) -> bool {
        self.sender.blocking_send(Message::Batch(batch)).is_ok()
    }

    pub(crate) async fn finish(self) -> Result<Written, TableError> {
        // A closed channel means that the writer failed, which its answer tells.
        drop(self.sender.send(Message::Finish).await);
        self.writer.await.unwrap_or_else(|error| Err(internal("the table writer stopped", error)))
    }

    pub(crate) async fn abandon(self) {
        drop(self.sender);
        drop(self.writer.await);
    }
}

fn drain(
    mut writer: TableWriter,
    mut key: Option<UniqueKey>,
    mut receiver: mpsc::Receiver<Message>,
) -> Result<Written, TableError> {
    while let Some(message) = receiver.blocking_recv() {
        match message {
            Message::Finish => return writer.finish(),
            Message::Batch(batch) => {
                let batch = closed_batch(&batch, writer.arrow())
                    .map_err(|e| internal("a result does not fit its schema", e))?;
                if let Some(key) = &mut key {
                    key.check(&batch)?;
                }
                writer.push(batch)?;
            }
        }
    }
    Err(TableError::Cancelled)
}
