/// Bytes of one export, inflated.
pub const BODY_BYTES_MAX: usize = 64 << 20;
/// Spans of one export.
pub const SPANS_MAX: usize = 50_000;
/// Bytes of one span as it is kept.
pub const SPAN_BYTES_MAX: usize = 16 << 20;
/// Attributes of one span.
pub const SPAN_ATTRIBUTES_MAX: usize = 2_000;
/// Characters of a tag's key. Keys that are longer cannot be tags.
pub const TAG_KEY_CHARS_MAX: usize = 250;
/// Characters of a tag's value. The rest is cut off.
pub const TAG_VALUE_CHARS_MAX: usize = 8_000;
/// Characters of a session's id.
pub(crate) const SESSION_CHARS_MAX: usize = 250;
/// Characters of a model's or a provider's name.
pub(crate) const MODEL_CHARS_MAX: usize = 500;
