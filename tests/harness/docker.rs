//! A container engine of the test's own: dockerd with its files in a temporary directory, without a
//! bridge and without a packet filter, and one image, busybox, made of the host's own. Needs root,
//! and the plugin that is `docker compose`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::{Server, need, need_root, scratch, skip_servers, source_root, wait_for};

/// A running engine; dropping it ends it and every container.
#[derive(Debug)]
pub struct Docker {
    dir: TempDir,
    daemon: Option<Server>,
}

/// What dockerd is started by: mounts of its own, so that its files in /run and /etc/docker are
/// nobody else's.
const START: &str = r#"
set -e
mount -t tmpfs tmpfs /run
mkdir -p /etc/docker && mount --bind "$0/etc" /etc/docker
exec dockerd --config-file "$0/etc/daemon.json" --data-root "$0/data" --exec-root "$0/exec" --pidfile "$0/pid" \
    --host "unix://$0/sock" --bridge none --iptables=false --ip6tables=false --ip-forward=false --userland-proxy=false \
    --storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$1"
"#;

/// The image's programs: busybox under these names.
const PROGRAMS: &[&str] = &[
    "cat", "echo", "false", "httpd", "kill", "sh", "sleep", "true", "wget",
];

/// Where distributions have the plugin that is `docker compose`; on a Debian without one
/// tests/setup.sh fetches it.
fn plugin() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = ["libexec", "lib"]
        .iter()
        .flat_map(|lib| ["/usr", "/usr/local"].map(|top| format!("{top}/{lib}/docker/cli-plugins")))
        .map(PathBuf::from)
        .collect();
    places.push(source_root().join("target/docker-compose"));
    let found = places
        .iter()
        .map(|place| place.join("docker-compose"))
        .find(|file| file.is_file());
    assert!(
        found.is_some() || skip_servers(),
        "docker's compose plugin is missing: run tests/setup.sh, or set SKIP_SERVERS=1 to leave out what needs it"
    );
    found
}

impl Docker {
    /// Starts one, with the image busybox.
    pub fn start() -> Option<Docker> {
        for program in ["dockerd", "docker", "containerd", "busybox"] {
            need(program)?;
        }
        let plugin = plugin()?;
        if !need_root() {
            return None;
        }
        let dir = scratch();
        for part in ["etc", "client/cli-plugins", "image/bin"] {
            fs::create_dir_all(dir.path().join(part)).expect("a directory");
        }
        fs::write(dir.path().join("etc/daemon.json"), "{}\n").expect("daemon.json");
        symlink(plugin, dir.path().join("client/cli-plugins/docker-compose")).expect("the plugin");
        let mut start = Command::new("setpriv");
        start
            .args(["--pdeathsig", "TERM", "unshare", "--mount"])
            .args(["--propagation", "private", "sh", "-c", START])
            .arg(dir.path())
            .arg(group(dir.path()))
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            );
        let daemon = Server::start(&mut start, &dir.path().join("log"));
        let engine = Docker {
            dir,
            daemon: Some(daemon),
        };
        wait_for(
            std::time::Duration::from_secs(60),
            "dockerd answers",
            || engine.try_run(&["version"]).status.success(),
        );
        engine.import_busybox();
        Some(engine)
    }

    fn import_busybox(&self) {
        let image = self.dir.path().join("image");
        let busybox = need("busybox").expect("busybox");
        fs::copy(busybox, image.join("bin/busybox")).expect("a copy of busybox");
        for name in PROGRAMS {
            symlink("busybox", image.join("bin").join(name)).expect("a link");
        }
        self.libraries(&image);
        let archive = self.dir.path().join("image.tar");
        let packed = Command::new("tar")
            .arg("-C")
            .arg(&image)
            .arg("-cf")
            .arg(&archive)
            .arg(".")
            .status();
        assert!(packed.expect("run tar").success());
        self.run(&["import", archive.to_str().expect("a path"), "busybox"]);
    }

    /// Debian's busybox is linked with the C library, unless busybox-static is installed.
    fn libraries(&self, image: &Path) {
        let said = Command::new("ldd").arg(image.join("bin/busybox")).output();
        let text = String::from_utf8(said.expect("run ldd").stdout).expect("paths");
        let paths = text
            .split_ascii_whitespace()
            .filter(|word| word.starts_with('/'));
        for path in paths.filter(|path| Path::new(path).is_file()) {
            let target = image.join(path.trim_start_matches('/'));
            fs::create_dir_all(target.parent().expect("a directory")).expect("a directory");
            fs::copy(path, &target).expect("a library");
            fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).expect("a mode");
        }
    }

    /// The variables by which docker, and what calls it, find this engine and its plugin.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let dir = self.dir.path().display();
        [
            ("DOCKER_HOST", format!("unix://{dir}/sock")),
            ("DOCKER_CONFIG", format!("{dir}/client")),
        ]
    }

    /// Runs the client.
    pub fn try_run(&self, arguments: &[impl AsRef<OsStr>]) -> Output {
        Command::new("docker")
            .args(arguments)
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .expect("run docker")
    }

    /// The same; fails the test unless it exits 0. Gives what it said.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        assert!(
            output.status.success(),
            "docker {arguments:?}: {}\n{}",
            String::from_utf8_lossy(&output.stderr),
            self.daemon.as_ref().map(Server::said).unwrap_or_default()
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The control group of the engine's containers, which no other engine has.
fn group(dir: &Path) -> String {
    let name = dir.file_name().expect("a name").to_string_lossy();
    name.into_owned()
}

impl Drop for Docker {
    fn drop(&mut self) {
        let listed = self.try_run(&["ps", "--all", "--quiet"]);
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let mut words = vec!["rm", "--force", "--volumes"];
        words.extend(listed.split_ascii_whitespace());
        if words.len() > 3 {
            self.try_run(&words);
        }
        drop(self.daemon.take());
        // The groups stay when the containers are gone: one in each hierarchy.
        let name = group(self.dir.path());
        let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten();
        let mut places: Vec<PathBuf> = hierarchies.flatten().map(|entry| entry.path()).collect();
        places.push("/sys/fs/cgroup".into());
        for place in places {
            let _ = fs::remove_dir(place.join(&name));
        }
    }
}
