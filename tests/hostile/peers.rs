//! What several attacks need: peers that never answer, environments, and how long a run may take.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A timeout of two seconds, the second that a run may take to notice, and what a loaded machine
/// takes to start programs.
pub const MOST: Duration = Duration::from_secs(6);

/// A server whose queue is full.
pub const WEDGED: &str = "
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
c = socket.socket(socket.AF_UNIX)
c.connect(sys.argv[1])
print('.', flush=True)
time.sleep(600)
";

/// A process that holds the lock of a file.
pub const HOLDER: &str = "
import fcntl, os, sys, time
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(f, fcntl.LOCK_EX)
print('.', flush=True)
time.sleep(600)
";

/// A script with its argument, once the script is ready.
pub fn helper(script: &str, path: &Path) -> Child {
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child
}

/// Ends a child, and collects it.
pub fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// An environment of Python's without pip.
pub fn venv(path: &Path) {
    let made = Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
}
