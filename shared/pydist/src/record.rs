//! RECORD: which files a distribution put where, with their hashes and sizes.
//!
//! It is a CSV file of `path,algorithm=digest,size`. Paths are relative to the site directory and
//! may climb out of it with `../`, to the scripts in `bin`; how far they may climb is the caller's
//! decision. Nothing is opened here.

use std::borrow::Cow;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// As written.
    pub path: Cow<'a, str>,
    /// The algorithm and the digest, in URL-safe base64 without padding.
    pub hash: Option<(&'a str, &'a str)>,
    /// In bytes.
    pub size: Option<u64>,
}

/// The lines of a RECORD; empty ones are left out.
pub fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    text.lines().filter(|line| !line.is_empty()).map(entry)
}

fn entry(line: &str) -> Entry<'_> {
    let (path, rest) = match line.strip_prefix('"') {
        Some(quoted) => unquote(quoted),
        None => {
            // A path without quotation marks has no comma, but not every builder knew that.
            let mut fields = line.rsplitn(3, ',');
            let (size, hash) = (fields.next().unwrap_or_default(), fields.next());
            match (fields.next(), hash) {
                (Some(path), Some(hash)) => (
                    Cow::Borrowed(path),
                    &line[line.len() - size.len() - hash.len() - 1..],
                ),
                _ => (Cow::Borrowed(line), ""),
            }
        }
    };
    let (hash, size) = rest.split_once(',').unwrap_or((rest, ""));
    let hash = hash.trim_matches('"').split_once('=');
    Entry {
        path,
        hash: hash.map(|(algorithm, digest)| (algorithm, digest.trim_end_matches('='))),
        size: size.trim_matches('"').parse().ok(),
    }
}

/// A quoted field, in which `""` is one quotation mark, and what follows its comma.
fn unquote(text: &str) -> (Cow<'_, str>, &str) {
    let mut from = 0;
    while let Some(at) = text[from..].find('"') {
        let at = from + at;
        if text[at + 1..].starts_with('"') {
            from = at + 2;
            continue;
        }
        let (field, rest) = (
            &text[..at],
            text[at + 1..].strip_prefix(',').unwrap_or(&text[at + 1..]),
        );
        let field = if field.contains('"') {
            Cow::Owned(field.replace("\"\"", "\""))
        } else {
            Cow::Borrowed(field)
        };
        return (field, rest);
    }
    (Cow::Borrowed(text), "")
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn every_way_to_write_a_line() {
        let text = "a/b.py,sha256=abc_-,12\r\na-1.dist-info/RECORD,,\n\"a,b.py\",sha256=x=,0\n\"q\"\"q\",,\nodd,name.py,sha256=y,1\nalone\n\n";
        let read: Vec<_> = entries(text)
            .map(|e| (e.path.into_owned(), e.hash.map(|h| h.1), e.size))
            .collect();
        let expected = [
            ("a/b.py", Some("abc_-"), Some(12)),
            ("a-1.dist-info/RECORD", None, None),
            ("a,b.py", Some("x"), Some(0)),
            ("q\"q", None, None),
            ("odd,name.py", Some("y"), Some(1)),
            ("alone", None, None),
        ];
        assert_eq!(
            read,
            expected.map(|(path, hash, size)| (path.to_owned(), hash, size))
        );
    }
}
