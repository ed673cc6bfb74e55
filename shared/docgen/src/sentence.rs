//! Texts as sentences.

/// The text with a capital letter at its start and a full stop at its end.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default();
    let text = first + chars.as_str();
    if text.ends_with(['.', ':', '!', '?']) || text.is_empty() {
        text
    } else {
        text + "."
    }
}
