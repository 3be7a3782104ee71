use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::Url;

use crate::fields::Fields;

const CONNECT_SECONDS_MAX: u64 = 10;
/// How often a request is sent before it counts as refused, and the wait before the second time; it doubles.
const TRIES_MAX: u32 = 6;
const RETRY_MS: u64 = 200;
/// Selects a workspace, which Tiegel calls a project.
const WORKSPACE_HEADER: &str = "x-mlflow-workspace";

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct Access {
    /// May carry user and password.
    pub url: String,
    pub token: Option<String>,
    pub workspace: Option<String>,
}

/// A server that speaks MLflow's protocol: an MLflow server, or Tiegel.
#[derive(Clone, Debug)]
pub struct MlflowApi {
    http: reqwest::Client,
    base: Url,
    access: Access,
}

/// What a server refused.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path}: {status}: {message}")]
pub struct Refused {
    pub method: Method,
    pub path: String,
    pub status: StatusCode,
    /// MLflow's error code; empty where the answer has none.
    pub code: String,
    pub message: String,
}

impl Refused {
    /// Whether an error says that something, or the whole endpoint, is not there.
    pub fn is_missing(error: &anyhow::Error) -> bool {
        error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == StatusCode::NOT_FOUND)
    }

    /// Whether an error says that something is there already.
    pub fn is_taken(error: &anyhow::Error) -> bool {
        error.downcast_ref::<Refused>().is_some_and(|refused| refused.code == "RESOURCE_ALREADY_EXISTS")
    }
}

impl MlflowApi {
    pub fn new(access: Access) -> anyhow::Result<Self> {
        let url = access.url.trim_end_matches('/');
        let base = Url::parse(&format!("{url}/")).ok().filter(|base| matches!(base.scheme(), "http" | "https"));
        let base = base.with_context(|| format!("'{}' is not a server's URL; write http://HOST:PORT", access.url))?;
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .build()
            .context("cannot set up HTTP")?;
        Ok(Self { http, base, access })
    }

    pub fn url(&self) -> String {
        let mut shown = self.base.clone();
        // Neither fails for an http URL.
        _ = shown.set_password(None);
        _ = shown.set_username("");
        shown.as_str().trim_end_matches('/').to_owned()
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        json(self.send(|| Ok(self.request(Method::GET, path)?.query(query)), true).await?).await
    }

    /// For requests that may be sent twice.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        json(self.send(|| Ok(self.request(Method::POST, path)?.json(body)), true).await?).await
    }

    /// For requests that may not: they are sent again only where they cannot have arrived.
    pub async fn create(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        json(self.send(|| Ok(self.request(Method::POST, path)?.json(body)), false).await?).await
    }

    pub async fn call(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        json(self.send(|| Ok(self.request(method.clone(), path)?.json(body)), true).await?).await
    }

    /// Spans of one experiment, as OTLP in JSON.
    pub async fn send_spans(&self, experiment: &str, body: &Value) -> anyhow::Result<()> {
        let build =
            || Ok(self.request(Method::POST, "v1/traces")?.header("x-mlflow-experiment-id", experiment).json(body));
        self.send(build, true).await?;
        Ok(())
    }

    pub async fn download(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Response> {
        self.send(|| Ok(self.request(Method::GET, path)?.query(query)), true).await
    }

    /// Below an artifact folder; a body is read once, so it is sent once.
    pub async fn upload(&self, place: &str, body: Body, bytes: Option<u64>) -> anyhow::Result<()> {
        let path = artifact_path(place);
        let mut request =
            self.request(Method::PUT, &path)?.header("content-type", "application/octet-stream").body(body);
        if let Some(bytes) = bytes {
            request = request.header("content-length", bytes);
        }
        checked(request, &Method::PUT, &path).await?;
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        let mut url = self.base.clone();
        {
            let mut segments = url.path_segments_mut().map_err(|()| anyhow::anyhow!("the URL has no path"))?;
            segments.pop_if_empty().extend(path.split('/'));
        }
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.access.token {
            request = request.bearer_auth(token);
        }
        if let Some(workspace) = &self.access.workspace {
            request = request.header(WORKSPACE_HEADER, workspace);
        }
        Ok(request)
    }

    async fn send<F>(&self, build: F, may_repeat: bool) -> anyhow::Result<Response>
    where
        F: Fn() -> anyhow::Result<RequestBuilder>,
    {
        let mut wait = Duration::from_millis(RETRY_MS);
        for attempt in 1.. {
            let request = build()?.build()?;
            let (method, path) = (request.method().clone(), request.url().path().to_owned());
            let error = match self.http.execute(request).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let is_passing = matches!(response.status().as_u16(), 429 | 502 | 503 | 504);
                    let refused = refusal(response, method, path).await;
                    if !is_passing || (!may_repeat && refused.status != StatusCode::TOO_MANY_REQUESTS) {
                        return Err(refused.into());
                    }
                    anyhow::Error::from(refused)
                }
                Err(error) if may_repeat || error.is_connect() => {
                    anyhow::Error::from(error.without_url()).context(format!("no answer from {}", self.url()))
                }
                Err(error) => return Err(error.into()),
            };
            if attempt == TRIES_MAX {
                return Err(error);
            }
            tracing::debug!(%error, attempt, "a request is sent again");
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        bail!("no request was sent")
    }
}

/// The endpoint of a file below the artifact folder.
pub fn artifact_path(place: &str) -> String {
    format!("api/2.0/mlflow-artifacts/artifacts/{}", place.trim_matches('/'))
}

async fn checked(request: RequestBuilder, method: &Method, path: &str) -> anyhow::Result<Response> {
    let response = request.send().await?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(refusal(response, method.clone(), path.to_owned()).await.into())
}

async fn json(response: Response) -> anyhow::Result<Value> {
    let text = response.text().await.context("the answer broke off")?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("the answer is not JSON: {}", shown(&text)))
}

/// Both of MLflow's errors and of problem documents.
async fn refusal(response: Response, method: Method, path: String) -> Refused {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let code = body.text_opt("error_code").or_else(|| body.text_opt("code")).unwrap_or_default();
    let message = body.text_opt("message").or_else(|| body.text_opt("detail")).unwrap_or_else(|| shown(&text));
    Refused { method, path, status, code, message }
}

fn shown(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 300;
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(url: &str) -> anyhow::Result<MlflowApi> {
        MlflowApi::new(Access { url: url.to_owned(), token: None, workspace: None })
    }

    #[test]
    fn names_of_files_are_escaped_and_a_prefix_stays() {
        let api = api("https://ann:secret@host/mlflow/").unwrap();
        let request = api.request(Method::GET, &artifact_path("1/r/artifacts/b är #1 100%.bin")).unwrap();
        let request = request.build().unwrap();
        assert!(request.headers().contains_key("authorization"), "user and password become a header");
        assert_eq!(
            request.url().as_str(),
            "https://host/mlflow/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/b%20%C3%A4r%20%231%20100%25.bin"
        );
        assert_eq!(api.url(), "https://host/mlflow");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in ["localhost:5000", "sqlite:///a.db", "http://"] {
            assert!(api(url).is_err(), "{url}");
        }
    }
}
