//! The list that is followed: a live site of nginx and supervisor, `log-paths -0 … | xargs -0r tail
//! -F`, and lines arriving.

use super::nginx;
use harness::supervisor::{Supervisor, available};
use harness::{Server, bin, wait_until};
use std::io::{Read, Write};
use std::process::Command;

#[test]
fn every_log_is_followed() {
    let main = "user www-data; error_log logs/e.log; http { @TEMP@ server { listen unix:@DIR@/n.sock; access_log \"logs/a b.log\"; } }";
    let (Some(running), true) = (nginx::start(main, &[]), available()) else {
        return;
    };
    let supervisor = Supervisor::start(
        "[program:tick]\ncommand = /bin/sh -c 'while :; do echo tick; sleep 0.1; done'\nstdout_logfile = %(here)s/tick.log\n",
    );
    supervisor.wait_running(&["tick"]);
    let said = harness::scratch();
    let conf = format!(
        "--conf nginx={}/nginx.conf --conf supervisor={}",
        running.dir.path().display(),
        supervisor.config().display()
    );
    let script = format!(
        "{} -0 {conf} nginx supervisor | xargs -0r tail -n +1 -F",
        bin("log-paths").display()
    );
    let tail = Server::start(
        Command::new("sh").args(["-c", &script]),
        &said.path().join("out"),
    );
    wait_until("tail follows what the program prints", || {
        tail.said().contains("tick\ntick")
    });
    let mut socket =
        std::os::unix::net::UnixStream::connect(running.dir.path().join("n.sock")).unwrap();
    socket
        .write_all(b"GET /asked-for HTTP/1.0\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    wait_until("tail follows nginx's log", || {
        tail.said().contains("GET /asked-for")
    });
    for name in ["a b.log", "e.log", "tick.log", "supervisord.log"] {
        assert!(tail.said().contains(name), "{}", tail.said());
    }
}
