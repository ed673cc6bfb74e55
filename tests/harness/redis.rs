//! A real redis-server in a temporary directory, on a free port and a unix socket, ended by its
//! pid.
//!
//! It keeps its log and its pid file in its directory, as an installed one does.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Server;

/// A running redis-server; ended when dropped.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    port: u16,
    dir: TempDir,
}

impl Redis {
    /// Starts one and waits until it takes connections.
    pub fn start() -> Redis {
        Redis::start_with("")
    }

    /// The same, with more lines in its configuration.
    pub fn start_with(more: &str) -> Redis {
        let dir = crate::scratch();
        let port = crate::free_port();
        let here = dir.path().display();
        let text = format!(
            "bind 127.0.0.1\nport {port}\nunixsocket {here}/redis.sock\ndir {here}\nlogfile {here}/redis.log\npidfile {here}/redis.pid\nsave \"\"\n{more}"
        );
        std::fs::write(dir.path().join("redis.conf"), text).expect("write redis.conf");
        let program = crate::need("redis-server").expect("redis-server");
        let mut command = Command::new(program);
        let server = Server::start(
            command.arg(dir.path().join("redis.conf")),
            &dir.path().join("output"),
        );
        let redis = Redis { server, port, dir };
        crate::wait_until("redis takes connections", || {
            redis.log().contains("Ready to accept connections")
        });
        redis
    }

    /// Its TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Its directory, with redis.conf, redis.log and redis.pid.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("redis.log")).unwrap_or_default()
    }
}
