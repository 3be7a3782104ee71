use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tiegel_api::{ApiState, QueryLimits};
use tiegel_artifacts::Artifacts;
use tiegel_config::Config;
use tiegel_context::Ctx;
use tiegel_gc::{Age, Collector, GcReconciler, Retention};
use tiegel_http::{EdgeConfig, GuardConfig, RequestRecord, edge};
use tiegel_jobs::{JobRunner, ReconcilerHandle, RunnerHandle, start_reconciler};
use tiegel_mlflow::{Mlflow, Registry};
use tiegel_project::{Progress, RunHandler};
use tiegel_registry::{WebhookDeliverer, WebhookPolicy, WebhookSender};
use tiegel_serving::{EndpointReconciler, Endpoints};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::compose;
use crate::lock::{self, DataLock};
use crate::{places, secret_key};

/// How often endpoints are compared with their documents when nothing pokes.
const RECONCILE_SECONDS: u64 = 10;
/// How often webhooks are looked after when nothing pokes.
const WEBHOOK_SECONDS: u64 = 2;
/// How long requests and jobs get to end.
const SHUTDOWN_SECONDS_MAX: u64 = 10;

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    ctx: Ctx,
    runner: RunnerHandle,
    reconciler: ReconcilerHandle,
    webhooks: ReconcilerHandle,
    gc: ReconcilerHandle,
    stop: CancellationToken,
    tasks: TaskTracker,
    lock: DataLock,
}

impl Server {
    /// Binds, opens the data folder and starts answering.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let lock = lock::take(&config.data_dir)?;
        let ctx = compose::context(config).await?;
        let node = lock::node(&config.data_dir, ctx.new_uuid())?;
        let released = ctx.store.release_owned(&node, ctx.now_ms()).await?;
        if released > 0 {
            tracing::info!(jobs = released, "jobs that were interrupted go on");
        }
        let endpoints = Endpoints::new(ctx.metrics.clone());
        let deployer = Arc::new(EndpointReconciler::new(ctx.clone(), endpoints.clone()));
        deployer.restore().await.context("cannot restore the endpoints")?;
        let reconciler = start_reconciler(deployer.clone(), Duration::from_secs(RECONCILE_SECONDS));
        let progress = Progress::default();
        let handler = RunHandler {
            ctx: ctx.clone(),
            endpoints: deployer,
            progress: progress.clone(),
            source_roots: config.source_roots.clone(),
        };
        let runner = JobRunner {
            store: ctx.store.clone(),
            owner: node,
            clock: ctx.clock.clone(),
            handler: Arc::new(handler),
            workers: config.jobs.workers,
        };
        let runner = runner.start(&ctx.wake);
        let places = places::artifacts(config)?;
        let artifacts = Artifacts::new(ctx.clone(), places).context("cannot use artifacts_destination")?;
        let (collector, gc) = gc(config, &artifacts);
        let state = ApiState {
            ctx: ctx.clone(),
            endpoints: endpoints.clone(),
            reconciler: reconciler.clone(),
            collector,
            progress,
            source_roots: Arc::new(config.source_roots.clone()),
            query: QueryLimits { rows_max: config.query.rows_max, seconds_max: config.query.seconds_max },
            version: env!("CARGO_PKG_VERSION"),
        };
        let (registry, webhooks) = registry(config, &ctx, &reconciler).await?;
        let default_artifact_root = places::default_artifact_root(config)?;
        ctx.store.settle_artifact_locations(&default_artifact_root).await?;
        let mlflow = Mlflow { ctx: ctx.clone(), default_artifact_root, artifacts, registry };
        let router = tiegel_api::router(state)
            .merge(tiegel_inference::router(endpoints))
            .merge(tiegel_mlflow::router(mlflow))
            .merge(tiegel_oci::router(ctx.clone()));
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let service = edge(router, edge_config(config, address, &ctx));
        tasks.spawn(answer(listener, service, stop.clone()));
        tracing::info!(address = %address, version = env!("CARGO_PKG_VERSION"), "listening");
        Ok(Self { address, ctx, runner, reconciler, webhooks, gc, stop, tasks, lock })
    }

    /// Lets requests end, puts running jobs back in the queue and closes the store. Answers whether all ended in time.
    pub async fn shutdown(self) -> bool {
        let Self { address: _, ctx, runner, reconciler, webhooks, gc, stop, tasks, lock } = self;
        let limit = Duration::from_secs(SHUTDOWN_SECONDS_MAX);
        stop.cancel();
        tasks.close();
        let answered = tokio::time::timeout(limit, tasks.wait()).await.is_ok();
        let worked = runner.shutdown(limit).await;
        let reconciled = reconciler.shutdown(limit).await;
        let told = webhooks.shutdown(limit).await;
        // A pass that is cut off is completed by the next one.
        gc.shutdown(Duration::ZERO).await;
        ctx.store.close().await;
        drop(lock);
        let clean = answered && worked && reconciled && told;
        if !clean {
            tracing::warn!(answered, worked, reconciled, told, "not everything ended in time");
        }
        clean
    }
}

/// What the registry of the MLflow dialect calls when something changes, and the webhooks that are told of it.
async fn registry(
    config: &Config,
    ctx: &Ctx,
    endpoints: &ReconcilerHandle,
) -> anyhow::Result<(Registry, ReconcilerHandle)> {
    let policy = WebhookPolicy {
        allow_private_addresses: config.webhooks.allow_private_addresses,
        allow_http: config.webhooks.allow_http,
    };
    let key = secret_key::load(config, [ctx.new_uuid(), ctx.new_uuid()])?;
    let sender = WebhookSender::new(policy, key)?;
    let deliverer = Arc::new(WebhookDeliverer::new(ctx.clone(), sender.clone()));
    deliverer.seal_secrets().await?;
    let webhooks = start_reconciler(deliverer, Duration::from_secs(WEBHOOK_SECONDS));
    let pokes = [endpoints.clone(), webhooks.clone()];
    let on_change = Arc::new(move || pokes.iter().for_each(ReconcilerHandle::poke));
    Ok((Registry { sender, on_change }, webhooks))
}

/// What collects garbage, and its turns in the background.
fn gc(config: &Config, artifacts: &Artifacts) -> (Arc<Collector>, ReconcilerHandle) {
    let collector = Arc::new(Collector::new(artifacts.clone()));
    let retention = Retention(config.gc.keep_deleted_seconds.map(Age::of_seconds));
    let reconciler = Arc::new(GcReconciler::new(collector.clone(), retention));
    (collector, start_reconciler(reconciler, Duration::from_secs(config.gc.every_seconds)))
}

async fn answer(listener: TcpListener, service: axum::Router, stop: CancellationToken) {
    // Without TCP_NODELAY a small answer on a kept-alive connection waits for the client's delayed acknowledgement.
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream: &mut tokio::net::TcpStream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = serving.await {
        tracing::error!(%error, "the listener failed");
    }
}

fn edge_config(config: &Config, address: SocketAddr, ctx: &Ctx) -> EdgeConfig {
    let mut allowed_hosts = config.allowed_hosts.clone();
    allowed_hosts.push(address.to_string());
    let metrics = ctx.metrics.clone();
    let on_response = move |record: &RequestRecord| {
        metrics.http_request(record.method, &record.route, record.status, record.elapsed.as_secs_f64());
    };
    EdgeConfig {
        guard: GuardConfig {
            allowed_hosts,
            allowed_origins: config.allowed_origins.clone(),
            admin_token: config.admin_token.as_ref().map(|token| token.expose().to_owned()),
            loopback: config.listen.ip().is_loopback(),
        },
        on_response: Some(Arc::new(on_response)),
    }
}
