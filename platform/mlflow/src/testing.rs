//! The dialect over a real store, asked as a client asks it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tiegel_artifacts::{Artifacts, Places};
use tiegel_context::testing::TestContext;
use tiegel_registry::{SecretKey, WebhookPolicy, WebhookSender};
use tower::ServiceExt as _;

use crate::{Mlflow, Registry, router};

const BODY_BYTES_MAX: usize = 64 << 20;

pub struct Server {
    pub context: TestContext,
    router: Router,
    /// How often the registry said that it changed.
    pub changes: Arc<AtomicUsize>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Server {
    pub async fn new() -> Self {
        Self::with(Places::default()).await
    }

    pub async fn with(places: Places) -> Self {
        let context = TestContext::new().await;
        let artifacts = Artifacts::new(context.ctx.clone(), places).unwrap();
        let root = "mlflow-artifacts:/".to_owned();
        let changes = Arc::new(AtomicUsize::new(0));
        let counted = changes.clone();
        let policy = WebhookPolicy { allow_private_addresses: true, allow_http: true };
        let registry = Registry {
            sender: WebhookSender::new(policy, SecretKey::new([7; 32])).unwrap(),
            on_change: Arc::new(move || _ = counted.fetch_add(1, Ordering::Relaxed)),
        };
        let ctx = context.ctx.clone();
        let router = router(Mlflow { ctx, default_artifact_root: root, artifacts, registry });
        Self { context, router, changes }
    }

    pub async fn send(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let mut request = Request::builder().method(method).uri(uri).header("host", "localhost:5000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, uri: &str) -> Reply {
        self.send("GET", uri, &[], Body::empty()).await
    }

    pub async fn put(&self, uri: &str, body: impl Into<Body>) -> Reply {
        self.send("PUT", uri, &[], body).await
    }

    pub async fn post(&self, uri: &str, body: Value) -> Reply {
        self.send("POST", uri, &[("content-type", "application/json")], body.to_string()).await
    }
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{:?}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and error code.
    pub fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error_code"].as_str().unwrap_or_default().to_owned())
    }
}
