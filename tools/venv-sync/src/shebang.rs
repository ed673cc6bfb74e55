//! The first lines of a script: which interpreter starts it, and the same script in another
//! environment. Read as the kernel reads `#!`, and as pip, uv and setuptools write it: a path, or
//! `/bin/sh` and an `exec` line where the path is too long or has a space.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The interpreter that a script names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Starts {
    /// This file.
    Program(PathBuf),
    /// The interpreter beside the script, wherever that is.
    Beside,
    /// Whatever `env` finds.
    OnPath(String),
}

/// The interpreter of a script; `None` for what is no script.
pub fn interpreter(head: &[u8]) -> Option<Starts> {
    let first = head.split(|byte| *byte == b'\n').next()?;
    let words = first.strip_prefix(b"#!")?.trim_ascii();
    let end = words
        .iter()
        .position(|byte| byte.is_ascii_whitespace())
        .unwrap_or(words.len());
    let program = Path::new(OsStr::from_bytes(&words[..end]));
    let rest = words[end..].trim_ascii();
    if program == Path::new("/usr/bin/env") {
        let name = rest.split(|byte| *byte == b' ').next()?;
        return Some(Starts::OnPath(String::from_utf8_lossy(name).into_owned()));
    }
    if program == Path::new("/bin/sh") {
        if let Some(range) = executed(head) {
            return Some(Starts::Program(PathBuf::from(OsStr::from_bytes(
                &head[range],
            ))));
        }
        let second = head.split(|byte| *byte == b'\n').nth(1)?;
        let relative = second.starts_with(b"'''exec'") && find(second, b"dirname").is_some();
        if relative {
            return Some(Starts::Beside);
        }
    }
    Some(Starts::Program(program.to_owned()))
}

/// Where the path stands in `'''exec' "/path/python" "$0" "$@"`.
fn executed(head: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = head.iter().position(|byte| *byte == b'\n')? + 1;
    let line = head[start..].split(|byte| *byte == b'\n').next()?;
    let rest = line.strip_prefix(b"'''exec' ")?;
    let at = start + line.len() - rest.len();
    let (open, close) = match rest.first()? {
        quote @ (b'"' | b'\'') => (1, rest[1..].iter().position(|byte| byte == quote)? + 1),
        _ => (0, rest.iter().position(|byte| *byte == b' ')?),
    };
    let path = &rest[open..close];
    path.starts_with(b"/").then_some(at + open..at + close)
}

/// The script with its interpreter in `to` in place of one of `old`; `None` where it names none of
/// them.
pub fn moved(script: &[u8], old: &[PathBuf], to: &Path) -> Option<Vec<u8>> {
    let Some(Starts::Program(_)) = interpreter(script) else {
        return None;
    };
    let range = executed(script).or_else(|| {
        let line = script.split(|byte| *byte == b'\n').next()?;
        let start = line.iter().position(|byte| *byte == b'/')?;
        let end = line[start..]
            .iter()
            .position(|byte| byte.is_ascii_whitespace())
            .map_or(line.len(), |at| start + at);
        Some(start..end)
    })?;
    let program = Path::new(OsStr::from_bytes(&script[range.clone()]));
    let inside = old.iter().find_map(|old| program.strip_prefix(old).ok())?;
    // Every builder of scripts names the environment's interpreter `python` or `python3`.
    let new = to.join(inside);
    let mut out = script[..range.start].to_vec();
    out.extend_from_slice(new.as_os_str().as_bytes());
    out.extend_from_slice(&script[range.end..]);
    Some(out)
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, needle)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Starts, interpreter, moved};
    use std::path::{Path, PathBuf};

    #[test]
    fn every_form_that_installers_write() {
        let program = |path: &str| Some(Starts::Program(path.into()));
        for (head, starts) in [
            (
                "#!/srv/venv/bin/python\nimport x\n",
                program("/srv/venv/bin/python"),
            ),
            (
                "#!/srv/venv/bin/python3 -I\n",
                program("/srv/venv/bin/python3"),
            ),
            (
                "#!/bin/sh\n'''exec' \"/srv/my venv/bin/python\" \"$0\" \"$@\"\n' '''\n",
                program("/srv/my venv/bin/python"),
            ),
            (
                "#!/bin/sh\n'''exec' '/srv/my venv/bin/python' \"$0\" \"$@\"\n' '''\n",
                program("/srv/my venv/bin/python"),
            ),
            (
                "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n",
                Some(Starts::Beside),
            ),
            (
                "#!/usr/bin/env python3\n",
                Some(Starts::OnPath("python3".into())),
            ),
            ("#!/bin/sh\necho\n", program("/bin/sh")),
            ("\x7fELF", None),
            ("", None),
        ] {
            assert_eq!(interpreter(head.as_bytes()), starts, "{head}");
        }
    }

    #[test]
    fn a_script_moves_with_its_environment() {
        let old = [PathBuf::from("/a/venv")];
        let to = |text: &str| {
            moved(text.as_bytes(), &old, Path::new("/b/new"))
                .map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(
            to("#!/a/venv/bin/python3 -I\nx\n").unwrap(),
            "#!/b/new/bin/python3 -I\nx\n"
        );
        assert_eq!(
            to("#!/bin/sh\n'''exec' \"/a/venv/bin/python\" \"$0\" \"$@\"\n' '''\nx\n").unwrap(),
            "#!/bin/sh\n'''exec' \"/b/new/bin/python\" \"$0\" \"$@\"\n' '''\nx\n"
        );
        assert_eq!(to("#!/usr/bin/python3\n"), None);
        assert_eq!(to("no script"), None);
    }
}
