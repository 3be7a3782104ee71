//! How long tracking takes without HTTP: `cargo run --release -p tiegel-store --example bench_tracking [folder or URL]`.
//!
//! Beside each wall time stands the CPU time of the whole process, which a busy machine changes less.

use std::future::Future;
use std::time::{Duration, Instant};

use serde_json::json;
use tiegel_store::{
    Batch, HistoryQuery, LoggedMetric, NewRun, Point, SampleQuery, Scope, Store, StoreError, sqlite_url,
};

const WRITERS: usize = 16;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
async fn main() -> Result<(), StoreError> {
    let place = std::env::args().nth(1).unwrap_or_else(|| "/tmp".to_owned());
    let url = if place.contains("://") { place } else { sqlite_url(&std::path::Path::new(&place).join("bench.db")) };
    let store = timed("open", 1, Store::open(&url)).await?;
    let bench = Bench { store };
    bench.single().await?;
    bench.concurrent().await?;
    bench
        .batches("log_batch, 1,000 keys x 1 step", 1_000, |step| {
            (0..1_000).map(|key| metric(&format!("key_{key}"), step)).collect()
        })
        .await?;
    bench
        .batches("log_batch, 1 key x 1,000 steps", 200, |batch| {
            (0..1_000).map(|step| metric("curve", batch * 1_000 + step)).collect()
        })
        .await?;
    bench.reading("r", 100_000).await?;
    bench.reading("long", 10_000_000).await?;
    println!("resident: {}", status("VmRSS:"));
    bench.store.close().await;
    Ok(())
}

struct Bench {
    store: Store,
}

impl Bench {
    async fn run(&self, id: &str) -> Result<String, StoreError> {
        let new = NewRun {
            run_id: id.parse().expect("it is an id"),
            experiment_id: 0,
            name: id.to_owned(),
            user_id: String::new(),
            start_ms: 1,
            job_id: None,
            source: json!({}),
            tags: Vec::new(),
        };
        Ok(self.store.create_run(&Scope::All, new).await?.run_id.to_string())
    }

    async fn single(&self) -> Result<(), StoreError> {
        let run = self.run("single").await?;
        self.store.log_metric(&Scope::All, &run, metric("loss", -1)).await?;
        let mut latencies = Vec::new();
        let work = async {
            for step in 0..3_000 {
                let begun = Instant::now();
                self.store.log_metric(&Scope::All, &run, metric("loss", step)).await?;
                latencies.push(begun.elapsed());
            }
            Ok::<_, StoreError>(())
        };
        timed("log_metric, one after another", 3_000, work).await?;
        quantiles(latencies);
        self.repeat("create_run", |at| async move { self.run(&format!("made{at}")).await.map(drop) }).await?;
        let run = &run;
        self.repeat("set_tag", |at| async move {
            self.store.set_tags(&Scope::All, run, vec![("phase".to_owned(), at.to_string())]).await
        })
        .await?;
        self.repeat("log_param, the same again", |_| async move {
            let refuse = |_| StoreError::Conflict(String::new());
            self.store.log_params(&Scope::All, run, vec![("depth".to_owned(), "7".to_owned())], refuse).await
        })
        .await?;
        self.repeat("run_data", |_| async move { self.store.run_data(&Scope::All, run).await.map(drop) }).await?;
        self.repeat("history, the first 100", |_| async move {
            let query = HistoryQuery { run: run.clone(), key: "loss".to_owned(), after: None, points_max: 100 };
            self.store.history(&Scope::All, query).await.map(drop)
        })
        .await
    }

    async fn repeat<W>(&self, name: &str, work: impl Fn(usize) -> W) -> Result<(), StoreError>
    where
        W: Future<Output = Result<(), StoreError>>,
    {
        let mut latencies = Vec::new();
        let all = async {
            for at in 0..500 {
                let begun = Instant::now();
                work(at).await?;
                latencies.push(begun.elapsed());
            }
            Ok(())
        };
        timed(name, 500, all).await?;
        quantiles(latencies);
        Ok(())
    }

    async fn concurrent(&self) -> Result<(), StoreError> {
        let mut latencies = Vec::new();
        let work = async {
            let mut tasks = tokio::task::JoinSet::new();
            for writer in 0..WRITERS {
                let (store, run) = (self.store.clone(), self.run(&format!("writer{writer}")).await?);
                tasks.spawn(async move {
                    let mut latencies = Vec::new();
                    for step in 0..2_500 {
                        let begun = Instant::now();
                        store.log_metric(&Scope::All, &run, metric("loss", step)).await?;
                        latencies.push(begun.elapsed());
                    }
                    Ok::<_, StoreError>(latencies)
                });
            }
            for done in tasks.join_all().await {
                latencies.extend(done?);
            }
            Ok::<_, StoreError>(())
        };
        timed("log_metric, 16 at once", WRITERS * 2_500, work).await?;
        quantiles(latencies);
        Ok(())
    }

    async fn batches(
        &self,
        name: &str,
        batches: i64,
        make: impl Fn(i64) -> Vec<LoggedMetric>,
    ) -> Result<(), StoreError> {
        let run = self.run(&name.replace([' ', ','], "")).await?;
        let mut latencies = Vec::new();
        let work = async {
            for metrics in (0..batches).map(&make) {
                let begun = Instant::now();
                self.log(&run, metrics).await?;
                latencies.push(begun.elapsed());
            }
            Ok::<_, StoreError>(())
        };
        timed(&format!("{name}, each metric"), batches as usize * 1_000, work).await?;
        quantiles(latencies);
        Ok(())
    }

    async fn log(&self, run: &str, metrics: Vec<LoggedMetric>) -> Result<(), StoreError> {
        let batch = Batch { metrics, ..Batch::default() };
        self.store.log_batch(&Scope::All, run, batch, |_| StoreError::Conflict(String::new())).await
    }

    async fn reading(&self, run: &str, points: i64) -> Result<(), StoreError> {
        let run = self.run(run).await?;
        let filling = async {
            for begin in (0..points).step_by(50_000) {
                self.log(&run, (begin..begin + 50_000).map(|step| metric("curve", step)).collect()).await?;
            }
            Ok::<_, StoreError>(())
        };
        timed(&format!("filling in {points} points"), points as usize, filling).await?;
        if points <= 100_000 {
            let query = || HistoryQuery { run: run.clone(), key: "curve".into(), after: None, points_max: usize::MAX };
            let read = async {
                for _ in 0..20 {
                    assert_eq!(self.store.history(&Scope::All, query()).await?.points.len() as i64, points);
                }
                Ok::<_, StoreError>(())
            };
            timed(&format!("history of {points}"), 20, read).await?;
        }
        for points_max in [320, 2_500] {
            let sample = async {
                for _ in 0..20 {
                    let runs = vec![run.clone()];
                    let query = SampleQuery { runs, key: "curve".into(), steps: None, points_max };
                    assert!(self.store.sample(&Scope::All, query).await?[0].len() > points_max / 2);
                }
                Ok::<_, StoreError>(())
            };
            timed(&format!("{points_max} sampled of {points}"), 20, sample).await?;
        }
        Ok(())
    }
}

fn metric(key: &str, step: i64) -> LoggedMetric {
    let value = 1.0 / (step + 2) as f64;
    LoggedMetric { key: key.to_owned(), point: Point::new(1_700_000_000_000 + step * 10, step, value), model: None }
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
async fn timed<T>(
    name: &str,
    times: usize,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let (begun, cpu) = (Instant::now(), cpu_time());
    let done = work.await?;
    let each = |time: Duration| time / u32::try_from(times).expect("it is no large number");
    let (wall, cpu) = (begun.elapsed(), cpu_time() - cpu);
    let rate = times as f64 / wall.as_secs_f64();
    println!("{name}: {:?} each, {:?} CPU, {rate:.0}/s", each(wall), each(cpu));
    Ok(done)
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn quantiles(mut latencies: Vec<Duration>) {
    latencies.sort();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!("    p50 {:?}, p90 {:?}, p99 {:?}, worst {:?}", at(0.5), at(0.9), at(0.99), at(1.0));
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn status(field: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default().trim().to_owned()
}
