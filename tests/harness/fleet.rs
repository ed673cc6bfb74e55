//! Several hosts on one machine: each has its own network and processes, its own /dev, /root, /run,
//! /srv and /tmp, /etc, /usr and /var laid over the machine's, and an sshd that takes one key.
//! Nothing leaves the machine. A host is its namespaces, and they are its first process's: it is
//! gone with that, and that with the test, however the test ends. Needs root, as making namespaces
//! does.

use crate::{Server, TempDir, bin, process, scratch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Hosts that can be reached over ssh, gone with everything on them when dropped.
#[derive(Debug)]
pub struct Fleet {
    hosts: Vec<Host>,
    dir: TempDir,
    id: u32,
}

/// One of them.
#[derive(Debug)]
pub struct Host {
    /// Its name in the inventory.
    pub name: String,
    /// Its address.
    pub address: String,
    /// What it sees as /srv.
    pub srv: PathBuf,
    first: i32,
    keeper: Server,
}

/// Several fleets of one process have different names and addresses.
static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// What a host has of its own over what the machine has, in memory.
const LAID_OVER: [&str; 3] = ["etc", "usr", "var"];

/// What a host has of its own, empty at first, with its directory's name.
const OWN: [(&str, &str); 4] = [
    ("srv", "/srv"),
    ("run", "/run"),
    ("bin", "/usr/local/bin"),
    ("home", "/root"),
];

impl Fleet {
    /// As many hosts as asked for, with the tools installed and sshd answering.
    pub fn up(size: u8) -> Fleet {
        Fleet::sharing(size, &[])
    }

    /// The same; the hosts see these temporary directories of ours, too.
    pub fn sharing(size: u8, shared: &[&Path]) -> Fleet {
        let id = std::process::id() * 4 + NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut fleet = Fleet {
            hosts: Vec::new(),
            dir: scratch(),
            id,
        };
        for key in ["client", "host"] {
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(fleet.dir().join(key)));
        }
        fs::copy(
            fleet.dir().join("client.pub"),
            fleet.dir().join("authorized"),
        )
        .unwrap();
        fs::write(fleet.dir().join("sshd_config"), fleet.sshd_config()).unwrap();
        for number in 1..=size {
            fleet.add(number, shared);
        }
        for host in &mut fleet.hosts {
            host.answers();
        }
        fleet
    }

    /// The directory that holds it all; the hosts see it by the same name.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The hosts, in order.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    fn sshd_config(&self) -> String {
        let dir = self.dir().display();
        format!(
            "HostKey {dir}/host\nAuthorizedKeysFile {dir}/authorized\nPermitRootLogin prohibit-password\nStrictModes no\nUsePAM no\n\
             PidFile none\nUseDNS no\nSubsystem sftp internal-sftp\n"
        )
    }

    fn add(&mut self, number: u8, shared: &[&Path]) {
        let id = self.id;
        // A cable for each host; four addresses are the smallest network.
        let address = |last: u8| {
            format!(
                "10.{}.{}.{}",
                200 + id % 50,
                id / 50 % 250,
                number * 4 + last
            )
        };
        let root = self.dir().join(format!("host{number}"));
        for (dir, _) in OWN {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        for tool in crate::TOOLS {
            crate::copy_program(&bin(tool), &root.join("bin").join(tool));
        }
        let script = self.script(&root, &address(2), shared);
        let options = ["--net", "--mount", "--mount-proc"];
        let keeper = Server::start(
            process::contained(&options, "sh").args(["-ec", &script]),
            &root.join("sshd.log"),
        );
        let first = process::first_contained(&keeper);
        let mut host = Host {
            name: format!("host{number}"),
            address: address(2),
            srv: root.join("srv"),
            first,
            keeper,
        };
        let cable = format!("rbt{}h{number}", id % 1_000_000);
        host.alive();
        ip(&[
            "link",
            "add",
            &cable,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            &first.to_string(),
        ]);
        ip(&["addr", "add", &format!("{}/30", address(1)), "dev", &cable]);
        ip(&["link", "set", &cable, "up"]);
        self.hosts.push(host);
    }

    /// What makes a host of the new namespaces, and ends as its sshd.
    fn script(&self, root: &Path, address: &str, shared: &[&Path]) -> String {
        let (dir, root) = (self.dir(), root.display());
        let tmp = dir.parent().expect("a temporary directory");
        let mut script = format!(
            "mount --make-rprivate /\nmkdir -p {root}/over {root}/dev {root}/tmp\nchmod 1777 {root}/tmp\n"
        );
        script += &format!("mount -t tmpfs none {root}/over\n");
        for laid in LAID_OVER {
            let over = format!("{root}/over/{laid}");
            script += &format!(
                "mkdir -p {over}/up {over}/work\n\
                 mount -t overlay none -o lowerdir=/{laid},upperdir={over}/up,workdir={over}/work /{laid}\n"
            );
        }
        for shown in shared.iter().copied().chain([dir]) {
            let place = format!(
                "{root}/tmp/{}",
                shown
                    .strip_prefix(tmp)
                    .expect("a temporary directory")
                    .display()
            );
            script += &format!(
                "mkdir -p {place}\nmount --rbind {} {place}\n",
                shown.display()
            );
        }
        // A /dev without the machine's /dev/log.
        script += &format!(
            "mount -t tmpfs -o mode=755 none {root}/dev\nmkdir {root}/dev/pts {root}/dev/shm\n\
             for node in null zero full random urandom tty; do : >{root}/dev/$node; mount --bind /dev/$node {root}/dev/$node; done\n\
             ln -s /proc/self/fd {root}/dev/fd\nmount -t devpts -o newinstance,ptmxmode=0666 none {root}/dev/pts\n\
             ln -s pts/ptmx {root}/dev/ptmx\nmount --move {root}/dev /dev\n"
        );
        for (own, path) in OWN {
            script += &format!("mount --bind {root}/{own} {path}\n");
        }
        script
            + &format!(
                "mount --rbind {root}/tmp {}\nmkdir -p /run/sshd /run/lock\nip link set lo up\n\
                 until ip addr add {address}/30 dev eth0 2>/dev/null; do sleep 0.02; done\nip link set eth0 up\n\
                 exec /usr/sbin/sshd -D -e -f {}/sshd_config\n",
                tmp.display(),
                dir.display()
            )
    }

    /// Options of ssh for whoever goes to these hosts.
    pub fn ssh_options(&self) -> String {
        format!(
            "-i {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 -o ServerAliveInterval=2 \
             -o ServerAliveCountMax=2 -o LogLevel=ERROR",
            self.dir().join("client").display()
        )
    }

    /// An inventory of them, for Ansible.
    pub fn inventory(&self) -> PathBuf {
        let mut text = String::from("[web]\n");
        for host in &self.hosts {
            let _ = writeln!(text, "{} ansible_host={}", host.name, host.address);
        }
        let python = "ansible_python_interpreter=/usr/bin/python3";
        let _ = write!(
            text,
            "[web:vars]\nansible_user=root\n{python}\nansible_ssh_common_args={}\n",
            self.ssh_options()
        );
        let path = self.dir().join("inventory");
        fs::write(&path, text).unwrap();
        path
    }
}

impl Host {
    /// A command in this host's namespaces.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.first.to_string(), "-n", "-m", "-p", "--"])
            .args(words);
        command
    }

    /// Runs a shell line there; the test fails if it does.
    pub fn sh(&self, line: &str) -> String {
        run(&mut self.command(&["sh", "-ec", line]))
    }

    /// A path of the host's, as this side sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.first))
    }

    /// The processes there, by our pids, with their argument vectors.
    pub fn processes(&self) -> Vec<(i32, Vec<String>)> {
        let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = space(self.first);
        let argv = |pid: i32| {
            let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split('\0').map(str::to_string).collect()
        };
        let all = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        all.filter(|pid| own.is_some() && space(*pid) == own)
            .map(|pid| (pid, argv(pid)))
            .collect()
    }

    /// The host is lost: its network is gone.
    pub fn lose(&self) {
        self.sh("ip link set eth0 down");
    }

    /// It is back.
    pub fn find(&self) {
        self.sh("ip link set eth0 up");
    }

    fn alive(&mut self) {
        let said = self.keeper.said();
        assert!(self.keeper.runs(), "{} does not come up: {said}", self.name);
    }

    fn answers(&mut self) {
        let address = format!("{}:22", self.address);
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(&address).is_err() {
            self.alive();
            assert!(
                began.elapsed().as_secs() < 20,
                "{}: sshd does not answer: {}",
                self.name,
                self.keeper.said()
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.keeper.runs() {
            let _ = kill(Pid::from_raw(self.first), Signal::SIGKILL);
        }
    }
}

fn ip(words: &[&str]) {
    run(Command::new("ip").args(words));
}

fn run(command: &mut Command) -> String {
    let done = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "{command:?}: {said}\nnamespaces need root (SKIP_SERVERS=1 leaves such tests out)"
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}
