//! A real gunicorn from the test's Python environment, serving a WSGI application of a few lines.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Server;

/// An application that answers 200 and `ok` to everything.
pub const OK: &str = "def app(environ, start):\n    start('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '3')])\n    return [b'ok\\n']\n";

/// A running gunicorn master and its workers; ended when dropped.
#[derive(Debug)]
pub struct Gunicorn {
    server: Server,
    port: u16,
    dir: TempDir,
}

impl Gunicorn {
    /// Serves `source`'s `app`, a module written as web.py, with these further arguments.
    pub fn start(source: &str, arguments: &[&str]) -> Gunicorn {
        let dir = crate::scratch();
        let port = crate::free_port();
        std::fs::write(dir.path().join("web.py"), source).expect("write web.py");
        let mut command = Command::new(crate::test_venv().join("bin/gunicorn"));
        command
            .args(["--bind", &format!("127.0.0.1:{port}"), "--pid"])
            .arg(dir.path().join("gunicorn.pid"))
            .args(arguments)
            .arg("web:app")
            .current_dir(dir.path())
            .env("HOME", dir.path());
        let server = Server::start(&mut command, &dir.path().join("gunicorn.log"));
        let gunicorn = Gunicorn { server, port, dir };
        crate::wait_until("gunicorn takes connections", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        gunicorn
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The master's pid.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Its directory, with web.py, gunicorn.pid and gunicorn.log.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What the master and its workers have said.
    pub fn log(&self) -> String {
        self.server.said()
    }
}
