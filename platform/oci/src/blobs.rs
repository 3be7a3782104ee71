use std::ops::Range;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tiegel_distribution::Registry;

use crate::DIGEST_HEADER;
use crate::error::OciResult;
use crate::place::Place;

const CONTENT_TYPE: &str = "application/octet-stream";

pub(crate) async fn head(State(registry): State<Registry>, place: Place) -> OciResult<Response> {
    let digest = place.digest()?;
    let size = registry.blob_size(&place.repository, &digest).await?;
    let headers = [
        (DIGEST_HEADER, digest.to_string()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_TYPE, CONTENT_TYPE.to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    Ok(headers.into_response())
}

pub(crate) async fn get(State(registry): State<Registry>, place: Place, headers: HeaderMap) -> OciResult<Response> {
    let digest = place.digest()?;
    let size = registry.blob_size(&place.repository, &digest).await?;
    let common = [(DIGEST_HEADER, digest.to_string()), (header::CONTENT_TYPE, CONTENT_TYPE.to_owned())];
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    match asked.map_or(Asked::All, |text| asked_range(text, size)) {
        Asked::All => {
            let headers = [(header::CONTENT_LENGTH, size.to_string()), (header::ACCEPT_RANGES, "bytes".to_owned())];
            Ok((common, headers, Body::from_stream(registry.blob(&digest).await?)).into_response())
        }
        Asked::Part(range) => {
            let headers = [
                (header::CONTENT_LENGTH, (range.end - range.start).to_string()),
                (header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1)),
            ];
            let body = Body::from_stream(registry.blob_range(&digest, range).await?);
            Ok((StatusCode::PARTIAL_CONTENT, common, headers, body).into_response())
        }
        Asked::Outside => {
            let headers = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response())
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range, or one that is not understood and therefore not heeded.
    All,
    Part(Range<u64>),
    Outside,
}

fn asked_range(text: &str, size: u64) -> Asked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::All;
    };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..size,
        (Err(_), Ok(count)) if first.trim().is_empty() => size.saturating_sub(count)..size,
        _ => return Asked::All,
    };
    if range.is_empty() { Asked::Outside } else { Asked::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob_and_those_outside_are_refused() {
        for (text, expected) in [
            ("bytes=0-3", Asked::Part(0..4)),
            ("bytes=4-", Asked::Part(4..10)),
            ("bytes=8-99", Asked::Part(8..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=0-18446744073709551615", Asked::Part(0..10)),
            ("bytes=10-12", Asked::Outside),
            ("bytes=-0", Asked::Outside),
            ("bytes=3-1", Asked::All),
            ("bytes=0-1,3-4", Asked::All),
            ("lines=0-1", Asked::All),
        ] {
            assert_eq!(asked_range(text, 10), expected, "{text}");
        }
    }
}
