use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tiegel_types::JobId;

/// What running steps say of themselves, such as an epoch's loss. In memory only: it is gone with the step.
#[derive(Clone, Default)]
pub struct Progress(Arc<Mutex<BTreeMap<(JobId, String), String>>>);

impl Progress {
    pub fn set(&self, job: JobId, step: &str, text: String) {
        self.lock().insert((job, step.to_owned()), text);
    }

    pub fn clear(&self, job: JobId, step: &str) {
        self.lock().remove(&(job, step.to_owned()));
    }

    pub fn get(&self, job: JobId, step: &str) -> Option<String> {
        self.lock().get(&(job, step.to_owned())).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(JobId, String), String>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}
