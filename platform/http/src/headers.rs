//! What every response tells the browser.

use axum::http::header::{
    CONTENT_SECURITY_POLICY, Entry, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

/// For the UI's own pages: everything from this server, no inline script or style, never in a frame.
pub(crate) const UI_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'";

/// For all else, above all for what users uploaded: opened in a browser it can run and load nothing.
const INERT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// Adds each header unless the handler set it.
pub(crate) async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    set_default(headers, CONTENT_SECURITY_POLICY, INERT_POLICY);
    set_default(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set_default(headers, X_FRAME_OPTIONS, "DENY");
    set_default(headers, REFERRER_POLICY, "no-referrer");
    set_default(headers, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set_default(headers, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    response
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    if let Entry::Vacant(entry) = headers.entry(name) {
        entry.insert(HeaderValue::from_static(value));
    }
}
