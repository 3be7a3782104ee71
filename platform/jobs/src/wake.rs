use std::sync::Arc;

use tokio::sync::watch;

/// Tells the runner of this process at once what it would else notice at its next poll or heartbeat: a job was queued,
/// or was asked to stop. Clones wake the same runner.
#[derive(Clone, Debug)]
pub struct Wake(Arc<watch::Sender<u64>>);

impl Wake {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub fn wake(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A listener that misses no wake after this call, however late it looks.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self::new()
    }
}
