//! Free ports, and waiting for something to become true.

use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A port on 127.0.0.1 that nothing listens on at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port()
}

/// Waits until `so` says yes; fails the test, naming `what`, after 20 s.
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}: still not so after 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}
