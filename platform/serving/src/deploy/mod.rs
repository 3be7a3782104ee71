//! Brings what is served in line with what is declared: load, replay, switch.

mod attempt;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_jobs::{ReconcileError, Reconciler};
use tiegel_store::{EndpointStatusRow, ResourceRow};
use tiegel_types::{Kind, Name};

use crate::endpoints::{Endpoints, Entry};
use attempt::Attempt;
pub use record::{Proven, Refused, ReplayRecord};

/// Deploys endpoints.
///
/// Invariant: only one deployment of an endpoint runs at a time, and a version serves only after its replay passed on the
/// engines of this server.
pub struct EndpointReconciler {
    ctx: Ctx,
    endpoints: Endpoints,
    turns: Mutex<HashMap<Name, Arc<tokio::sync::Mutex<()>>>>,
}

#[async_trait]
impl Reconciler for EndpointReconciler {
    fn name(&self) -> &'static str {
        "endpoints"
    }

    async fn reconcile(&self) -> Result<(), ReconcileError> {
        Ok(self.reconcile_all().await?)
    }
}

impl EndpointReconciler {
    pub fn new(ctx: Ctx, endpoints: Endpoints) -> Self {
        Self { ctx, endpoints, turns: Mutex::new(HashMap::new()) }
    }

    /// Loads again what served before the server stopped, without a replay where it was proven by the same engines.
    /// An endpoint that cannot be loaded is left to [`Self::reconcile_all`].
    pub async fn restore(&self) -> OpResult<()> {
        let declared = self.declared().await?;
        for status in self.ctx.store.endpoint_statuses().await? {
            let Some(resource) = declared.get(&status.name) else { continue };
            let turn = self.turn(&status.name);
            let _turn = turn.lock().await;
            if let Err(error) = self.attempt(resource).restore(&status).await {
                tracing::warn!(endpoint = %status.name, %error, "cannot load what served before");
            }
        }
        Ok(())
    }

    /// Settles every declared endpoint and takes down those that are declared no more.
    ///
    /// # Errors
    /// Names each endpoint that could not be settled; the others are.
    pub async fn reconcile_all(&self) -> OpResult<()> {
        let declared = self.declared().await?;
        self.remove_undeclared(&declared).await?;
        let mut failed = Vec::new();
        for resource in declared.values() {
            if let Err(error) = self.settle(resource).await {
                failed.push(format!("endpoint '{}': {error}", resource.name));
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(OpError::internal(failed.join("; "))) }
    }

    /// Settles one endpoint now and answers where it stands.
    ///
    /// # Errors
    /// `NotFound` where it is not declared; else where settling failed for a reason that another try may not meet. A refused
    /// version is no error: its status says `Refused`, or `Ready` with a message where an older version goes on.
    pub async fn deploy(&self, project: &Name, name: &Name) -> OpResult<EndpointStatusRow> {
        let resource = self.ctx.store.resource(project, Kind::Endpoint, name).await?;
        let resource =
            resource.ok_or_else(|| OpError::NotFound(format!("project '{project}' has no endpoint '{name}'")))?;
        self.settle(&resource).await
    }

    async fn settle(&self, resource: &ResourceRow) -> OpResult<EndpointStatusRow> {
        let turn = self.turn(&resource.name);
        let _turn = turn.lock().await;
        self.attempt(resource).settle().await
    }

    fn attempt<'a>(&'a self, resource: &'a ResourceRow) -> Attempt<'a> {
        Attempt { ctx: &self.ctx, endpoints: &self.endpoints, resource }
    }

    async fn declared(&self) -> OpResult<BTreeMap<Name, ResourceRow>> {
        let mut declared = BTreeMap::new();
        for project in self.ctx.store.projects().await? {
            let resources = self.ctx.store.resources(&project.name).await?;
            declared.extend(resources.into_iter().filter(|r| r.kind == Kind::Endpoint).map(|r| (r.name.clone(), r)));
        }
        Ok(declared)
    }

    async fn remove_undeclared(&self, declared: &BTreeMap<Name, ResourceRow>) -> OpResult<()> {
        let stored = self.ctx.store.endpoint_statuses().await?.into_iter().map(|s| s.name);
        let served = self.endpoints.list().into_iter().map(|(name, _): (Name, Entry)| name);
        let all: std::collections::BTreeSet<Name> = stored.chain(served).collect();
        for name in all.into_iter().filter(|name| !declared.contains_key(name)) {
            let turn = self.turn(&name);
            let _turn = turn.lock().await;
            self.endpoints.remove(&name);
            self.ctx.store.delete_endpoint_status(&name).await?;
            tracing::info!(endpoint = %name, "endpoint removed");
        }
        Ok(())
    }

    fn turn(&self, name: &Name) -> Arc<tokio::sync::Mutex<()>> {
        self.turns.lock().entry(name.clone()).or_default().clone()
    }
}
