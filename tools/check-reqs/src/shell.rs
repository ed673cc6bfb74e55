//! The commands of a fix, as a shell reads them back, without secrets.

use base::mask;
pub use base::shell::quoted;

/// `words` as a line that a shell reads back as the same words, secrets masked.
pub fn shell(words: &[&str]) -> String {
    base::shell::line(
        &words
            .iter()
            .map(|word| mask::text(word))
            .collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_no_command() {
        assert_eq!(
            shell(&["psql", "postgres://app:s3cret@db/my site"]),
            "psql 'postgres://app:***@db/my site'"
        );
    }
}
