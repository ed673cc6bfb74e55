//! A real nginx: unprivileged, in a directory of its own, on a free port, ended by its pid.
//!
//! Run as root the whole server becomes `www-data`, so that file modes mean in the tests what
//! they mean on a site. A server that does not come up fails the test with nginx's own words.

use crate::free_port;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What is to be in the configuration; [`Nginx::new`] begins it.
#[derive(Default)]
pub struct Builder {
    http: String,
    servers: Vec<String>,
    default: Option<String>,
}

/// A running nginx; ended when dropped.
pub struct Nginx {
    dir: TempDir,
    process: Child,
    ports: Vec<u16>,
}

impl Nginx {
    /// An empty configuration, to be filled and started.
    #[allow(clippy::new_ret_no_self)]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// One server block with this content, running.
    pub fn serving(server: &str) -> Nginx {
        Nginx::new().server(server).start()
    }

    /// The port of the first server block.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// The ports of all server blocks, in order.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// `path` on the first server block.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// The directory with its configuration and logs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The configuration file it runs from.
    pub fn conf(&self) -> PathBuf {
        self.dir.path().join("nginx.conf")
    }

    /// What it has logged as errors so far.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.dir.path().join("error.log")).unwrap_or_default()
    }

    /// The master's pid.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Builder {
    /// Lines for the http block, before the servers.
    pub fn http(mut self, lines: &str) -> Builder {
        self.http.push_str(lines);
        self.http.push('\n');
        self
    }

    /// One more server block: its content without `listen`. `@PORTn@` is the n-th block's port.
    pub fn server(mut self, content: &str) -> Builder {
        self.servers.push(content.to_owned());
        self
    }

    /// As [`Builder::start`], with one more block on the first port that answers for every other
    /// name.
    pub fn start_with_default(mut self, content: &str) -> Nginx {
        self.default = Some(content.to_owned());
        self.start()
    }

    /// Starts it and waits until it answers. A port somebody took meanwhile is exchanged.
    pub fn start(self) -> Nginx {
        let mut words = String::new();
        for _ in 0..5 {
            let dir = tempfile::Builder::new()
                .prefix("nginx-")
                .tempdir()
                .expect("a directory");
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
            let ports: Vec<u16> = self.servers.iter().map(|_| free_port()).collect();
            fs::write(
                dir.path().join("nginx.conf"),
                self.configuration(dir.path(), &ports),
            )
            .expect("nginx.conf");
            let mut process = spawn(dir.path());
            match wait_until_up(&mut process, &ports) {
                true => {
                    return Nginx {
                        dir,
                        process,
                        ports,
                    };
                }
                false => {
                    end(&mut process);
                    words = fs::read_to_string(dir.path().join("stderr")).unwrap_or_default();
                    words += &fs::read_to_string(dir.path().join("error.log")).unwrap_or_default();
                }
            }
        }
        panic!("nginx did not come up:\n{words}");
    }

    fn configuration(&self, dir: &Path, ports: &[u16]) -> String {
        let dir = dir.display();
        let mut text = format!(
            "daemon off;\nworker_processes 2;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log warn;\n\
             events {{ worker_connections 1024; }}\nhttp {{\n\
             access_log off;\ndefault_type text/plain;\n\
             client_body_temp_path {dir}/t1;\nproxy_temp_path {dir}/t2;\nfastcgi_temp_path {dir}/t3;\n\
             uwsgi_temp_path {dir}/t4;\nscgi_temp_path {dir}/t5;\n{}\n",
            self.http
        );
        for (content, port) in self.servers.iter().zip(ports) {
            text += &format!("server {{\nlisten 127.0.0.1:{port};\n{content}\n}}\n");
        }
        if let (Some(content), Some(port)) = (&self.default, ports.first()) {
            text += &format!("server {{\nlisten 127.0.0.1:{port} default_server;\n{content}\n}}\n");
        }
        text.push_str("}\n");
        for (number, port) in ports.iter().enumerate() {
            text = text.replace(&format!("@PORT{}@", number + 1), &port.to_string());
        }
        text
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// The user a server takes when the tests run as root: www-data, as on Debian.
pub const WWW_DATA: u32 = 33;

fn spawn(dir: &Path) -> Child {
    let log = fs::File::create(dir.join("stderr")).expect("a log");
    let mut command = Command::new("nginx");
    command
        .arg("-c")
        .arg(dir.join("nginx.conf"))
        .arg("-p")
        .arg(dir)
        .args(["-e", &dir.join("error.log").display().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    if nix::unistd::geteuid().is_root() {
        chown(dir, Some(WWW_DATA), Some(WWW_DATA)).expect("the directory's owner");
        command.uid(WWW_DATA).gid(WWW_DATA);
    }
    command
        .spawn()
        .expect("nginx (is it installed? tests/setup.sh installs it)")
}

fn wait_until_up(process: &mut Child, ports: &[u16]) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if process.try_wait().expect("nginx's state").is_some() {
            return false;
        }
        if ports
            .iter()
            .all(|&port| TcpStream::connect(("127.0.0.1", port)).is_ok())
        {
            return true;
        }
        sleep(Duration::from_millis(10));
    }
    false
}

/// TERM, and KILL after three seconds; only ever the process started here.
fn end(process: &mut Child) {
    let pid = nix::unistd::Pid::from_raw(process.id() as i32);
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    let deadline = Instant::now() + Duration::from_secs(3);
    while Instant::now() < deadline {
        if !matches!(process.try_wait(), Ok(None)) {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    let _ = process.kill();
    let _ = process.wait();
}
