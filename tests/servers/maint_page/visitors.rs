//! What visitors meet while the page is switched, and who is let past it.

use super::crowd::{Crowd, Tally, whole_page};
use super::site::{Answer, Site, ask, ask_on};
use std::net::TcpStream;
use std::time::Duration;

/// Flips under a crowd, some of whom ask for paths that are let past the page all the while: every
/// answer is the site's or the whole page, and none is missing. The long form is 100 flips under 64
/// connections.
pub fn loses_nothing(site: &Site, port: u16) {
    let tally = flips(site, port);
    assert_eq!(
        tally.renewed, 0,
        "the server dropped kept connections: {tally:?}"
    );
}

/// The same, where the server may close connections that it has kept.
pub fn flips(site: &Site, port: u16) -> Tally {
    // So many visitors without a pause would leave no processor for the flips.
    let (flips, visitors, pause) = match harness::full_sweep() {
        true => (100, 64, Duration::from_millis(10)),
        false => (12, 16, Duration::ZERO),
    };
    let allowed = ["/healthz", "/healthz", "/hooks/pay", "/hooks/a/b"];
    let crowd = Crowd::with_allowed(port, visitors, &allowed, pause, whole_page);
    for n in 0..flips {
        site.tool("on")
            .args([
                "--message",
                &format!("Round {n}. {}", "x".repeat(n % 12 * 40)),
            ])
            .run()
            .expect_code(0);
        site.tool("on")
            .args(["--message", "Said otherwise."])
            .run()
            .expect_code(0);
        site.tool("off").run().expect_code(0);
    }
    let tally = crowd.leave();
    eprintln!("{flips} flips, {visitors} connections: {tally:?}");
    assert_eq!(tally.wrong, 0, "{tally:?}");
    assert!(
        tally.site > 0 && tally.page > 0 && tally.past > 0,
        "{tally:?}"
    );
    tally
}

/// Allowed paths and networks reach the site while the page is up, and nothing else does; `verify`
/// tells the one from the other.
pub fn lets_past(site: &Site, port: u16) {
    let up = |path: &str| {
        (
            ask(port, "GET", path, &[]).status,
            ask(port, "POST", path, &[]).status,
        )
    };
    site.tool("on").run().expect_code(0);
    for path in ["/healthz", "/hooks/pay"] {
        assert_eq!(up(path), (200, 200), "{path}");
    }
    for path in [
        "/",
        "/healthz/x",
        "/healthzz",
        "/hooks",
        "/Healthz",
        "/x/healthz",
        "/hooks/../admin",
    ] {
        assert_eq!(up(path), (503, 503), "{path}");
    }
    let from = ask_from("127.0.0.7", port, "/", &[]);
    assert_eq!(from.status, 200, "the allowed address");
    assert_eq!(
        ask_from("127.0.0.8", port, "/", &[]).status,
        503,
        "another address"
    );
    let verify = |path: &str| {
        site.tool("verify")
            .args([
                "--on",
                "--within",
                "50ms",
                &format!("http://127.0.0.1:{port}{path}"),
            ])
            .run()
    };
    verify("/").expect_code(0);
    let past = verify("/healthz").expect_code(1).json();
    assert_eq!(past["verified"][0]["cause"], "let_past", "{past}");
    site.tool("off").run().expect_code(0);
    assert_eq!(up("/"), (200, 200));
    let off = verify("/").expect_code(1).json();
    assert_ne!(off["verified"][0]["cause"], "let_past", "{off}");
}

/// The proxy's word counts, and nobody else's: not what a client writes into the header before the
/// proxy adds the client's address, nor the header of a client that comes without the proxy.
pub fn believes_the_proxy_alone(site: &Site, port: u16) {
    site.tool("on").run().expect_code(0);
    for (peer, forwarded, status) in [
        ("127.0.0.1", "2001:db8::5", 200),
        ("127.0.0.1", "192.0.2.7", 200),
        ("127.0.0.1", "192.0.2.8", 503),
        ("127.0.0.1", "2001:db9::5", 503),
        ("127.0.0.1", "192.0.2.7, 203.0.113.9", 503),
        ("127.0.0.1", "203.0.113.9, 192.0.2.7", 200),
        ("127.0.0.8", "192.0.2.7", 503),
        ("127.0.0.8", "2001:db8::5", 503),
    ] {
        let header = format!("X-Forwarded-For: {forwarded}");
        assert_eq!(
            ask_from(peer, port, "/", &[&header]).status,
            status,
            "{peer} with {forwarded}"
        );
    }
    assert_eq!(ask(port, "GET", "/", &[]).status, 503, "the proxy itself");
    site.tool("off").run().expect_code(0);
}

/// A request from one of this machine's loopback addresses.
pub fn ask_from(address: &str, port: u16, path: &str, headers: &[&str]) -> Answer {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
    use std::os::fd::AsRawFd;
    let fd = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::empty(),
        None,
    )
    .unwrap();
    let from: std::net::SocketAddrV4 = format!("{address}:0").parse().unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::from(from)).unwrap();
    let to: std::net::SocketAddrV4 = format!("127.0.0.1:{port}").parse().unwrap();
    connect(fd.as_raw_fd(), &SockaddrIn::from(to)).unwrap();
    ask_on(TcpStream::from(fd), "GET", path, headers)
}
