//! svc-cycle against the real supervisord.

use harness::supervisor::{self, Supervisor};

#[test]
fn the_harness_ends_what_it_started() {
    if !supervisor::available() {
        return;
    }
    let mut supervisor = Supervisor::start("[program:web]\ncommand = /bin/sleep 600\n");
    supervisor.wait_running(&["web"]);
    let pid = supervisor.pid_of("web").unwrap();
    supervisor.crash();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    drop(supervisor);
    std::thread::sleep(std::time::Duration::from_millis(50));
    let gone = std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
    assert!(gone);
}
