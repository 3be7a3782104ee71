use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;
use tiegel_context::{OpError, OpResult};
use tiegel_store::SealedSecret;
use uuid::Uuid;

use super::address::{Resolver, refused};
use super::request::{body_of, fresh_id, signature_of};
use super::secret::SecretKey;

const CONNECT_SECONDS_MAX: u64 = 10;
const REQUEST_SECONDS_MAX: u64 = 30;
/// Bytes of an answer that are shown.
const ANSWER_BYTES_MAX: usize = 4_096;
const URL_CHARS_MAX: usize = 500;

/// What an operator allows. By default only https, and only addresses of the internet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookPolicy {
    pub allow_private_addresses: bool,
    pub allow_http: bool,
}

/// Makes the requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WebhookSender {
    client: Client,
    policy: WebhookPolicy,
    resolver: Resolver,
    key: Arc<SecretKey>,
}

/// An answer, of whatever status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub status: u16,
    /// The beginning of it.
    pub body: String,
    pub retry_after_seconds: Option<u64>,
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    pub message: String,
    /// Whether another try may get one.
    pub is_transient: bool,
}

/// What is sent once.
pub(super) struct Message<'a> {
    pub id: String,
    pub webhook_id: &'a str,
    pub url: &'a str,
    pub secret: Option<&'a SealedSecret>,
    pub body: String,
    pub now_ms: i64,
}

impl WebhookSender {
    pub fn new(policy: WebhookPolicy, key: SecretKey) -> OpResult<Self> {
        let resolver = Resolver { allow_private: policy.allow_private_addresses };
        // A proxy would connect in this server's place, to whatever it likes; a redirect could lead anywhere.
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .timeout(Duration::from_secs(REQUEST_SECONDS_MAX))
            .redirect(Policy::none())
            // Calls are rare: a connection that was kept would be closed by the time of the next.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .dns_resolver(Arc::new(resolver))
            .user_agent(concat!("tiegel/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OpError::internal(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self { client, policy, resolver, key: Arc::new(key) })
    }

    /// The key with which the secrets of webhooks are stored.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Whether webhooks may have this URL now. Whatever its host turns into later, each request looks again.
    pub async fn check_url(&self, url: &str) -> Result<(), String> {
        let parsed = self.parse(url)?;
        let host = parsed.host_str().unwrap_or_default();
        if literal(&parsed).is_some() {
            return Ok(());
        }
        self.resolver.addresses(host, parsed.port_or_known_default().unwrap_or(443)).await.map(|_| ())
    }

    /// Sends what a webhook is told when it is only tried out.
    pub async fn try_out(
        &self,
        (webhook_id, url): (&str, &str),
        secret: Option<&SealedSecret>,
        (event, data): (&str, &Value),
        (id, now_ms): (Uuid, i64),
    ) -> Result<Sent, SendError> {
        let body = body_of(event, now_ms, data);
        self.send(Message { id: fresh_id(id), webhook_id, url, secret, body, now_ms }).await
    }

    pub(super) async fn send(&self, message: Message<'_>) -> Result<Sent, SendError> {
        let Message { id, webhook_id, url, secret, body, now_ms } = message;
        let permanent = |message| SendError { message, is_transient: false };
        let url = self.parse(url).map_err(permanent)?;
        let seconds = now_ms.div_euclid(1_000);
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        if let Some(secret) = secret {
            // Somebody may give the server its key again.
            let opened = self.key.open(secret, webhook_id);
            let secret = &opened.map_err(|message| SendError { message, is_transient: true })?;
            request = request.header("X-MLflow-Signature", signature_of(secret, &id, seconds, &body));
        }
        let request = request.header("X-MLflow-Delivery-Id", id).header("X-MLflow-Timestamp", seconds.to_string());
        let answer = request
            .body(body)
            .send()
            .await
            .map_err(|error| SendError { message: causes(&error), is_transient: true })?;
        Ok(read(answer).await)
    }

    fn parse(&self, url: &str) -> Result<Url, String> {
        if url.trim().is_empty() {
            return Err(format!("Webhook URL cannot be empty or just whitespace: {url:?}"));
        }
        if url.chars().count() > URL_CHARS_MAX {
            return Err(format!("'url' exceeds the maximum length of {URL_CHARS_MAX} characters"));
        }
        let parsed = Url::parse(url)
            .map_err(|error| format!("Invalid webhook URL {url:?}: {error}; it needs a scheme, such as https://"))?;
        let schemes: &[&str] = if self.policy.allow_http { &["https", "http"] } else { &["https"] };
        if !schemes.contains(&parsed.scheme()) {
            return Err(format!(
                "Invalid webhook URL scheme: {:?}. Allowed schemes are: {}.",
                parsed.scheme(),
                schemes.join(", ")
            ));
        }
        let host = parsed.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| format!("Webhook URL must include a hostname: {url:?}"))?;
        match literal(&parsed) {
            Some(address) if !self.resolver.allows(address) => Err(refused(host, address)),
            _ => Ok(parsed),
        }
    }
}

/// The host, if it is an address. Every spelling of one, such as `127.1`, is an address by now.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

async fn read(mut answer: reqwest::Response) -> Sent {
    let status: StatusCode = answer.status();
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_seconds = retry_after.and_then(|seconds| seconds.parse().ok());
    let mut body = Vec::new();
    // An answer that breaks off is an answer: its status says what became of the request.
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - body.len())]);
        if body.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    Sent { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned(), retry_after_seconds }
}

/// The error with what caused it, and without the URL: that may hold a token.
fn causes(error: &reqwest::Error) -> String {
    let mut message = if error.is_timeout() {
        format!("no answer within {REQUEST_SECONDS_MAX} seconds")
    } else if error.is_connect() {
        "cannot connect".to_owned()
    } else {
        "the request failed".to_owned()
    };
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.source().is_none() {
            message = format!("{message}: {inner}");
        }
        cause = inner.source();
    }
    message
}
