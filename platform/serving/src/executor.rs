use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tiegel_context::{OpError, OpResult};
use tiegel_types::limits::ENDPOINT_QUEUE_LEN_MAX;
use tokio::sync::oneshot;
use tracing::Span;

use crate::decode::Input;

/// What an executor's thread does with a request.
pub(crate) type Work = Box<dyn Fn(&Input) -> OpResult<Vec<f64>> + Send>;

/// One thread that answers the requests of one loaded version in the order they came, behind a bounded queue.
///
/// The thread ends when the executor is dropped. A panic fails the request that caused it, and no other.
pub(crate) struct Executor {
    label: String,
    queue: Option<SyncSender<Request>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

struct Request {
    input: Input,
    reply: oneshot::Sender<OpResult<Vec<f64>>>,
    /// The caller's span, so that a request is one trace.
    span: Span,
}

impl Executor {
    /// `label` names the endpoint in messages and its thread.
    pub fn start(label: &str, work: Work) -> OpResult<Self> {
        let (queue, requests) = sync_channel(ENDPOINT_QUEUE_LEN_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = waiting.clone();
        let thread = std::thread::Builder::new()
            .name(format!("endpoint-{label}"))
            .spawn(move || serve(&requests, &counted, &work))
            .map_err(|e| OpError::internal(format!("cannot start the thread of endpoint '{label}': {e}")))?;
        Ok(Self { label: label.to_owned(), queue: Some(queue), waiting, thread: Some(thread) })
    }

    /// # Errors
    /// `Busy` where `ENDPOINT_QUEUE_LEN_MAX` requests wait already; else what the work says.
    pub async fn run(&self, input: Input) -> OpResult<Vec<f64>> {
        let (reply, answer) = oneshot::channel();
        let request = Request { input, reply, span: Span::current() };
        let queue = self.queue.as_ref().ok_or_else(|| self.ended())?;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = queue.try_send(request) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(match refused {
                TrySendError::Full(_) => OpError::Busy(format!(
                    "{ENDPOINT_QUEUE_LEN_MAX} requests wait for endpoint '{}' already; try again in a moment",
                    self.label
                )),
                TrySendError::Disconnected(_) => self.ended(),
            });
        }
        answer.await.map_err(|_| self.ended())?
    }

    /// Requests that wait or run.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn ended(&self) -> OpError {
        OpError::internal(format!("the thread of endpoint '{}' has ended", self.label))
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        drop(self.queue.take());
        let Some(thread) = self.thread.take() else { return };
        // Whoever waits for an answer holds the executor, so what is left to run is one call at most, for a caller that left.
        // Even that is too long for an async worker.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || thread.join())),
            Err(_) => drop(thread.join()),
        }
    }
}

fn serve(requests: &Receiver<Request>, waiting: &AtomicUsize, work: &Work) {
    while let Ok(Request { input, reply, span }) = requests.recv() {
        if !reply.is_closed() {
            let answer = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| work(&input))));
            let answer = answer.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            // The caller may have left meanwhile; then nobody wants the answer.
            let _ = reply.send(answer);
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn panicked(panic: &(dyn Any + Send)) -> OpError {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned());
    OpError::internal(format!("the endpoint's code panicked: {text}"))
}

#[cfg(test)]
mod tests;
