//! One request to a registry, with what it asks for to let us in.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde_json::Value;
use tokio::sync::Mutex;

const CONNECT_SECONDS_MAX: u64 = 10;
const ERROR_BYTES_MAX: usize = 64 << 10;

pub struct Transport {
    http: reqwest::Client,
    base: Url,
    credentials: Option<(String, String)>,
    /// What the registry asked for, once it did.
    authorization: Mutex<Option<String>>,
}

/// What a registry asks of who comes without permission.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Transport {
    pub fn new(base: Url, credentials: Option<(String, String)>, token: Option<&str>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX)).build()?;
        let authorization = Mutex::new(token.map(|token| format!("Bearer {token}")));
        Ok(Self { http, base, credentials, authorization })
    }

    /// An address of the registry: a path, or what one of its answers named.
    pub fn url(&self, place: &str) -> anyhow::Result<Url> {
        Ok(self.base.join(place)?)
    }

    /// Sends, and once more after the registry said what it wants to see. Answers whatever status comes.
    pub async fn send(
        &self,
        (method, url): (Method, Url),
        build: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<Response> {
        // What was asked for by one registry is shown to no other.
        let is_own = url.origin() == self.base.origin();
        let request = || build(self.http.request(method.clone(), url.clone()));
        let known = self.authorization.lock().await.clone().filter(|_| is_own);
        let first = match &known {
            Some(value) => request().header(header::AUTHORIZATION, value),
            None => request(),
        };
        let response = first.send().await.with_context(|| format!("{url} does not answer"))?;
        if response.status() != StatusCode::UNAUTHORIZED || !is_own {
            return Ok(response);
        }
        let challenges = response.headers().get_all(header::WWW_AUTHENTICATE);
        let challenges: Vec<String> = challenges.iter().filter_map(|v| v.to_str().ok()).map(str::to_owned).collect();
        let value = self.permission(&challenges).await?;
        *self.authorization.lock().await = Some(value.clone());
        Ok(request().header(header::AUTHORIZATION, value).send().await?)
    }

    async fn permission(&self, challenges: &[String]) -> anyhow::Result<String> {
        if let Some(challenge) = challenges.iter().find_map(|text| challenge(text)) {
            return self.token(&challenge).await;
        }
        let Some((user, password)) = &self.credentials else {
            bail!("{} asks who you are: give --user and --password", self.base);
        };
        use base64::Engine as _;
        Ok(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))))
    }

    /// Asks the registry's token server, which may be anonymous.
    async fn token(&self, challenge: &Challenge) -> anyhow::Result<String> {
        let mut realm = Url::parse(&challenge.realm).context("the registry names no token server")?;
        if realm.scheme() != "https" && self.base.scheme() == "https" {
            bail!("the token server {realm} is not reached by https");
        }
        for (key, value) in [("service", &challenge.service), ("scope", &challenge.scope)] {
            if let Some(value) = value {
                realm.query_pairs_mut().append_pair(key, value);
            }
        }
        let request = self.http.get(realm);
        let request = match &self.credentials {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        let answer: Value = success(request.send().await?).await?.json().await?;
        let token = answer["token"].as_str().or_else(|| answer["access_token"].as_str());
        Ok(format!("Bearer {}", token.context("the token server answers no token")?))
    }
}

fn challenge(text: &str) -> Option<Challenge> {
    let (scheme, parameters) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameter = |key: &str| {
        let (_, rest) = parameters.split_once(&format!("{key}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    Some(Challenge { realm: parameter("realm")?, service: parameter("service"), scope: parameter("scope") })
}

/// The response, or what it says is wrong.
pub async fn success(response: Response) -> anyhow::Result<Response> {
    if response.status().is_success() {
        return Ok(response);
    }
    let (status, url) = (response.status(), response.url().clone());
    let body = read(response, ERROR_BYTES_MAX).await.unwrap_or_default();
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = said["errors"][0]["message"].as_str().or_else(|| said["detail"].as_str());
    let code = said["errors"][0]["code"].as_str().unwrap_or_default();
    bail!("{} [{status} {code}] at {url}", message.unwrap_or("the registry refused"))
}

/// A body of at most so many bytes.
pub async fn read(mut response: Response, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            bail!("the answer of {} has more than {bytes_max} bytes", response.url());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_may_hold_commas_in_quotes() {
        let read = challenge(r#"Bearer realm="https://a/token",service="a",scope="repository:b:pull,push""#).unwrap();
        assert_eq!(read.realm, "https://a/token");
        assert_eq!(read.scope.as_deref(), Some("repository:b:pull,push"));
        assert_eq!(challenge(r#"Basic realm="a""#), None);
    }
}
