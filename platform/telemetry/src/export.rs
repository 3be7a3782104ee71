use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use tokio::runtime::Handle;

/// How long one export may take.
const EXPORT_SECONDS_MAX: u64 = 10;

/// An exporter to `{endpoint}/v1/traces`. Call it inside the tokio runtime that sends.
pub fn otlp(endpoint: &str) -> Result<SpanExporter, String> {
    let runtime = Handle::try_current().map_err(|e| e.to_string())?;
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(EXPORT_SECONDS_MAX))
        // An idle connection would outlive the server's own tasks.
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|e| e.to_string())?;
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    SpanExporter::builder()
        .with_http()
        .with_http_client(Sender { client, runtime })
        .with_endpoint(url)
        .build()
        .map_err(|e| e.to_string())
}

/// Sends from the exporter's own thread through the server's runtime, which that thread is not part of.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let send = async move {
            let request = reqwest::Request::try_from(request)?;
            let mut response = client.execute(request).await?;
            let status = response.status();
            let headers = std::mem::take(response.headers_mut());
            let mut answer = Response::new(response.bytes().await?);
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok::<_, HttpError>(answer)
        };
        self.runtime.spawn(send).await?
    }
}
