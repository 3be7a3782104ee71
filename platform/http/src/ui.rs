//! The web UI: files of `web/dist`, embedded in a release build and read from disk in a debug build.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::ApiError;
use crate::headers::UI_POLICY;

/// `cargo build` works without Node: then the folder is missing and a placeholder answers.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

const INDEX: &str = "index.html";
const PLACEHOLDER: &str = include_str!("ui/placeholder.html");
/// The placeholder has one inline style and nothing else.
const PLACEHOLDER_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// Vite puts a hash of the content in these files' names.
const HASHED: &str = "assets/";
const FOREVER: &str = "public, max-age=31536000, immutable";
const REVALIDATE: &str = "no-cache";

/// Where programs call: a miss there is a problem, never a page.
const API_PREFIXES: [&str; 10] =
    ["api", "ajax-api", "v1", "v2", "endpoints", "health", "metrics", "version", "invocations", "ping"];

/// Finds a file of the UI by its path in `web/dist`.
type Lookup = fn(&str) -> Option<EmbeddedFile>;

/// Answers whatever no route matched: a file of the UI, its index for a browser's navigation, or a problem.
pub(crate) async fn fallback(request: Request) -> Response {
    answer(Dist::get, request.method(), request.uri().path(), request.headers())
}

fn answer(lookup: Lookup, method: &Method, path: &str, headers: &HeaderMap) -> Response {
    let name = path.trim_start_matches('/');
    let first = name.split(['/', ':']).next().unwrap_or_default();
    if API_PREFIXES.contains(&first) {
        return route_not_found(method, path);
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return route_not_found(method, path);
    }
    if !name.is_empty()
        && let Some(response) = file(lookup, name, headers)
    {
        return response;
    }
    let navigates = accepts(headers, header::ACCEPT, "text/html") || name.is_empty();
    if name.starts_with(HASHED) || !navigates {
        return route_not_found(method, path);
    }
    file(lookup, INDEX, headers).unwrap_or_else(placeholder)
}

fn route_not_found(method: &Method, path: &str) -> Response {
    ApiError::not_found(
        "route_not_found",
        format!("there is no {method} {path}: see /api/v1/openapi.json for the routes of this server"),
    )
    .into_response()
}

fn placeholder() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, REVALIDATE),
        (header::CONTENT_SECURITY_POLICY, PLACEHOLDER_POLICY),
    ];
    (headers, PLACEHOLDER).into_response()
}

/// The file, or its Brotli twin if the client takes it, or 304 if the client has it.
fn file(lookup: Lookup, name: &str, headers: &HeaderMap) -> Option<Response> {
    if name.ends_with(".br") {
        return None;
    }
    let plain = lookup(name)?;
    let twin = if accepts(headers, header::ACCEPT_ENCODING, "br") { lookup(&format!("{name}.br")) } else { None };
    let encoded = twin.is_some();
    let file = twin.unwrap_or(plain);

    // Weak, because a proxy may compress it anew.
    let etag = format!("W/\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let fresh = headers.get_all(header::IF_NONE_MATCH).iter().any(|tags| {
        tags.to_str().is_ok_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == &etag[2..]))
    });
    let mut response =
        if fresh { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(file.data).into_response() };

    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::ETAG, &etag);
    set(header::VARY, "accept-encoding");
    set(header::CACHE_CONTROL, if name.starts_with(HASHED) { FOREVER } else { REVALIDATE });
    if !fresh {
        set(header::CONTENT_TYPE, &content_type(name));
    }
    if encoded && !fresh {
        set(header::CONTENT_ENCODING, "br");
    }
    if name == INDEX {
        set(header::CONTENT_SECURITY_POLICY, UI_POLICY);
    }
    Some(response)
}

fn content_type(name: &str) -> String {
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let text = mime.type_() == mime_guess::mime::TEXT || mime.subtype() == mime_guess::mime::JAVASCRIPT;
    if text { format!("{mime}; charset=utf-8") } else { mime.to_string() }
}

/// Whether a header that lists preferences names `wanted` with a weight above 0.
fn accepts(headers: &HeaderMap, name: header::HeaderName, wanted: &str) -> bool {
    let lists = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let named = parts.next().is_some_and(|token| token.eq_ignore_ascii_case(wanted));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        named && weight > 0.0
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
