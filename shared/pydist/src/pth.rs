//! `.pth` files: lines that Python's `site` adds to `sys.path`, or executes at every start.
//!
//! They are how a virtual environment leaks, and how a line of somebody else's code runs as whoever
//! starts Python. Here they are read and never obeyed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a line of a `.pth` file does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Adds this path, relative to the site directory if it is not absolute.
    Path(PathBuf),
    /// Is executed.
    Import(String),
}

/// The lines that do something, with their numbers (from 1).
pub fn lines(bytes: &[u8]) -> Vec<(usize, Line)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut out = Vec::new();
    for (index, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let text = line.trim_ascii_end();
        if text.trim_ascii().is_empty() || text.starts_with(b"#") {
            continue;
        }
        let line = if text.starts_with(b"import ") || text.starts_with(b"import\t") {
            Line::Import(String::from_utf8_lossy(text).into_owned())
        } else {
            Line::Path(PathBuf::from(OsStr::from_bytes(text)))
        };
        out.push((index + 1, line));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Line, lines};

    #[test]
    fn comments_and_empty_lines_do_nothing() {
        let read = lines(b"# import os\n\n./lib \r\nimport os; os.system('x')\n");
        assert_eq!(
            read,
            [
                (3, Line::Path("./lib".into())),
                (4, Line::Import("import os; os.system('x')".into()))
            ]
        );
    }
}
