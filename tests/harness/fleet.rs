//! Several hosts on one machine: network namespaces joined by a bridge, each with its own /run, /srv and /usr/local/bin, and an sshd that
//! takes one key. Nothing leaves the bridge. Needs root, as making namespaces does.

use crate::{Server, TempDir, bin, scratch};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Hosts that can be reached over ssh, gone with everything on them when dropped.
#[derive(Debug)]
pub struct Fleet {
    dir: TempDir,
    bridge: String,
    net: String,
    hosts: Vec<Host>,
}

/// One of them.
#[derive(Debug)]
pub struct Host {
    /// Its name in the inventory.
    pub name: String,
    /// Its address on the bridge.
    pub address: String,
    /// What it sees as /srv.
    pub srv: PathBuf,
    namespace: String,
    sshd: Option<Server>,
}

/// Several fleets of one process have different names and addresses.
static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

impl Fleet {
    /// As many hosts as asked for, with the tools installed and sshd answering.
    pub fn up(size: u8) -> Fleet {
        let dir = scratch();
        let id = std::process::id() * 4 + NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let net = format!("10.{}.{}", 200 + id % 50, id / 50 % 250);
        let bridge = format!("rbt{}b", id % 1_000_000);
        ip(&["link", "add", &bridge, "type", "bridge"]);
        let mut fleet = Fleet { dir, bridge, net, hosts: Vec::new() };
        ip(&["addr", "add", &format!("{}.1/24", fleet.net), "dev", &fleet.bridge]);
        ip(&["link", "set", &fleet.bridge, "up"]);
        fleet.keys();
        for number in 1..=size {
            fleet.add(number);
        }
        fleet
    }

    /// The directory that holds it all.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The hosts, in order.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    fn keys(&self) {
        for key in ["client", "host"] {
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(self.dir().join(key)));
        }
        fs::copy(self.dir().join("client.pub"), self.dir().join("authorized")).unwrap();
    }

    fn add(&mut self, number: u8) {
        let namespace = format!("{}-{number}", self.bridge);
        let address = format!("{}.{}", self.net, 10 + number);
        let (outside, root) = (format!("{}{number}", self.bridge), self.dir().join(format!("host{number}")));
        ip(&["netns", "add", &namespace]);
        ip(&["link", "add", &outside, "type", "veth", "peer", "name", "eth0", "netns", &namespace]);
        ip(&["link", "set", &outside, "master", &self.bridge, "up"]);
        ip(&["-n", &namespace, "addr", "add", &format!("{address}/24"), "dev", "eth0"]);
        ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
        ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        for dir in ["srv", "run", "bin"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        for tool in crate::TOOLS {
            fs::copy(bin(tool), root.join("bin").join(tool)).unwrap();
        }
        let conf = self.dir().join("sshd_config");
        let dir = self.dir().display();
        let text = format!(
            "HostKey {dir}/host\nAuthorizedKeysFile {dir}/authorized\nPermitRootLogin prohibit-password\nStrictModes no\nUsePAM no\n\
             PidFile none\nSubsystem sftp internal-sftp\n"
        );
        fs::write(&conf, text).unwrap();
        // ip netns exec gives the shell a mount namespace of its own, so what is mounted here is this host's alone.
        let script = format!(
            "mount --make-rprivate / && mount --bind {0}/run /run && mount --bind {0}/srv /srv && mount --bind {0}/bin /usr/local/bin && \
             mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e -f {1}",
            root.display(),
            conf.display()
        );
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &namespace, "sh", "-c", &script]);
        let sshd = Server::start(&mut command, &root.join("sshd.log"));
        let mut host = Host { name: format!("host{number}"), address, srv: root.join("srv"), namespace, sshd: Some(sshd) };
        let address = format!("{}:22", host.address);
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(&address).is_err() {
            let said = host.sshd.as_ref().unwrap().said();
            assert!(host.sshd.as_mut().unwrap().runs() && began.elapsed().as_secs() < 20, "sshd does not come up: {said}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        self.hosts.push(host);
    }

    /// An inventory of them, for Ansible.
    pub fn inventory(&self) -> PathBuf {
        let mut text = String::from("[web]\n");
        for host in &self.hosts {
            let _ = writeln!(text, "{} ansible_host={}", host.name, host.address);
        }
        let key = self.dir().join("client");
        let _ = write!(
            text,
            "[web:vars]\nansible_user=root\nansible_python_interpreter=/usr/bin/python3\nansible_ssh_private_key_file={}\n\
             ansible_ssh_common_args=-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 \
             -o ServerAliveInterval=2 -o ServerAliveCountMax=2\n",
            key.display()
        );
        let path = self.dir().join("inventory");
        fs::write(&path, text).unwrap();
        path
    }
}

impl Host {
    /// A command in this host's network and file system.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        // `ip netns exec` execs into the shell, which execs into sshd: the server's pid is the host's.
        command.args(["-t", &self.sshd.as_ref().expect("the host is up").pid().to_string(), "-n", "-m"]).args(words);
        command
    }

    /// Runs a shell line there; the test fails if it does.
    pub fn sh(&self, line: &str) -> String {
        run(&mut self.command(&["sh", "-ec", line]))
    }

    /// The processes there, with their argument vectors.
    pub fn processes(&self) -> Vec<(i32, Vec<String>)> {
        let pids = Command::new("ip").args(["netns", "pids", &self.namespace]).output().map(|o| o.stdout).unwrap_or_default();
        let pids = String::from_utf8_lossy(&pids).into_owned();
        let argv = |pid: i32| {
            let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split('\0').map(str::to_string).collect()
        };
        pids.lines().filter_map(|l| l.trim().parse().ok()).map(|pid| (pid, argv(pid))).collect()
    }

    /// The host is lost: its network is gone.
    pub fn lose(&self) {
        ip(&["-n", &self.namespace, "link", "set", "eth0", "down"]);
    }

    /// It is back.
    pub fn find(&self) {
        ip(&["-n", &self.namespace, "link", "set", "eth0", "up"]);
    }

    fn end(&mut self) {
        // Everything that runs there, by its pid, while the namespace still has a name.
        for (pid, _) in self.processes() {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        self.sshd = None;
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            host.end();
        }
        for host in &self.hosts {
            let _ = Command::new("ip").args(["netns", "del", &host.namespace]).status();
        }
        let _ = Command::new("ip").args(["link", "del", &self.bridge]).status();
    }
}

fn ip(words: &[&str]) {
    run(Command::new("ip").args(words));
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}\nnetwork namespaces need root (SKIP_SERVERS=1 leaves such tests out)");
    String::from_utf8_lossy(&done.stdout).into_owned()
}
