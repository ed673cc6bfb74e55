//! The one place that writes to the standard streams.

use crate::error::{Error, Kind, Result};
use crate::terminal;
use std::io::Write as _;
use std::time::Duration;

/// Writes to standard output. A reader that has gone away is no error: what was done stays done,
/// and its exit code with it.
///
/// # Errors
/// `Kind::Io` for every other failure: a full disk.
pub fn emit(bytes: &[u8]) -> Result<()> {
    // `io::stdout` buffers by line and would write the rest at exit, where an error is lost:
    // straight to the descriptor.
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), rest) {
            Ok(0) => {
                return Err(Error::new(
                    Kind::Io,
                    "cannot write the report: standard output takes no bytes",
                ));
            }
            Ok(n) => rest = &rest[n..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::PIPE) => return Ok(()),
            Err(rustix::io::Errno::AGAIN) => std::thread::sleep(Duration::from_millis(1)),
            Err(e) => return Err(Error::io("cannot write the report", &e.into())),
        }
    }
    Ok(())
}

/// An error as people read it, on standard error.
pub fn complain(name: &str, error: &Error) {
    let shown = |text: &str| terminal::escape_lines(&crate::mask::shown(text));
    let mut text = format!("{name}: {}\n", shown(&error.message));
    if let Some(hint) = &error.hint {
        text += &format!("hint: {}\n", shown(hint));
    }
    say(&text);
}

/// A line of progress or a note, on standard error. Nothing can be done if that fails.
pub fn say(text: &str) {
    let text = crate::mask::registered(text);
    let _ = std::io::stderr().write_all(text.as_bytes());
}
