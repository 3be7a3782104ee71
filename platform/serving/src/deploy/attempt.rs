use std::sync::Arc;

use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_registry::{Wanted, WantedBundle, Wish, resolve};
use tiegel_spec::EndpointSpec;
use tiegel_store::{EndpointStatusRow, ResourceRow};
use tiegel_types::{EndpointState, Name};
use tracing::Instrument;

use super::record::{Proven, Refused, ReplayRecord, engines};
use crate::endpoints::{Endpoints, Entry, Live, Served};
use crate::loaded::LoadedBundle;
use crate::replay::{ReplayReport, replay};

/// One try to bring one endpoint to what its document asks for.
pub(super) struct Attempt<'a> {
    pub ctx: &'a Ctx,
    pub endpoints: &'a Endpoints,
    pub resource: &'a ResourceRow,
}

/// What a try goes by.
struct Situation {
    spec: EndpointSpec,
    status: Option<EndpointStatusRow>,
    record: ReplayRecord,
    live: Option<Arc<Live>>,
    engines: String,
}

impl Attempt<'_> {
    /// Serves again what the status says was live, where its proof still holds.
    pub async fn restore(&self, status: &EndpointStatusRow) -> OpResult<()> {
        let (Some(version), Some(bundle)) = (status.live_version, status.live_bundle) else { return Ok(()) };
        let record = ReplayRecord::read(status.replay.as_ref());
        let Some(proof) = record.proof(&bundle, &engines(self.ctx)) else { return Ok(()) };
        if self.live().is_some() {
            return Ok(());
        }
        let loaded = LoadedBundle::load(self.ctx, &self.resource.project, bundle).await?;
        let live = Live::start(self.served(&proof.model, version), loaded, self.endpoints)?;
        self.serve(EndpointState::Ready, status.message.clone(), Some(Arc::new(live)));
        tracing::info!(endpoint = %self.resource.name, version, "endpoint restored");
        Ok(())
    }

    pub async fn settle(&self) -> OpResult<EndpointStatusRow> {
        let status = self.status().await?;
        if let Some(status) = &status
            && let Err(error) = self.restore(status).await
        {
            // What served before may be beyond repair; what is asked for now must not wait for it.
            tracing::warn!(endpoint = %self.resource.name, %error, "cannot load what served before");
        }
        let now = Situation {
            spec: self.spec()?,
            record: ReplayRecord::read(status.as_ref().and_then(|s| s.replay.as_ref())),
            status,
            live: self.live(),
            engines: engines(self.ctx),
        };
        let wish = Wish {
            project: &self.resource.project,
            model: &now.spec.model,
            alias: now.spec.alias.as_ref(),
            version: now.spec.version,
        };
        let wanted = match resolve(self.ctx, wish).await? {
            Wanted::Bundle(wanted) => wanted,
            Wanted::Missing => {
                let why = missing(&now.spec);
                return self.pending(now, why).await;
            }
            Wanted::WithoutBundle(version) => {
                let why = without_bundle(&now.spec.model, version);
                return self.pending(now, why).await;
            }
        };
        if now.live.as_ref().is_some_and(|live| live.loaded().digest() == wanted.bundle) {
            return self.keep(now, &wanted).await;
        }
        if now.record.refuses(&wanted.bundle, &self.resource.digest, &now.engines) {
            return self.stay_refused(now).await;
        }
        let span = tracing::info_span!("endpoint.deploy", endpoint = %self.resource.name, version = wanted.version);
        self.deploy(now, wanted).instrument(span).await
    }

    /// The stored status, unless an endpoint of this name in another project left it: that one goes first.
    async fn status(&self) -> OpResult<Option<EndpointStatusRow>> {
        let name = &self.resource.name;
        let status = self.ctx.store.endpoint_status(name).await?;
        if status.as_ref().is_some_and(|s| s.project != self.resource.project) {
            self.endpoints.remove(name);
            self.ctx.store.delete_endpoint_status(name).await?;
            return Ok(None);
        }
        Ok(status)
    }

    fn spec(&self) -> OpResult<EndpointSpec> {
        serde_json::from_value(self.resource.spec.clone()).map_err(|e| {
            OpError::internal(format!("the stored document of endpoint '{}' is not readable: {e}", self.resource.name))
        })
    }

    fn served(&self, model: &Name, version: u32) -> Served {
        Served { endpoint: self.resource.name.clone(), model: model.clone(), version }
    }

    fn live(&self) -> Option<Arc<Live>> {
        self.endpoints.entry(&self.resource.name).and_then(|entry| entry.live)
    }

    /// What is asked for is not there, or is nothing that could serve.
    async fn pending(&self, now: Situation, why: String) -> OpResult<EndpointStatusRow> {
        match now.live.clone() {
            Some(live) => {
                let message = format!("{why} Version {} keeps serving.", live.served.version);
                self.write(now.record, EndpointState::Ready, Some(message), Some(live)).await
            }
            None => self.write(now.record, EndpointState::Pending, Some(why), None).await,
        }
    }

    /// What is asked for serves already, perhaps under another version number.
    async fn keep(&self, mut now: Situation, wanted: &WantedBundle) -> OpResult<EndpointStatusRow> {
        let served = self.served(&now.spec.model, wanted.version);
        let live = match now.live.take() {
            Some(live) if live.served != served => Some(Arc::new(live.renamed(served))),
            live => live,
        };
        now.record.refused = None;
        if let Some(proof) = &mut now.record.proven {
            proof.model = now.spec.model;
        }
        self.write(now.record, EndpointState::Ready, None, live).await
    }

    async fn stay_refused(&self, now: Situation) -> OpResult<EndpointStatusRow> {
        let message = now.status.and_then(|s| s.message);
        let state = if now.live.is_some() { EndpointState::Ready } else { EndpointState::Refused };
        self.write(now.record, state, message, now.live).await
    }

    async fn deploy(&self, now: Situation, wanted: WantedBundle) -> OpResult<EndpointStatusRow> {
        let loading = format!("version {} of model '{}' is being loaded and replayed", wanted.version, now.spec.model);
        self.write(now.record.clone(), EndpointState::Deploying, Some(loading), now.live.clone()).await?;
        match self.prove(&wanted).await {
            Ok((loaded, report)) if report.passed => self.switch(now, &wanted, loaded, report).await,
            Ok((_, report)) => {
                let why = report
                    .difference
                    .as_ref()
                    .map_or_else(|| "the replay did not pass".to_owned(), ToString::to_string);
                self.refuse(now, &wanted, why, Some(report)).await
            }
            Err(error) if error.is_transient() || matches!(error, OpError::Cancelled) => {
                let message = format!("version {} could not be loaded yet and is tried again: {error}", wanted.version);
                let state = if now.live.is_some() { EndpointState::Ready } else { EndpointState::Deploying };
                self.write(now.record, state, Some(message), now.live).await?;
                Err(error)
            }
            Err(error) => self.refuse(now, &wanted, error.to_string(), None).await,
        }
    }

    async fn prove(&self, wanted: &WantedBundle) -> OpResult<(Arc<LoadedBundle>, ReplayReport)> {
        let loaded = LoadedBundle::load(self.ctx, &self.resource.project, wanted.bundle).await?;
        let span = tracing::info_span!("endpoint.replay", bundle = %wanted.bundle);
        let report = replay(self.ctx, loaded.clone()).instrument(span).await?;
        self.ctx.metrics.replayed(report.passed);
        tracing::info!(
            rows = report.rows,
            single_rows = report.single_rows,
            batches = report.batches,
            passed = report.passed,
            max_prediction_difference = report.max_prediction_difference,
            "skew replay finished"
        );
        Ok((loaded, report))
    }

    async fn switch(
        &self,
        now: Situation,
        wanted: &WantedBundle,
        loaded: Arc<LoadedBundle>,
        report: ReplayReport,
    ) -> OpResult<EndpointStatusRow> {
        let live = Live::start(self.served(&now.spec.model, wanted.version), loaded, self.endpoints)?;
        let proven = Proven { model: now.spec.model, bundle: wanted.bundle, engines: now.engines, report };
        let record = ReplayRecord { proven: Some(proven), refused: None };
        tracing::info!(endpoint = %self.resource.name, version = wanted.version, "endpoint switched");
        self.write(record, EndpointState::Ready, None, Some(Arc::new(live))).await
    }

    async fn refuse(
        &self,
        now: Situation,
        wanted: &WantedBundle,
        why: String,
        report: Option<ReplayReport>,
    ) -> OpResult<EndpointStatusRow> {
        let (state, rest) = match &now.live {
            Some(live) => (EndpointState::Ready, format!("Version {} keeps serving.", live.served.version)),
            None => (EndpointState::Refused, "Nothing serves.".to_owned()),
        };
        let message = format!("version {} of model '{}' is refused: {why}. {rest}", wanted.version, now.spec.model);
        tracing::warn!(endpoint = %self.resource.name, version = wanted.version, why, "deployment refused");
        let (version, bundle, spec) = (wanted.version, wanted.bundle, self.resource.digest);
        let refused = Refused { version, bundle, spec, engines: now.engines, report };
        let record = ReplayRecord { refused: Some(refused), ..now.record };
        self.write(record, state, Some(message), now.live).await
    }

    fn serve(&self, state: EndpointState, message: Option<String>, live: Option<Arc<Live>>) {
        let entry = Entry { project: self.resource.project.clone(), state, message, live };
        self.endpoints.put(self.resource.name.clone(), entry);
    }

    /// Makes it so, in memory and in the store. The store comes first: after a crash between the two the proof is there and
    /// the version is loaded again.
    async fn write(
        &self,
        record: ReplayRecord,
        state: EndpointState,
        message: Option<String>,
        live: Option<Arc<Live>>,
    ) -> OpResult<EndpointStatusRow> {
        let row = EndpointStatusRow {
            project: self.resource.project.clone(),
            name: self.resource.name.clone(),
            state,
            live_version: live.as_ref().map(|l| l.served.version),
            live_bundle: live.as_ref().map(|l| l.loaded().digest()),
            message: message.clone(),
            replay: record.write(),
            updated_ms: self.ctx.now_ms(),
        };
        let stored = self.ctx.store.endpoint_status(&self.resource.name).await?;
        let unchanged = stored.filter(|s| EndpointStatusRow { updated_ms: row.updated_ms, ..s.clone() } == row);
        let row = match unchanged {
            Some(stored) => stored,
            None => {
                self.ctx.store.put_endpoint_status(row.clone()).await?;
                row
            }
        };
        self.serve(state, message, live);
        Ok(row)
    }
}

/// Which version is missing, and what makes it.
fn missing(spec: &EndpointSpec) -> String {
    let model = &spec.model;
    match (&spec.alias, spec.version) {
        (_, Some(version)) => {
            format!("model '{model}' has no version {version} yet: it waits for a training that registers '{model}'.")
        }
        (Some(alias), None) => format!(
            "model '{model}' has no alias '{alias}' yet: it waits for a training with `register: {{model: {model}, alias: {alias}}}`."
        ),
        (None, None) => format!("the document names neither an alias nor a version of model '{model}'."),
    }
}

/// Says what a version lacks that a client registered.
fn without_bundle(model: &Name, version: u32) -> String {
    format!(
        "version {version} of model '{model}' was registered by a client and carries no bundle, so this server cannot \
         serve it: point the endpoint at a version that a training of this server registered."
    )
}
