//! One item a line, for `jq` and log shippers that read line by line.

use super::whole::Whole;

/// The items, one line each.
pub fn text(whole: &Whole<'_>) -> String {
    whole
        .items
        .iter()
        .filter_map(|item| serde_json::to_string(item).ok())
        .map(|line| line + "\n")
        .collect()
}
