use std::time::Duration;

use serde_json::{Value, json};
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_pipeline::{Decision, Inputs, decide, import_source, ingest_dataset, run_step};
use tiegel_registry::Registration;
use tiegel_spec::{RetrySpec, StepSpec};
use tiegel_store::{NewCacheRow, StepUpdate};
use tiegel_training::{TrainingOutput, run_training};
use tiegel_types::{Digest, EndpointState, Name, StepState};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};

use crate::graph::Unit;
use crate::lookup::{Lookup, Outputs, last_inputs};
use crate::run::JobWork;

/// One unit of one job.
pub struct UnitRun<'a> {
    pub work: &'a JobWork<'a>,
    pub unit: Unit,
    pub cancel: CancellationToken,
}

impl UnitRun<'_> {
    pub async fn run(&self) -> OpResult<()> {
        let span = info_span!("step", step.name = %self.unit, job.id = %self.work.job.id);
        let result = self.run_or_skip().instrument(span).await;
        self.work.handler.progress.clear(self.work.job.id, &self.unit.to_string());
        let Err(error) = result else { return Ok(()) };
        let error = if self.cancel.is_cancelled() { OpError::Cancelled } else { error };
        let state = if matches!(error, OpError::Cancelled) { StepState::Cancelled } else { StepState::Failed };
        let update = StepUpdate {
            state,
            finished_ms: Some(self.ctx().now_ms()),
            error: Some(error.to_string()),
            ..StepUpdate::new(state)
        };
        self.ctx().store.update_step(self.work.job.id, &self.unit.to_string(), update).await?;
        Err(error.at(&format!("step '{}'", self.unit)))
    }

    fn ctx(&self) -> &Ctx {
        &self.work.handler.ctx
    }

    fn project(&self) -> &Name {
        &self.work.job.project
    }

    async fn run_or_skip(&self) -> OpResult<()> {
        if let Unit::Endpoint(name) = &self.unit {
            return self.deploy(name).await;
        }
        self.read_source().await?;
        let outputs = self.work.outputs.lock().await.clone();
        let lookup = self.lookup(&outputs);
        let Some(inputs) = lookup.inputs(self.ctx(), &self.unit).await? else { return Ok(()) };
        let key = inputs.key();
        if let Some(output) = self.stored(&key).await? {
            return self.take(&inputs, key, output).await;
        }
        let decision = self.decision(false, &inputs).await?;
        let started_ms = self.ctx().now_ms();
        let update = StepUpdate {
            cache_key: Some(key),
            inputs: Some(json!(inputs)),
            reason: Some(json!(decision)),
            started_ms: Some(started_ms),
            trace_id: tiegel_telemetry::current_trace_id(),
            ..StepUpdate::new(StepState::Running)
        };
        self.ctx().store.update_step(self.work.job.id, &self.unit.to_string(), update).await?;
        let output = self.execute_with_retries(&lookup, key).await?;
        self.commit(&inputs, key, output).await
    }

    fn lookup<'b>(&'b self, outputs: &'b Outputs) -> Lookup<'b> {
        Lookup { project: self.project(), snapshot: &self.work.snapshot, graph: &self.work.graph, outputs }
    }

    /// A dataset's files must be known before its key is.
    async fn read_source(&self) -> OpResult<()> {
        let Unit::Dataset(name) = &self.unit else { return Ok(()) };
        let files =
            import_source(self.ctx(), &self.work.snapshot.datasets[name], &self.work.handler.source_roots).await?;
        self.work.outputs.lock().await.sources.insert(name.clone(), files);
        Ok(())
    }

    /// The output under this key, where it is stored and all its bytes are still there.
    async fn stored(&self, key: &Digest) -> OpResult<Option<Value>> {
        if self.work.no_cache && !self.ran_before(key).await? {
            return Ok(None);
        }
        let Some(row) = self.ctx().store.cached(self.project(), key).await? else { return Ok(None) };
        let mut outputs = Outputs::default();
        outputs.restore(&self.unit, &row.output)?;
        let steps = outputs.steps.values().flatten().map(|(_, o)| &o.table);
        for table in outputs.datasets.values().chain(steps) {
            if !self.ctx().has_table(table).await? {
                return Ok(None);
            }
        }
        Ok(Some(row.output))
    }

    /// Whether this very job finished the unit before it was interrupted.
    async fn ran_before(&self, key: &Digest) -> OpResult<bool> {
        let name = self.unit.to_string();
        let steps = self.ctx().store.steps(self.work.job.id).await?;
        Ok(steps.iter().any(|s| s.name == name && s.state == StepState::Succeeded && s.cache_key.as_ref() == Some(key)))
    }

    async fn decision(&self, cached: bool, inputs: &Inputs) -> OpResult<Decision> {
        let last = last_inputs(self.ctx(), self.project(), &self.unit).await?;
        Ok(decide(cached, self.work.no_cache, last.as_ref(), inputs))
    }

    /// Uses a stored output.
    async fn take(&self, inputs: &Inputs, key: Digest, output: Value) -> OpResult<()> {
        self.make_current(&output).await?;
        let rows = self.work.outputs.lock().await.restore(&self.unit, &output)?;
        if self.ran_before(&key).await? {
            // Interrupted between the step's end and what follows it.
            return self.after(&output, true).await;
        }
        let now = self.ctx().now_ms();
        let update = StepUpdate {
            cache_key: Some(key),
            inputs: Some(json!(inputs)),
            reason: Some(json!(self.decision(true, inputs).await?)),
            started_ms: Some(now),
            finished_ms: Some(now),
            rows,
            trace_id: tiegel_telemetry::current_trace_id(),
            ..StepUpdate::new(StepState::Cached)
        };
        self.ctx().store.update_step(self.work.job.id, &self.unit.to_string(), update).await?;
        self.ctx().metrics.step_cached();
        self.after(&output, false).await
    }

    /// A stored table that is not the newest version of its dataset becomes it again.
    async fn make_current(&self, output: &Value) -> OpResult<()> {
        let mut outputs = Outputs::default();
        outputs.restore(&self.unit, output)?;
        for (name, table) in &outputs.datasets {
            tiegel_pipeline::make_current(self.ctx(), self.project(), name, table).await?;
        }
        for (pipeline, steps) in &outputs.steps {
            for (step, output) in steps {
                let name = tiegel_pipeline::step_table_name(pipeline, step)?;
                tiegel_pipeline::make_current(self.ctx(), self.project(), &name, &output.table).await?;
            }
        }
        Ok(())
    }

    async fn execute_with_retries(&self, lookup: &Lookup<'_>, key: Digest) -> OpResult<Value> {
        let spec = self.step_spec(lookup);
        let RetrySpec { max, backoff_ms } = spec.retry.unwrap_or(RetrySpec { max: 2, backoff_ms: 500 });
        let limit = Duration::from_secs(spec.timeout_seconds.unwrap_or(24 * 3600));
        let mut attempt = 0;
        loop {
            let cancel = self.cancel.child_token();
            let work = self.execute(lookup, key, cancel.clone());
            let result = match tokio::time::timeout(limit, work).await {
                Ok(result) => result,
                Err(_) => {
                    cancel.cancel();
                    let message = format!(
                        "it ran for more than {} s; raise timeoutSeconds or give it less to do",
                        limit.as_secs()
                    );
                    Err(OpError::Limit(message))
                }
            };
            match result {
                Err(error) if error.is_transient() && attempt < max && !self.cancel.is_cancelled() => {
                    let wait = Duration::from_millis(backoff_ms.saturating_mul(1 << attempt.min(10)));
                    tracing::warn!(step = %self.unit, attempt, wait_ms = wait.as_millis() as u64, error = %error, "a step failed and is tried again");
                    attempt += 1;
                    tokio::time::sleep(wait).await;
                }
                other => return other,
            }
        }
    }

    fn step_spec(&self, lookup: &Lookup<'_>) -> StepSpec {
        match &self.unit {
            Unit::Step { pipeline, step } => lookup
                .graph
                .pipelines
                .get(pipeline)
                .and_then(|p| p.step(step))
                .map(|s| s.spec.clone())
                .unwrap_or_default(),
            _ => StepSpec::default(),
        }
    }

    async fn execute(&self, lookup: &Lookup<'_>, key: Digest, cancel: CancellationToken) -> OpResult<Value> {
        let started = self.ctx().now_ms();
        let output = match &self.unit {
            Unit::Dataset(name) => {
                let spec = &lookup.snapshot.datasets[name];
                let files = &lookup.outputs.sources[name];
                json!(ingest_dataset(self.ctx(), (self.project(), name), spec, files, cancel).await?)
            }
            Unit::Step { pipeline, step } => {
                let missing = || OpError::internal(format!("step '{step}' is not in the graph"));
                let planned = lookup.graph.pipelines.get(pipeline).and_then(|p| p.step(step)).ok_or_else(missing)?;
                let tables = lookup.outputs.tables(pipeline);
                json!(run_step(self.ctx(), (self.project(), pipeline), planned, &tables, cancel).await?)
            }
            Unit::Training(name) => json!(self.train(lookup, name, key, cancel).await?),
            Unit::Endpoint(_) => Value::Null,
        };
        self.ctx().metrics.step_ran((self.ctx().now_ms() - started) as f64 / 1_000.0);
        Ok(output)
    }

    async fn train(
        &self,
        lookup: &Lookup<'_>,
        name: &Name,
        key: Digest,
        cancel: CancellationToken,
    ) -> OpResult<TrainingOutput> {
        let spec = &lookup.snapshot.trainings[name];
        let tables = lookup.outputs.tables(&spec.pipeline);
        let training = lookup.training(name, &tables, Some(self.work.job.id))?;
        let (progress, job, step) = (self.work.handler.progress.clone(), self.work.job.id, self.unit.to_string());
        let show = move |report: &tiegel_engine::EpochReport| {
            let phase = if report.refit { "refit, " } else { "" };
            let loss = report.validation.get("loss").map(|l| format!(", validation {l:.4}")).unwrap_or_default();
            let text =
                format!("{phase}epoch {}/{}: loss {:.4}{loss}", report.epoch, report.epochs_max, report.train_loss);
            progress.set(job, &step, text);
        };
        run_training(self.ctx(), &training, key, cancel, Box::new(show)).await
    }

    /// Output, cache row and step state in one transaction: a step is done when all of them are.
    async fn commit(&self, inputs: &Inputs, key: Digest, output: Value) -> OpResult<()> {
        let rows = self.work.outputs.lock().await.restore(&self.unit, &output)?;
        let update = StepUpdate {
            cache_key: Some(key),
            finished_ms: Some(self.ctx().now_ms()),
            rows,
            ..StepUpdate::new(StepState::Succeeded)
        };
        let cache = NewCacheRow {
            project: self.project().clone(),
            cache_key: key,
            output: output.clone(),
            inputs: json!(inputs),
            job_id: self.work.job.id,
            created_ms: self.ctx().now_ms(),
        };
        self.ctx().store.commit_step(self.work.job.id, &self.unit.to_string(), update, Some(cache)).await?;
        self.after(&output, true).await
    }

    async fn has_alias(&self, model: &Name, alias: &Name) -> OpResult<bool> {
        Ok(self.ctx().store.alias(self.project(), model.as_str(), alias.as_str()).await?.is_some())
    }

    /// A fitted model is registered; done again after a crash, it changes nothing.
    async fn after(&self, output: &Value, ran: bool) -> OpResult<()> {
        let Unit::Training(name) = &self.unit else { return Ok(()) };
        let Some(register) = &self.work.snapshot.trainings[name].register else { return Ok(()) };
        let output: TrainingOutput =
            serde_json::from_value(output.clone()).map_err(|e| OpError::internal(e.to_string()))?;
        let moved = match &register.alias {
            // Someone may have moved the alias since; a training that did not run leaves it where it is.
            Some(alias) if !ran && self.has_alias(&register.model, alias).await? => None,
            alias => alias.clone(),
        };
        let registration = Registration {
            project: self.project().clone(),
            model: register.model.clone(),
            alias: moved,
            bundle: output.bundle,
            run: Some(output.run),
            metrics: output.metrics,
            actor: format!("job {}", self.work.job.id),
        };
        tiegel_registry::register(self.ctx(), registration).await?;
        Ok(())
    }

    /// Brings the endpoint to the version its document asks for, replay included.
    async fn deploy(&self, name: &Name) -> OpResult<()> {
        let started_ms = self.ctx().now_ms();
        let running = StepUpdate {
            started_ms: Some(started_ms),
            trace_id: tiegel_telemetry::current_trace_id(),
            ..StepUpdate::new(StepState::Running)
        };
        let (job, step) = (self.work.job.id, self.unit.to_string());
        self.ctx().store.update_step(job, &step, running).await?;
        let before = self.ctx().store.endpoint_status(name).await?.and_then(|s| s.live_bundle);
        let status = self.work.handler.endpoints.deploy(self.project(), name).await?;
        if status.state != EndpointState::Ready || status.message.is_some() {
            let message = status.message.unwrap_or_else(|| format!("endpoint '{name}' is {}", status.state));
            return Err(OpError::invalid("deployment_refused", message));
        }
        let unchanged = before.is_some() && before == status.live_bundle;
        let text = match (unchanged, status.live_version) {
            (true, Some(version)) => format!("cached: version {version} is live already"),
            (_, version) => format!("ran: version {} went live", version.map(|v| v.to_string()).unwrap_or_default()),
        };
        let state = if unchanged { StepState::Cached } else { StepState::Succeeded };
        let done = StepUpdate {
            reason: Some(json!(Decision { ran: !unchanged, changed: vec![], text })),
            output: Some(
                json!({ "version": status.live_version, "bundle": status.live_bundle, "replay": status.replay }),
            ),
            finished_ms: Some(self.ctx().now_ms()),
            ..StepUpdate::new(state)
        };
        self.ctx().store.update_step(job, &step, done).await?;
        Ok(())
    }
}
