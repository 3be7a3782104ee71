use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tiegel_types::Digest;

use crate::instance::Instance;

/// The longest pause between two looks for instances that have been idle for too long, and the shortest.
const RECLAIM_PAUSE_MAX: Duration = Duration::from_secs(30);
const RECLAIM_PAUSE_MIN: Duration = Duration::from_millis(10);

/// The instances alive at once, busy and idle, of all plugins together.
///
/// A call over the limit waits: for an instance to come free, or by taking the place of the one that was idle longest.
pub struct Slots {
    max: usize,
    wait: Duration,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    live: usize,
    /// Warm instances, the last used one last.
    idle: Vec<Idle>,
}

struct Idle {
    pool: u64,
    since: Instant,
    instance: Instance,
}

/// The place of one instance; dropping it lets another one live.
pub struct Slot {
    slots: Weak<Slots>,
}

pub enum Acquired {
    Warm(Box<Instance>),
    Empty(Slot),
}

impl Slots {
    pub fn new(max: usize, wait: Duration) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), wait, state: Mutex::default(), freed: Condvar::new() })
    }

    /// The last used warm instance of a pool, or room for a new one; none when all stayed busy for too long.
    pub fn acquire(self: &Arc<Self>, pool: Option<u64>) -> Option<Acquired> {
        let deadline = Instant::now() + self.wait;
        let mut state = self.state.lock();
        loop {
            let warm = state.idle.iter().rposition(|idle| Some(idle.pool) == pool);
            if let Some(index) = warm {
                return Some(Acquired::Warm(Box::new(state.idle.remove(index).instance)));
            }
            if state.live < self.max {
                state.live += 1;
                return Some(Acquired::Empty(Slot { slots: Arc::downgrade(self) }));
            }
            if !state.idle.is_empty() {
                let evicted = state.idle.remove(0);
                // Dropping an instance unmaps memory and gives its slot back, which takes the lock.
                drop(state);
                drop(evicted);
                state = self.state.lock();
                continue;
            }
            if self.freed.wait_until(&mut state, deadline).timed_out() {
                return None;
            }
        }
    }

    pub fn room(self: &Arc<Self>) -> Option<Slot> {
        match self.acquire(None)? {
            Acquired::Empty(slot) => Some(slot),
            Acquired::Warm(_) => None,
        }
    }

    /// Keeps an instance warm for the next call of its pool.
    pub fn release(&self, pool: u64, instance: Instance) {
        self.state.lock().idle.push(Idle { pool, since: Instant::now(), instance });
        self.freed.notify_one();
    }

    /// Drops the warm instances of a pool that nobody will ask for again.
    pub fn forget(&self, pool: u64) {
        self.drop_idle(|idle| idle.pool == pool);
    }

    /// Drops the warm instances of a plugin, whose memory another instance of it needs.
    pub fn forget_plugin(&self, plugin: &Digest) {
        self.drop_idle(|idle| idle.instance.plugin() == plugin);
    }

    /// Drops the warm instances that nobody asked for in this time; answers how many.
    pub fn reclaim(&self, idle_max: Duration) -> usize {
        self.drop_idle(|idle| idle.since.elapsed() >= idle_max)
    }

    fn drop_idle(&self, goes: impl Fn(&Idle) -> bool) -> usize {
        let gone: Vec<Idle> = self.state.lock().idle.extract_if(.., |idle| goes(idle)).collect();
        // Dropped here, outside of the lock, which their slots take.
        gone.len()
    }

    pub fn wait(&self) -> Duration {
        self.wait
    }

    pub fn max(&self) -> usize {
        self.max
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = self.slots.upgrade() {
            slots.state.lock().live -= 1;
            slots.freed.notify_one();
        }
    }
}

/// A thread that drops instances which have been idle for too long. Dropping it ends the thread.
pub struct Reclaimer {
    _stop: Sender<()>,
}

impl Reclaimer {
    pub fn start(slots: &Arc<Slots>, idle_max: Duration) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let slots = Arc::downgrade(slots);
        let pause = (idle_max / 4).clamp(RECLAIM_PAUSE_MIN, RECLAIM_PAUSE_MAX);
        thread::Builder::new().name("plugin-reclaim".to_owned()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                let Some(slots) = slots.upgrade() else { return };
                let instances = slots.reclaim(idle_max);
                if instances > 0 {
                    tracing::debug!(instances, "idle plugin instances were dropped");
                }
            }
        })?;
        Ok(Self { _stop: stop })
    }
}
