//! The engine's own threads. A caller's executor only ever waits.

use std::future::Future;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tiegel_engine::TableError;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Items that wait between a producing task and its consumer.
const STREAM_ITEMS_MAX: usize = 2;

pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("tiegel-query")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs a future to its end on these threads; it is aborted when the caller stops waiting.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, TableError>> + Send + 'static,
    ) -> Result<T, TableError> {
        AbortOnDropHandle::new(self.runtime().spawn(work)).await.unwrap_or_else(|error| Err(stopped(&error)))
    }

    /// Runs a stream on these threads, a few items ahead of its consumer; it is aborted when the consumer drops it.
    pub(crate) fn stream<T: Send + 'static>(
        &self,
        items: impl Future<Output = Result<BoxStream<'static, Result<T, TableError>>, TableError>> + Send + 'static,
    ) -> BoxStream<'static, Result<T, TableError>> {
        let (sender, receiver) = mpsc::channel(STREAM_ITEMS_MAX);
        let task = AbortOnDropHandle::new(self.runtime().spawn(produce(items, sender)));
        stream::unfold(Some((receiver, task)), |live| async {
            let (mut receiver, task) = live?;
            match receiver.recv().await {
                Some(item) => Some((item, Some((receiver, task)))),
                // A panic must not look like the end of the stream.
                None => task.await.err().map(|error| (Err(stopped(&error)), None)),
            }
        })
        .boxed()
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("the runtime is taken only while it is dropped")
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // An ordinary drop waits, which panics where the last engine handle is dropped inside another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a future beside the current one, on the same threads, until its handle is dropped.
#[expect(clippy::disallowed_methods, reason = "the task ends with its handle, so nothing outlives the operation")]
pub(crate) fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> AbortOnDropHandle<T> {
    AbortOnDropHandle::new(tokio::spawn(work))
}

/// Runs blocking work on the runtime's blocking threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TableError> + Send + 'static,
) -> Result<T, TableError> {
    let span = tracing::Span::current();
    let task = tokio::task::spawn_blocking(move || span.in_scope(work));
    task.await.unwrap_or_else(|error| Err(stopped(&error)))
}

async fn produce<T>(
    items: impl Future<Output = Result<BoxStream<'static, Result<T, TableError>>, TableError>>,
    sender: mpsc::Sender<Result<T, TableError>>,
) {
    match items.await {
        Ok(mut items) => {
            while let Some(item) = items.next().await {
                let failed = item.is_err();
                if sender.send(item).await.is_err() || failed {
                    return;
                }
            }
        }
        Err(error) => drop(sender.send(Err(error)).await),
    }
}

fn stopped(error: &tokio::task::JoinError) -> TableError {
    if error.is_cancelled() {
        TableError::Cancelled
    } else {
        TableError::Internal(format!("a worker stopped: {error}"))
    }
}
