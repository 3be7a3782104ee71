//! Repeating one kind of request, over one connection or many.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::peer::Server;
use crate::bench::http::Connection;

/// What a load measured.
pub struct Load {
    pub samples_ms: Vec<f64>,
    pub elapsed: Duration,
}

impl Load {
    pub fn per_second(&self) -> f64 {
        self.samples_ms.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends `make(0)`, `make(1)`, … over one connection until `requests` were answered or `time` is over.
pub fn one(
    server: &Server,
    requests: usize,
    time: Duration,
    make: impl Fn(&Connection, usize) -> Vec<u8>,
) -> Result<Load> {
    let mut connection = server.connect()?;
    let started = Instant::now();
    let mut samples_ms = Vec::new();
    for number in 0..requests {
        let request = make(&connection, number);
        samples_ms.push(timed(&mut connection, &request)?);
        if started.elapsed() > time {
            break;
        }
    }
    Ok(Load { samples_ms, elapsed: started.elapsed() })
}

/// Sends `make(n)`, each n once, over `connections` at once for `time`.
pub fn many(
    server: &Server,
    connections: usize,
    time: Duration,
    make: impl Fn(&Connection, usize) -> Vec<u8> + Sync,
) -> Result<Load> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let work = || -> Result<Vec<f64>> {
        let mut connection = server.connect()?;
        let mut samples = Vec::new();
        while started.elapsed() < time {
            let request = make(&connection, next.fetch_add(1, Ordering::Relaxed));
            samples.push(timed(&mut connection, &request)?);
        }
        Ok(samples)
    };
    let all = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("a load thread panicked")))
            .collect::<Vec<_>>()
    });
    let elapsed = started.elapsed();
    let samples_ms = all.into_iter().collect::<Result<Vec<_>>>()?.concat();
    Ok(Load { samples_ms, elapsed })
}

fn timed(connection: &mut Connection, request: &[u8]) -> Result<f64> {
    let started = Instant::now();
    let response = connection.send(request)?;
    let elapsed_ms = started.elapsed().as_secs_f64() * 1e3;
    if response.status != 200 {
        let head = String::from_utf8_lossy(&request[..request.len().min(300)]);
        bail!("{head}… answered {}: {}", response.status, String::from_utf8_lossy(&response.body));
    }
    Ok(elapsed_ms)
}
