//! Words as a shell reads them back, for the commands that people and scripts are told to type.
//! Nothing here is ever run by a shell of ours.

/// One word.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '/' | '.' | '_' | '-' | '+' | ':' | '=' | ',' | '@' | '%')
    };
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A command line.
pub fn line<S: AsRef<str>>(words: &[S]) -> String {
    words
        .iter()
        .map(|word| quoted(word.as_ref()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_words_back() {
        assert_eq!(
            line(&["install", "-d", "/srv/my media", "it's", ""]),
            "install -d '/srv/my media' 'it'\\''s' ''"
        );
        assert_eq!(quoted("a=b,c@d%e+f:g"), "a=b,c@d%e+f:g");
        assert_eq!(quoted("$HOME;\n"), "'$HOME;\n'");
    }
}
