//! Traces in protobuf, as exporters send them: the few fields of `ExportTraceServiceRequest` that a span has.

const START_NANOS: u64 = 1_700_000_000_000_000_000;
const SPAN_NANOS: u64 = 500_000;
/// Wire types of fields.
const FIXED_64: u8 = 1;
const BYTES: u8 = 2;

/// A request with `traces` traces of `spans` spans each, numbered from `first`.
pub fn request(first: usize, traces: usize, spans: usize) -> Vec<u8> {
    let mut of_scope = Vec::new();
    for trace in first..first + traces {
        for at in 0..spans {
            put_bytes(&mut of_scope, 2, &span(trace, at, spans));
        }
    }
    let mut resource = Vec::new();
    put_bytes(&mut resource, 2, &of_scope);
    let mut request = Vec::new();
    put_bytes(&mut request, 1, &resource);
    request
}

fn span(trace: usize, at: usize, spans: usize) -> Vec<u8> {
    let id = |at: usize| (at as u64 + 1).to_be_bytes();
    let start = START_NANOS + (trace * spans + at) as u64 * 1_000;
    let mut span = Vec::with_capacity(256);
    put_bytes(&mut span, 1, &(trace as u128 + 1).to_be_bytes());
    put_bytes(&mut span, 2, &id(at));
    if at > 0 {
        put_bytes(&mut span, 4, &id(0));
    }
    put_bytes(&mut span, 5, if at == 0 { b"answer" } else { b"retrieve" });
    put_fixed(&mut span, 7, start);
    put_fixed(&mut span, 8, start + SPAN_NANOS);
    put_bytes(&mut span, 9, &attribute("mlflow.spanType", r#""RETRIEVER""#));
    put_bytes(&mut span, 9, &attribute("mlflow.spanInputs", r#"{"question": "what is a crucible?"}"#));
    span
}

fn attribute(key: &str, text: &str) -> Vec<u8> {
    let mut value = Vec::new();
    put_bytes(&mut value, 1, text.as_bytes());
    let mut attribute = Vec::new();
    put_bytes(&mut attribute, 1, key.as_bytes());
    put_bytes(&mut attribute, 2, &value);
    attribute
}

fn put_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | BYTES);
    let mut length = bytes.len();
    while length >= 0x80 {
        message.push(length as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(bytes);
}

fn put_fixed(message: &mut Vec<u8>, field: u8, value: u64) {
    message.push(field << 3 | FIXED_64);
    message.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_its_number_its_length_and_its_bytes() {
        let mut message = Vec::new();
        put_bytes(&mut message, 9, &[7; 300]);
        assert_eq!(message[..4], [0x4a, 0xac, 0x02, 7]);
        assert_eq!(message.len(), 303);
        let one = request(4, 1, 1);
        assert!(one.windows(18).any(|bytes| bytes[..2] == [0x0a, 16] && bytes[17] == 5), "the trace's id");
    }
}
