//! The connections of operations. The pool of sqlx asks the server before each loan and after it, which is as long a way
//! as most operations take.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Result, StoreError};

/// Connections at once; plain statements have a pool of their own.
const CONNECTIONS_MAX: usize = 16;
/// For so long a connection counts as sound after its last use; then the server is asked first.
const SOUND_SECONDS: u64 = 1;
/// By the server's defaults, made for disks that turn, it reads a whole table of 50,000 rows rather than follow the index
/// to the rows of 256 runs, which is five times as fast. Compiling a plan never pays for statements of milliseconds.
const SETTINGS: &str = "SET random_page_cost = 1.1; SET jit = off";
/// For so long an operation waits for a connection.
const WAIT_SECONDS_MAX: u64 = 30;

#[derive(Debug)]
pub(super) struct Connections {
    options: PgConnectOptions,
    /// The last one that was used is the last.
    free: Mutex<Vec<Free>>,
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Free {
    connection: PgConnection,
    since: Instant,
}

/// A connection that is used. It is closed in the end, unless it is given back.
pub(super) struct Lent {
    connection: PgConnection,
    of: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// Connects once, so that a wrong address is an error now.
    pub async fn open(options: PgConnectOptions) -> Result<Arc<Self>> {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let connections = Arc::new(Self { options, free: Mutex::default(), permits });
        connections.lend().await?.give_back();
        Ok(connections)
    }

    /// Waits while all connections are used.
    pub async fn lend(self: &Arc<Self>) -> Result<Lent> {
        let lent = tokio::time::timeout(Duration::from_secs(WAIT_SECONDS_MAX), self.wait()).await;
        lent.unwrap_or_else(|_| {
            Err(StoreError::Engine(format!("the database gave no connection in {WAIT_SECONDS_MAX} seconds")))
        })
    }

    async fn wait(self: &Arc<Self>) -> Result<Lent> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Engine("the database is closed".to_owned()))?;
        let connection = match self.sound().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lent { connection, of: self.clone(), _permit: permit })
    }

    async fn connect(&self) -> Result<PgConnection> {
        let mut connection = self.options.connect().await?;
        connection.execute(SETTINGS).await?;
        Ok(connection)
    }

    pub async fn close(&self) {
        self.permits.close();
        let all = std::mem::take(&mut *self.free());
        for Free { connection, .. } in all {
            // A server that is gone needs no good-bye.
            _ = connection.close().await;
        }
    }

    /// A free connection that still works.
    async fn sound(&self) -> Option<PgConnection> {
        loop {
            let free = self.free().pop();
            let Free { mut connection, since } = free?;
            if since.elapsed() < Duration::from_secs(SOUND_SECONDS) || connection.ping().await.is_ok() {
                return Some(connection);
            }
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Free>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    /// To be called where it is in no transaction, and all answers of the server were read.
    pub fn give_back(self) {
        let Self { connection, of, _permit } = self;
        if !of.permits.is_closed() {
            of.free().push(Free { connection, since: Instant::now() });
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
