//! Standard output that is gone or full, arguments that are not text, limits that strike: never a
//! panic, never a wrong code.

use crate::sample;
use harness::{bin, tool};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

#[test]
fn a_reader_that_went_away_does_not_change_what_was_done() {
    for sample in sample::all() {
        let mut tool = sample.tool();
        let command = tool.command().stdin(Stdio::null()).stderr(Stdio::piped());
        let (reader, writer) = nix::unistd::pipe().unwrap();
        drop(reader);
        let done = command.stdout(writer).output().unwrap();
        assert_eq!(
            done.status.code(),
            Some(0),
            "{}: {}",
            sample.name,
            String::from_utf8_lossy(&done.stderr)
        );
        assert!(
            done.stderr.is_empty(),
            "{}: {}",
            sample.name,
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

#[test]
fn a_full_disk_under_standard_output_is_a_failure() {
    for sample in sample::all() {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut tool = sample.tool();
        let done = tool
            .command()
            .stdin(Stdio::null())
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(3), "{}", sample.name);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            said.contains("cannot write the report: No space left on device"),
            "{}: {said}",
            sample.name
        );
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn help_into_a_full_disk_is_a_failure_too() {
    for name in harness::TOOLS {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let done = Command::new(bin(name))
            .arg("--help")
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(3), "{name}");
    }
}

#[test]
fn a_file_size_limit_is_an_error_like_others() {
    for sample in sample::all() {
        let dir = harness::scratch();
        let journal = dir.path().join("journal");
        let mut tool = sample.with(&["--journal", journal.to_str().unwrap()]);
        let program = tool.command().get_program().to_owned();
        let args: Vec<_> = tool.command().get_args().map(OsStr::to_owned).collect();
        let done = Command::new("sh")
            .args(["-c", "ulimit -f 0; exec \"$@\"", "sh"])
            .arg(program)
            .args(args)
            .output()
            .unwrap();
        assert_eq!(
            done.status.code(),
            Some(3),
            "{}: {}",
            sample.name,
            String::from_utf8_lossy(&done.stderr)
        );
        assert!(
            String::from_utf8_lossy(&done.stderr).contains("cannot write the journal"),
            "{}",
            sample.name
        );
        assert_eq!(
            std::fs::read(&journal).unwrap(),
            b"",
            "{}: half a line",
            sample.name
        );
    }
}

#[test]
fn arguments_that_are_not_text_are_named_and_refused() {
    for name in harness::TOOLS {
        let bad = OsStr::from_bytes(b"--output=\xff\xfe");
        let done = tool(name).arg(bad).run().expect_code(2).expect_silence();
        assert!(
            done.err().starts_with(&format!("{name}: ")),
            "{}",
            done.err()
        );
        let done = tool(name)
            .arg(OsStr::from_bytes(b"--\xff\x1b[31m"))
            .run()
            .expect_code(2)
            .expect_silence();
        assert!(
            !done.err().contains('\x1b'),
            "{name}: a control byte reached the terminal: {:?}",
            done.err()
        );
        let done = tool(name)
            .arg(OsStr::from_bytes(b"\xff\xff"))
            .run()
            .expect_silence();
        assert!(
            [1, 2, 3].contains(&done.code()) && !done.err().contains("panicked"),
            "{name}: {} {}",
            done.code(),
            done.err()
        );
    }
}
