use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tiegel_types::Digest;

use super::Target;
use super::output::Format;

const CONNECT_SECONDS_MAX: u64 = 10;

/// Speaks to a server's native API; a problem becomes a readable error.
pub struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
    pub format: Format,
}

impl Client {
    pub fn new(target: &Target) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX)).build()?;
        let server = target.server.trim_end_matches('/').to_owned();
        Ok(Self { http, server, token: target.token.clone(), format: target.output })
    }

    pub fn server(&self) -> &str {
        &self.server
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.with_context(|| {
            format!(
                "no server answers at {}; start one with `tiegel serve`, or name another with --server",
                self.server
            )
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.text().await.unwrap_or_default();
        bail!("{}", problem(status, &body))
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        Ok(self.send(self.request(Method::GET, path)).await?.json().await?)
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        Ok(self.send(self.request(Method::POST, path).json(body)).await?.json().await?)
    }

    /// Uploads a file under its digest, unless the server has it.
    pub async fn upload(&self, file: &Path, digest: &Digest) -> anyhow::Result<bool> {
        let path = format!("/api/v1/blobs/{digest}");
        let head = self.request(Method::HEAD, &path).send().await?;
        if head.status().is_success() {
            return Ok(false);
        }
        let opened = tokio::fs::File::open(file).await.with_context(|| format!("cannot read {}", file.display()))?;
        self.send(self.request(Method::PUT, &path).body(opened)).await?;
        Ok(true)
    }
}

fn problem(status: StatusCode, body: &str) -> String {
    let Ok(problem) = serde_json::from_str::<Value>(body) else {
        return format!("the server answered {status}: {body}");
    };
    let detail = problem["detail"].as_str().unwrap_or(body);
    let mut text = match problem["code"].as_str() {
        Some(code) => format!("{detail} [{code}]"),
        None => detail.to_owned(),
    };
    for error in problem["errors"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "\n  {}: {}",
            super::output::cell(&error["path"]),
            super::output::cell(&error["detail"])
        ));
    }
    if let (true, Some(trace)) = (status.is_server_error(), problem["trace_id"].as_str()) {
        text.push_str(&format!("\n  trace id {trace}"));
    }
    text
}
