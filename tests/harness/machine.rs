//! A small machine of the test's own: this file system under an overlay, its own processes, network
//! and init.
//!
//!     let machine = Machine::with_systemd()?;     // a real systemd, booted in about a second
//!     let machine = Machine::with_plain_init()?;  // a stub init: init scripts run as on a machine without systemd
//!
//! systemd-nspawn needs root, and a host that lets it mount; where it cannot, the test fails unless
//! SKIP_SERVERS=1.

use crate::{Tool, bin, need, tool};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running machine; dropping it ends it and takes its mounts and groups away.
#[derive(Debug)]
pub struct Machine {
    dir: TempDir,
    group: PathBuf,
    nspawn: Child,
    init: i32,
}

impl Machine {
    /// With a real systemd as its first process, up and running.
    pub fn with_systemd() -> Option<Machine> {
        Machine::with_systemd_and(&[])
    }

    /// The same, with further options of systemd-nspawn, such as `--bind-ro=FROM:TO`.
    pub fn with_systemd_and(options: &[&str]) -> Option<Machine> {
        let machine = Machine::start(
            &[options, &["--boot"]].concat(),
            &["systemd.unit=multi-user.target"],
        )?;
        let began = Instant::now();
        loop {
            let said = machine.run(&["systemctl", "is-system-running", "--wait"]);
            let word = String::from_utf8_lossy(&said.stdout).trim().to_string();
            if word == "running" || word == "degraded" {
                return Some(machine);
            }
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "systemd does not come up: {word}\n{}",
                machine.console()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// With a first process that only collects the others: no systemd anywhere.
    pub fn with_plain_init() -> Option<Machine> {
        Machine::with_plain_init_and(&[])
    }

    /// The same, with further options of systemd-nspawn.
    pub fn with_plain_init_and(options: &[&str]) -> Option<Machine> {
        Machine::start(
            &[options, &["--as-pid2"]].concat(),
            &["/bin/sleep", "infinity"],
        )
    }

    fn start(options: &[&str], command: &[&str]) -> Option<Machine> {
        let nspawn = need("systemd-nspawn")?;
        need("nsenter")?;
        if !crate::need_root() {
            return None;
        }
        let dir = crate::scratch();
        prepare(dir.path());
        let group = cgroup_root().join(name(dir.path()));
        fs::create_dir(&group).expect("a control group");
        let console = fs::File::create(dir.path().join("console")).expect("a console");
        let root = dir.path().join("tree/root");
        let child = Command::new("/bin/sh")
            // Since systemd 256 nspawn mounts a directory of the machine's name under /run, which
            // stays when nspawn is killed: mounts of its own end with it.
            .args([
                "-c",
                "echo $$ > \"$0/cgroup.procs\" && exec setsid unshare --mount \"$@\"",
            ])
            .arg(&group)
            .arg(nspawn)
            .args([
                "-q",
                "--register=no",
                "--keep-unit",
                "--console=read-only",
                "--private-network",
                "--hostname=root",
                &format!("--machine={}", name(dir.path())),
                "-D",
            ])
            .arg(root)
            .args(options)
            .args(command)
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .env("SYSTEMD_NSPAWN_LOCK", "0")
            .stdin(Stdio::null())
            .stdout(console.try_clone().expect("a console"))
            .stderr(console)
            .spawn()
            .expect("start systemd-nspawn");
        let mut machine = Machine {
            dir,
            group,
            nspawn: child,
            init: 0,
        };
        machine.init = machine.first_process();
        Some(machine)
    }

    /// nspawn's child, once it has its own root.
    fn first_process(&mut self) -> i32 {
        let began = Instant::now();
        loop {
            let pid = self.nspawn.id();
            let children =
                fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            let child = children
                .split_ascii_whitespace()
                .next()
                .and_then(|word| word.parse::<i32>().ok());
            if let Some(child) = child.filter(|child| ready(*child) && self.is_root_of(*child)) {
                return child;
            }
            let over = !matches!(self.nspawn.try_wait(), Ok(None))
                || began.elapsed() > Duration::from_secs(20);
            assert!(!over, "the machine does not start:\n{}", self.console());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether this process has the machine's root for its own. Nothing may be done by a pid of
    /// which this is not known: the number may have been given to another, or /proc may count
    /// otherwise than we do, and then it would be done to the host.
    fn is_root_of(&self, pid: i32) -> bool {
        let device = |path: PathBuf| {
            fs::metadata(path)
                .map(|meta| std::os::unix::fs::MetadataExt::dev(&meta))
                .ok()
        };
        let theirs = device(PathBuf::from(format!("/proc/{pid}/root/")));
        theirs.is_some() && theirs == device(self.dir.path().join("tree/root"))
    }

    #[track_caller]
    fn assert_alive(&self) {
        assert!(
            self.is_root_of(self.init),
            "process {} is not the machine's:\n{}",
            self.init,
            self.console()
        );
    }

    /// A path of the machine, as this side sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.assert_alive();
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    /// Writes a file of the machine.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file of the machine");
    }

    /// As [`Machine::write`], executable.
    pub fn script(&self, path: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write(path, text);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    /// A unit of its systemd.
    pub fn unit(&self, name: &str, text: &str) {
        self.write(&format!("/etc/systemd/system/{name}"), text);
    }

    /// A command in it, about to be run.
    pub fn command(&self, argv: &[&str]) -> Command {
        self.assert_alive();
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.init.to_string(), "-a", "-r", "-w", "--"])
            .args(argv)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command in it.
    pub fn run(&self, argv: &[&str]) -> Output {
        self.command(argv).output().expect("run nsenter")
    }

    /// The same; fails the test unless it exits 0. Gives what it said.
    #[track_caller]
    pub fn must(&self, argv: &[&str]) -> String {
        let output = self.run(argv);
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            output.status.success(),
            "{argv:?}: {}\n{text}\n{}",
            output.status,
            self.console()
        );
        text
    }

    /// One of our tools, run in it.
    pub fn tool(&self, name: &str) -> Tool {
        let inside = format!("/usr/local/bin/{name}");
        if !self.path(&inside).exists() {
            crate::copy_program(&bin(name), &self.path(&inside));
        }
        let mut wrapped = tool(name);
        *wrapped.command() = self.command(&[&inside]);
        wrapped
    }

    /// What the machine said while it came up.
    pub fn console(&self) -> String {
        fs::read_to_string(self.dir.path().join("console")).unwrap_or_default()
    }
}

/// What nspawn calls the machine, which no other is called.
fn name(dir: &Path) -> String {
    let name = dir.file_name().expect("a name");
    name.to_string_lossy().into_owned()
}

/// It is number 1 of its own process namespace, and already executes what it is to be: nspawn's
/// first child only prepares that.
fn ready(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .unwrap_or_default();
    let name = status
        .lines()
        .find_map(|line| line.strip_prefix("Name:"))
        .unwrap_or_default()
        .trim();
    numbers.split_ascii_whitespace().skip(1).last() == Some("1")
        && name != "systemd-nspawn"
        && name != "(sd-inner)"
}

/// The overlay: what the machine changes stays in memory, and nothing starts in it by itself.
fn prepare(dir: &Path) {
    let tree = dir.join("tree");
    fs::create_dir(&tree).expect("a directory");
    mount(
        Some("tmpfs"),
        &tree,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .expect("mount a tmpfs");
    for name in ["up", "work", "root"] {
        fs::create_dir(tree.join(name)).expect("a directory");
    }
    let options = format!(
        "lowerdir=/,upperdir={0}/up,workdir={0}/work",
        tree.display()
    );
    mount(
        Some("overlay"),
        &tree.join("root"),
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .expect("mount an overlay");
    // Journals of interrupted runs on the host are not this machine's.
    let journals = tree.join("root/var/lib/runbook-tools");
    let _ = fs::remove_dir_all(&journals);
    let _ = fs::create_dir(&journals);
    let etc = tree.join("root/etc");
    for kind in fs::read_dir(etc.join("systemd/system"))
        .into_iter()
        .flatten()
        .flatten()
    {
        if kind.file_name().to_string_lossy().ends_with(".wants") {
            let _ = fs::remove_dir_all(kind.path());
        }
    }
    // Init scripts without units would be started by systemd's generator.
    for level in ["0", "1", "2", "3", "4", "5", "6", "S"] {
        let _ = fs::remove_dir_all(etc.join(format!("rc{level}.d")));
    }
    let masked = [
        "systemd-logind.service",
        "getty.target",
        "timers.target",
        "console-getty.service",
        "systemd-networkd.service",
        "systemd-resolved.service",
    ];
    for unit in masked {
        let path = etc.join("systemd/system").join(unit);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink("/dev/null", path).expect("mask a unit");
    }
}

fn cgroup_root() -> PathBuf {
    let whole = PathBuf::from("/sys/fs/cgroup");
    if whole.join("cgroup.controllers").exists() {
        whole
    } else {
        whole.join("unified")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // All of it at once (cgroups(7), since Linux 5.14); before that, killing its first process
        // ends every process in it.
        let _ = fs::write(self.group.join("cgroup.kill"), "1");
        if self.init > 0 {
            let _ = kill(Pid::from_raw(self.init), Signal::SIGKILL);
        }
        let began = Instant::now();
        while matches!(self.nspawn.try_wait(), Ok(None)) && began.elapsed() < Duration::from_secs(5)
        {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
        for kind in ["unix-export", "propagate"] {
            let _ = fs::remove_dir(
                Path::new("/run/systemd/nspawn")
                    .join(kind)
                    .join(name(self.dir.path())),
            );
        }
        for name in ["tree/root", "tree"] {
            let _ = umount2(&self.dir.path().join(name), MntFlags::MNT_DETACH);
        }
        for _ in 0..50 {
            if remove_groups(&self.group) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn remove_groups(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    fs::remove_dir(group).is_ok() || !group.exists()
}
