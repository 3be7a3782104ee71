//! Who may come in: the Host allow-list (DNS rebinding), the Origin check (cross-site requests) and the admin token.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use tiegel_types::Digest;

use crate::ApiError;
use crate::host::Authority;

/// What the door asks of a request.
#[derive(Clone, Default)]
pub struct GuardConfig {
    /// Besides `localhost`, `127.0.0.1` and `[::1]`: `host`, `host:port`, `*.domain` or `*`; put the bound address here.
    pub allowed_hosts: Vec<String>,
    /// Origins besides the server's own whose pages may change state, such as that of a proxy which rewrites `Host`.
    pub allowed_origins: Vec<String>,
    /// Asked of everything but `/health/*`, as a bearer token or as the password of basic authentication.
    pub admin_token: Option<String>,
    /// Whether only this machine can connect. Otherwise a `Host` that is an IP address is accepted too.
    pub loopback: bool,
}

impl fmt::Debug for GuardConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allowed_hosts, allowed_origins, admin_token, loopback } = self;
        f.debug_struct("GuardConfig")
            .field("allowed_hosts", allowed_hosts)
            .field("allowed_origins", allowed_origins)
            .field("admin_token", &admin_token.as_ref().map(|_| "(set)"))
            .field("loopback", loopback)
            .finish()
    }
}

/// The middleware: answers a problem, or lets the request pass.
pub(crate) async fn check(State(config): State<Arc<GuardConfig>>, request: Request, next: Next) -> Response {
    // Probes name a pod by its address and carry no token; the answer holds nothing worth guarding.
    if request.uri().path().starts_with("/health/") {
        return next.run(request).await;
    }
    if let Err(error) = check_host(&config, &request).and_then(|()| check_origin(&config, &request)) {
        return error.into_response();
    }
    if let Some(token) = &config.admin_token
        && !carries(request.headers(), token)
    {
        return ask_for_token(request.uri().path());
    }
    next.run(request).await
}

fn check_host(config: &GuardConfig, request: &Request) -> Result<(), ApiError> {
    let Some(host) = Authority::of_request(request) else {
        return Err(ApiError::forbidden("host_not_allowed", "the request names no host: send a Host header"));
    };
    let known = host.is_local()
        || (!config.loopback && host.is_address())
        || config.allowed_hosts.iter().any(|entry| host.matches(entry));
    if known {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "host_not_allowed",
        format!(
            "this server does not answer to the host '{host}': use localhost, or add it to `allowed_hosts` in the server's config"
        ),
    ))
}

/// A page of another site may look, as the browser hides the answer from it, but not change anything.
fn check_origin(config: &GuardConfig, request: &Request) -> Result<(), ApiError> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let headers = request.headers();
    let Some(origin) = headers.get(header::ORIGIN) else {
        // Not a browser, or a browser too old to say; one that says it comes from elsewhere is believed.
        let cross_site = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
        return if cross_site { Err(origin_refused("another site")) } else { Ok(()) };
    };
    let origin = origin.to_str().unwrap_or("null");
    let same_host = Authority::of_origin(origin)
        .is_some_and(|from| Authority::of_request(request).is_some_and(|host| same_host(&from, &host)));
    let listed = config.allowed_origins.iter().any(|entry| entry.trim_end_matches('/').eq_ignore_ascii_case(origin));
    if same_host || listed { Ok(()) } else { Err(origin_refused(&format!("'{origin}'"))) }
}

/// The port of an origin is left out when it is its scheme's own, and `Host` then leaves it out too, or a proxy that
/// ends TLS has added it: 80 and 443 count as no port.
fn same_host(from: &Authority, host: &Authority) -> bool {
    let port = |authority: &Authority| authority.port.filter(|port| !matches!(port, 80 | 443));
    from.host == host.host && port(from) == port(host)
}

fn origin_refused(origin: &str) -> ApiError {
    ApiError::forbidden(
        "origin_not_allowed",
        format!(
            "a page of {origin} may not change anything here: add its origin to `allowed_origins` in the server's config"
        ),
    )
}

/// Of OCI registries, whose clients take a bearer challenge for the address of a token server.
const REGISTRY_PATH: &str = "/v2/";

fn ask_for_token(path: &str) -> Response {
    let error = ApiError::new(
        StatusCode::UNAUTHORIZED,
        "token_required",
        "this server asks for its admin token: send `Authorization: Bearer TOKEN`, or the token as the password of basic authentication",
    );
    let mut response = error.into_response();
    let (bearer, basic) = ("Bearer realm=\"tiegel\"", "Basic realm=\"tiegel\", charset=\"UTF-8\"");
    let challenges: &[&'static str] = if path.starts_with(REGISTRY_PATH) { &[basic] } else { &[bearer, basic] };
    for challenge in challenges {
        response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

fn carries(headers: &HeaderMap, token: &str) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let Some((scheme, credentials)) = value.split_once(' ') else {
        return false;
    };
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return equal(credentials.as_bytes(), token.as_bytes());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return false;
    }
    let Ok(decoded) = base64::engine::general_purpose::STANDARD.decode(credentials) else {
        return false;
    };
    match decoded.iter().position(|&byte| byte == b':') {
        Some(colon) => equal(&decoded[colon + 1..], token.as_bytes()),
        None => false,
    }
}

/// Compares digests byte for byte without stopping early, so that neither length nor prefix shows in the time taken.
fn equal(given: &[u8], expected: &[u8]) -> bool {
    let (given, expected) = (Digest::of(given), Digest::of(expected));
    given.as_bytes().iter().zip(expected.as_bytes()).fold(0, |diff, (a, b)| std::hint::black_box(diff | (a ^ b))) == 0
}

#[cfg(test)]
mod tests;
