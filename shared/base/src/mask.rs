//! Secrets stay out of reports, journals and errors. What they may hide in: the user part of a URL, a `password=` in a connection
//! string or a query, an option on a command line.

/// What stands in a secret's place.
pub const MASK: &str = "***";

/// `text` with every password in it masked: `scheme://user:secret@host`, `password=secret` (also `'se cret'`), `token=…`, `secret=…`.
pub fn text(text: &str) -> String {
    keys(&urls(text))
}

/// The arguments of a command line, each masked, and the word after an option that takes a secret, too.
pub fn argv<S: AsRef<str>>(words: &[S]) -> Vec<String> {
    let mut hide = false;
    words
        .iter()
        .map(|word| {
            let word = word.as_ref();
            let shown = if hide { MASK.to_string() } else { text(word) };
            let name = word.trim_start_matches('-');
            hide = word.starts_with("--") && !word.contains('=') && is_secret(name);
            shown
        })
        .collect()
}

/// Words that name a secret wherever they end a key.
const SECRET_KEYS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "sslpassword",
];

/// Whether a key (of an option, a variable, a setting) names a secret.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    SECRET_KEYS.iter().any(|secret| key.ends_with(secret))
}

fn urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        // The authority ends at the first '/', '?' or '#' (RFC 3986, 3.2); a password written unescaped may hold any of them, so
        // the last '@' before white space or a quote decides, unless what follows the ':' can only be a port.
        let word = tail
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`'))
            .unwrap_or(tail.len());
        let authority = tail[..word].find(['/', '?', '#']).unwrap_or(word);
        let at = tail[..authority].rfind('@').or_else(|| {
            let last = tail[..word].rfind('@')?;
            let (_, secret) = tail[..last].split_once(':')?;
            let port = secret.split(['/', '?', '#']).next().unwrap_or("");
            (!port.bytes().all(|b| b.is_ascii_digit())).then_some(last)
        });
        match at {
            Some(at) => {
                let user = tail[..at].split(':').next().unwrap_or("");
                // A lone user part may be a token (`https://TOKEN@host`, `https://TOKEN:x-oauth-basic@host`): only what a password
                // follows is a name.
                match tail[..at].split_once(':') {
                    Some((_, secret)) if !secret.is_empty() => {
                        out.push_str(user);
                        out.push(':');
                        out.push_str(MASK);
                    }
                    _ if head.starts_with("http") || head.contains("http") => out.push_str(MASK),
                    _ => out.push_str(&tail[..at]),
                }
                out.push('@');
                rest = &tail[at + 1..];
            }
            None => rest = tail,
        }
    }
    out.push_str(rest);
    out
}

fn keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let key_end = rest[..at].trim_end().len();
        let start = rest[..key_end]
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .map_or(0, |i| i + 1);
        let after = &rest[at + 1..];
        out.push_str(&rest[..=at]);
        if is_secret(&rest[start..key_end]) {
            let lead = after.len() - after.trim_start().len();
            out.push_str(&after[..lead]);
            let value = &after[lead..];
            let len = value_len(value);
            if len > 0 {
                out.push_str(MASK);
            }
            rest = &value[len..];
        } else {
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// How far a value reaches: a quoted one to its closing quote (with `\` escapes, as libpq has them), a bare one to white space or `&`.
fn value_len(value: &str) -> usize {
    let mut chars = value.char_indices();
    match chars.next() {
        Some((_, quote @ ('\'' | '"'))) => {
            let mut escaped = false;
            for (i, c) in chars {
                if escaped {
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else if c == quote {
                    return i + c.len_utf8();
                }
            }
            value.len()
        }
        _ => value
            .find(|c: char| c.is_whitespace() || matches!(c, '&' | ';' | ','))
            .unwrap_or(value.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_urls_and_connection_strings_are_masked() {
        assert_eq!(
            text("postgres://app:s3cret@db/x"),
            "postgres://app:***@db/x"
        );
        assert_eq!(
            text("postgres://app:s3/c@ret@db/x and more"),
            "postgres://app:***@db/x and more"
        );
        assert_eq!(text("http://host:80/a@b"), "http://host:80/a@b");
        assert_eq!(
            text("https://ghp_token@host/simple"),
            "https://***@host/simple"
        );
        assert_eq!(
            text("host=x password='a b\\'c' user=y"),
            "host=x password=*** user=y"
        );
        assert_eq!(text("?sslpassword=abc&x=1"), "?sslpassword=***&x=1");
        assert_eq!(
            text("PGPASSWORD = abc dbname=q"),
            "PGPASSWORD = *** dbname=q"
        );
        assert_eq!(
            text("http://localhost:8000/a?b=c"),
            "http://localhost:8000/a?b=c"
        );
        assert_eq!(
            argv(&["x", "--password", "abc", "--db", "y", "--token=zz"]),
            ["x", "--password", "***", "--db", "y", "--token=***"]
        );
    }
}
