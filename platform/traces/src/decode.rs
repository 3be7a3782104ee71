use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use crate::inflate::inflated;
use crate::{BODY_BYTES_MAX, IngestError, otlp_json};

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Protobuf,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    /// With zlib's header or without.
    Deflate,
}

pub(crate) fn decode(
    body: &[u8],
    form: Form,
    compression: Option<Compression>,
) -> Result<ExportTraceServiceRequest, IngestError> {
    let inflated = compression.map(|compression| inflated(body, compression)).transpose()?;
    let body = inflated.as_deref().unwrap_or(body);
    if body.len() > BODY_BYTES_MAX {
        let message = format!("an export has at most {BODY_BYTES_MAX} bytes: send fewer spans at once");
        return Err(IngestError::Malformed(message));
    }
    let request = match form {
        Form::Protobuf => ExportTraceServiceRequest::decode(body).map_err(|_| malformed())?,
        Form::Json => otlp_json::read(body).ok_or_else(malformed)?,
    };
    if request.resource_spans.is_empty() {
        return Err(IngestError::Malformed("Invalid OpenTelemetry format - no spans found".to_owned()));
    }
    Ok(request)
}

fn malformed() -> IngestError {
    IngestError::Malformed("Invalid OpenTelemetry format".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_export_is_refused() {
        for (body, form) in
            [(&b""[..], Form::Protobuf), (b"\xffgarbage", Form::Protobuf), (b"{", Form::Json), (b"{}", Form::Json)]
        {
            assert!(matches!(decode(body, form, None), Err(IngestError::Malformed(_))), "{body:?}");
        }
    }
}
