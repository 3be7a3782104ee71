/// Why a filter, an order or a page token was refused: always the request's fault.
///
/// The texts begin as MLflow's do, because its clients and their tests match them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SearchError(pub(crate) String);

impl SearchError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Writes names as MLflow does: `['a', 'b']`.
pub(crate) fn quoted_list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// The beginning of a text that a request brought, so that no error is long.
pub(crate) fn shown(text: &str) -> &str {
    const CHARACTERS_MAX: usize = 200;
    text.char_indices().nth(CHARACTERS_MAX).map_or(text, |(end, _)| &text[..end])
}
