//! Free ports, and waiting for something to become true.

use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A port on 127.0.0.1 that nothing listens on at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("its address")
        .port()
}

/// Waits until `so` says yes; fails the test, naming `what`, after 20 s.
pub fn wait_until(what: &str, so: impl FnMut() -> bool) {
    wait_for(Duration::from_secs(20), what, so);
}

/// As [`wait_until`], for something that takes its time.
pub fn wait_for(limit: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(
            began.elapsed() < limit,
            "{what}: still not so after {limit:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
