use serde::{Deserialize, Serialize};
use serde_json::Value;
use tiegel_context::Context;
use tiegel_types::{Digest, Name};

use crate::replay::ReplayReport;

/// What an endpoint's status keeps of its replays: the proof of what serves, and the refusal that is not tried again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplayRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<Proven>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// A bundle whose replay passed. Bundles are content-addressed, so it holds for as long as the engines are the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proven {
    pub model: Name,
    pub bundle: Digest,
    pub engines: String,
    pub report: ReplayReport,
}

/// A version that may not serve under this spec and these engines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    pub version: u32,
    pub bundle: Digest,
    /// Of the endpoint's spec.
    pub spec: Digest,
    pub engines: String,
    /// None where the bundle could not be loaded at all.
    pub report: Option<ReplayReport>,
}

impl ReplayRecord {
    /// A record of another form is forgotten: the worst that follows is one more replay.
    pub fn read(value: Option<&Value>) -> Self {
        value.and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default()
    }

    pub fn write(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }

    /// The proof of a bundle, where it holds for these engines.
    pub fn proof(&self, bundle: &Digest, engines: &str) -> Option<&Proven> {
        self.proven.as_ref().filter(|p| p.bundle == *bundle && p.engines == engines)
    }

    pub fn refuses(&self, bundle: &Digest, spec: &Digest, engines: &str) -> bool {
        self.refused.as_ref().is_some_and(|r| r.bundle == *bundle && r.spec == *spec && r.engines == engines)
    }
}

/// What a proof depends on besides the bundle: with other engines the same bundle may compute other bytes.
pub(super) fn engines(ctx: &Context) -> String {
    format!("tiegel {}, {}, {}", env!("CARGO_PKG_VERSION"), ctx.tables.version(), ctx.models.version())
}
