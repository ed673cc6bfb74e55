//! The files that the runs of the sweep work on, as no run has changed them.

use super::TIMEOUT;
use super::place::{Place, place};
use crate::peers::{end, helper, venv};
use harness::{TempDir, bin, scratch};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A directory with everything, made anew for each run.
pub struct Scene {
    pub top: TempDir,
    /// The services that the runs have started.
    pub server: Option<Child>,
}

/// A supervisord as far as its socket: connections are taken, and answered with nothing.
const SERVER: &str = "
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(16)
print('.', flush=True)
while True:
    s.accept()[0].close()
";

impl Scene {
    pub fn new() -> Scene {
        let scene = Scene {
            top: scratch(),
            server: None,
        };
        fs::set_permissions(scene.top.path(), fs::Permissions::from_mode(0o755)).unwrap();
        scene
    }

    /// An environment with two releases, which each run finds in its scene.
    pub fn make_releases(&self) {
        let dir = self.dir();
        fs::create_dir(&dir).unwrap();
        venv(&dir.join("venv"));
        let args = ["apply", "--adopt", "--rebuild", "-r", "/dev/null", "@/venv"];
        let made = Command::new(bin("venv-sync"))
            .args(args.map(|word| self.filled(word)))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        fs::rename(&dir, self.top.path().join("made")).unwrap();
    }

    pub fn dir(&self) -> PathBuf {
        self.top.path().join("scene")
    }

    pub fn filled(&self, word: &str) -> String {
        let dir = self.dir().display().to_string();
        word.replace('@', &dir).replace('%', &format!("@{dir}"))
    }

    /// The same files again, as no run has changed them.
    pub fn set(&mut self) {
        self.clear();
        let dir = self.dir();
        for name in ["page", "template", "state"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            fs::write(&path, self.filled(text)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        write("requirements.txt", "-r more.txt\n");
        write("more.txt", "# nothing\n");
        write("template/page.html", "<p>{{message}}</p>\n");
        write("template/style.css", "p {}\n");
        write("site.env", "SECRET=x\n");
        write("cron.txt", "0 4 * * * /bin/true\n");
        write("spec.toml", "extensions = [\"hstore\"]\n");
        write("nginx.conf", "events {}\nhttp { include @/more.conf; }\n");
        write("more.conf", "access_log @/app.log;\n");
        write("app.log", "");
        write(
            "supervisord.conf",
            "[unix_http_server]\nfile=@/sup.sock\n[supervisord]\nlogfile=@/app.log\n\
             [supervisorctl]\nserverurl=unix://@/sup.sock\n[program:app]\ncommand=/bin/cat\n",
        );
        // Ends by itself: nothing is left of a run that was ended.
        write(
            "set.toml",
            "[service.app]\nbackend = \"pidfile\"\npidfile = \"@/app.pid\"\nlog = \"@/app.log\"\n\
             start = [\"/bin/sh\", \"-c\", \"sleep 20 >/dev/null 2>&1 & echo $! > @/app.pid\"]\n",
        );
        write(
            "needs.toml",
            "[[check]]\ntype = \"file\"\npath = \"@/app.log\"\n\
             [[check]]\ntype = \"service\"\nname = \"app\"\nmanager = \"supervisor\"\nconf = \"@/supervisord.conf\"\n\
             [[check]]\ntype = \"tcp\"\nsocket = \"@/sup.sock\"\n",
        );
        write(
            "reef.toml",
            "[site]\nname = \"sweep\"\nuser = \"root\"\ndir = \"@\"\nvenv = \"@/venv\"\nenv_file = \"@/site.env\"\n\
             [pg-ext-ensure]\ndsn = \"host=127.0.0.1 port=1 user=x dbname=x\"\next = [\"hstore\"]\n",
        );
        // At the very path that the releases were built for.
        let made = self.top.path().join("made");
        if made.exists() {
            let copied = Command::new("/bin/cp")
                .arg("-a")
                .arg(made.join("."))
                .arg(&dir)
                .status()
                .unwrap();
            assert!(copied.success());
        }
        self.server = Some(helper(SERVER, &dir.join("sup.sock")));
    }

    pub fn clear(&mut self) {
        if let Some(server) = &mut self.server {
            end(server);
        }
        self.server = None;
        let dir = self.dir();
        let pid_file = dir.join("app.pid");
        if pid_file.is_file() {
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            if let Ok(pid) = text.trim().parse::<i32>() {
                let pid = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
    }

    pub fn command(&self, tool: &str, args: &[&str]) -> Vec<String> {
        let mut words = vec![bin(tool).to_str().unwrap().to_owned()];
        let at = args.iter().position(|word| *word == "--");
        let (own, around) = args.split_at(at.unwrap_or(args.len()));
        words.extend(own.iter().map(|word| self.filled(word)));
        let journal = self.filled("@/journal");
        if tool == "cron-render" {
            // What is installed there is seen by no cron daemon.
            let script = "mount -t tmpfs none /etc/cron.d && exec \"$@\"";
            words.splice(
                0..0,
                ["unshare", "--mount", "sh", "-c", script, "sh"].map(str::to_owned),
            );
        }
        words.extend(["--timeout", TIMEOUT, "--journal", &journal].map(str::to_owned));
        words.extend(around.iter().map(|word| self.filled(word)));
        words
    }

    /// Every place that a run touches.
    pub fn places(&mut self, tool: &str, args: &[&str]) -> Result<BTreeSet<Place>, String> {
        self.set();
        let log = self.top.path().join("trace");
        let words = self.command(tool, args);
        let done = Command::new("strace")
            .args([
                "-f",
                "-y",
                "-qq",
                "-e",
                "trace=openat,openat2,connect,flock",
                "-o",
            ])
            .arg(&log)
            .args(&words)
            .current_dir(self.dir())
            .env("HOME", self.dir().join("state"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        // Without a fault of its own, so that the run gets as far as runs get.
        let said = String::from_utf8_lossy(&done.stderr);
        if done.status.code() == Some(2) {
            return Err(format!("{tool} {args:?}: {said}"));
        }
        let text = fs::read_to_string(&log).unwrap();
        let dir = self.dir();
        let mut places = BTreeSet::new();
        for line in text.lines() {
            places.extend(place(line));
        }
        places.retain(|place| {
            let path = place.path();
            let random = path
                .components()
                .any(|part| part.as_os_str().to_string_lossy().starts_with(".rbt-"));
            // The standard library and the installed files, of whichever release.
            let of_python = path.components().any(|part| part.as_os_str() == "lib");
            path.starts_with(&dir) && !random && !of_python && !path.is_dir()
        });
        if places.is_empty() {
            return Err(format!("{tool} {args:?} opens nothing"));
        }
        Ok(places)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.clear();
        // A run that could not start its service again has left a journal: the service is gone with
        // the scene.
        let scene = self.top.path().display().to_string();
        for entry in fs::read_dir("/var/lib/runbook-tools")
            .into_iter()
            .flatten()
            .flatten()
        {
            if fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(&scene)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
