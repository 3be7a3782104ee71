//! What a request may ask for at most. Over it the answer is an error that names the limit.

/// Bytes of a filter string. A list of 10,000 run ids fits.
pub const FILTER_BYTES_MAX: usize = 1 << 20;
/// Clauses of one filter.
pub const FILTER_CLAUSES_MAX: usize = 100;
/// Values of one list.
pub const LIST_LEN_MAX: usize = 10_000;
/// Bytes of a LIKE pattern or a regular expression: more than the longest tag, and what both databases take.
pub const PATTERN_BYTES_MAX: usize = 8_000;
/// Keys of an order, those that break ties excepted.
pub const ORDER_KEYS_MAX: usize = 16;
/// Characters of a page token. Each key's value is in it, and a tag's may be long.
pub const PAGE_TOKEN_BYTES_MAX: usize = 1 << 20;
/// Bytes that a compiled regular expression may take.
pub(crate) const REGEXP_BYTES_MAX: usize = 1 << 20;
/// How deep parentheses may nest; no valid filter nests them at all.
pub(crate) const NESTING_MAX: usize = 100;
