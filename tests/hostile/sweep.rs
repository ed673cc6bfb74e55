//! Something that never answers at every path that a run opens. A first run of each verb says, through strace, which files it opens, which
//! locks it takes and which sockets it connects to; then each of these is a FIFO without a writer, a lock that somebody holds, or a socket
//! whose queue is full, and the run has to end in time. The short form tries every eighth place, RUNBOOK_SWEEP=full all.

use harness::{TempDir, bin, scratch};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The timeout of each run.
const TIMEOUT: &str = "2s";

/// The timeout, the second that a run may take to notice, and what a loaded machine takes to start programs.
const MOST: Duration = Duration::from_secs(6);

/// One verb of a tool; `@` stands for the directory of the scene.
const RUNS: &[(&str, &[&str])] = &[
    ("check-reqs", &["-f", "@/needs.toml"]),
    ("check-reqs", &["--site", "@/reef.toml", "file:@/app.log"]),
    ("check-reqs", &["--list", "-f", "@/needs.toml"]),
    (
        "venv-sync",
        &["check", "-r", "@/requirements.txt", "@/venv"],
    ),
    ("venv-sync", &["list", "@/venv"]),
    ("venv-sync", &["rollback", "@/venv"]),
    (
        "maint-page",
        &["on", "--dir", "@/page", "--template", "@/template"],
    ),
    ("maint-page", &["status", "--dir", "@/page"]),
    ("maint-page", &["tick", "--dir", "@/page"]),
    ("maint-page", &["wait", "--dir", "@/page"]),
    ("maint-page", &["off", "--dir", "@/page"]),
    ("maint-page", &["bypass", "add", "--dir", "@/page"]),
    (
        "maint-page",
        &[
            "during",
            "--dir",
            "@/page",
            "--drain",
            "0s",
            "--on-failure",
            "off",
            "--",
            "true",
        ],
    ),
    ("svc-cycle", &["status", "--file", "@/set.toml"]),
    ("svc-cycle", &["check", "--file", "@/set.toml"]),
    ("svc-cycle", &["start", "--file", "@/set.toml"]),
    ("svc-cycle", &["restart", "--file", "@/set.toml"]),
    ("svc-cycle", &["reload", "--file", "@/set.toml"]),
    ("svc-cycle", &["recover", "--file", "@/set.toml"]),
    ("svc-cycle", &["stop", "--file", "@/set.toml"]),
    (
        "svc-cycle",
        &[
            "cycle",
            "--file",
            "@/set.toml",
            "--env-file",
            "@/site.env",
            "--",
            "true",
        ],
    ),
    (
        "svc-cycle",
        &["status", "--config", "@/supervisord.conf", "supervisor:app"],
    ),
    ("cron-render", &["render", "@/cron.txt", "--user", "root"]),
    (
        "cron-render",
        &[
            "lint",
            "@/cron.txt",
            "--user",
            "root",
            "--env-file",
            "@/site.env",
        ],
    ),
    ("cron-render", &["next", "@/cron.txt", "--user", "root"]),
    ("cron-render", &["explain", "@/cron.txt"]),
    (
        "cron-render",
        &["diff", "@/cron.txt", "--user", "root", "--name", "sweep"],
    ),
    (
        "cron-render",
        &[
            "install",
            "-n",
            "@/cron.txt",
            "--user",
            "root",
            "--name",
            "sweep",
        ],
    ),
    (
        "pg-ext-ensure",
        &[
            "--spec",
            "@/spec.toml",
            "--dsn",
            "host=127.0.0.1 port=1 user=x dbname=x",
        ],
    ),
    ("pg-ext-ensure", &["--site", "@/reef.toml"]),
    (
        "pg-ext-ensure",
        &[
            "recover",
            "--admin",
            "host=127.0.0.1 port=1 user=x dbname=x",
        ],
    ),
    ("log-paths", &["--conf", "nginx=@/nginx.conf", "nginx"]),
    (
        "log-paths",
        &["--conf", "supervisor=@/supervisord.conf", "supervisor"],
    ),
    (
        "log-paths",
        &[
            "--config-only",
            "--create-dirs",
            "--conf",
            "nginx=@/nginx.conf",
            "nginx",
        ],
    ),
];

struct Scene {
    top: TempDir,
    /// The services that the runs have started.
    server: Option<Child>,
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

/// A server whose queue is full.
const WEDGED: &str = "
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
c = socket.socket(socket.AF_UNIX)
c.connect(sys.argv[1])
print('.', flush=True)
time.sleep(600)
";

const HOLDER: &str = "
import fcntl, os, sys, time
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(f, fcntl.LOCK_EX)
print('.', flush=True)
time.sleep(600)
";

/// A script with its argument, once the script is ready.
fn helper(script: &str, path: &Path) -> Child {
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Scene {
    fn new() -> Scene {
        let scene = Scene {
            top: scratch(),
            server: None,
        };
        fs::set_permissions(scene.top.path(), fs::Permissions::from_mode(0o755)).unwrap();
        scene
    }

    fn dir(&self) -> PathBuf {
        self.top.path().join("scene")
    }

    fn filled(&self, word: &str) -> String {
        word.replace('@', self.dir().to_str().unwrap())
    }

    /// The same files again, as no run has changed them.
    fn set(&mut self) {
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
        let made = Command::new("/bin/cp")
            .arg("-a")
            .arg(self.top.path().join("venv"))
            .arg(dir.join("venv"))
            .status()
            .unwrap();
        assert!(made.success());
        self.server = Some(helper(SERVER, &dir.join("sup.sock")));
    }

    fn clear(&mut self) {
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

    fn command(&self, tool: &str, args: &[&str]) -> Vec<String> {
        let mut words = vec![bin(tool).to_str().unwrap().to_owned()];
        let at = args.iter().position(|word| *word == "--");
        let (own, around) = args.split_at(at.unwrap_or(args.len()));
        words.extend(own.iter().map(|word| self.filled(word)));
        let journal = self.filled("@/journal");
        words.extend(["--timeout", TIMEOUT, "--journal", &journal].map(str::to_owned));
        words.extend(around.iter().map(|word| self.filled(word)));
        words
    }

    /// Every place that a run touches.
    fn places(&mut self, tool: &str, args: &[&str]) -> Result<BTreeSet<Place>, String> {
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
            let of_python = path.starts_with(dir.join("venv/lib"));
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
        // A run that could not start its service again has left a journal: the service is gone with the scene.
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

/// What a run does with a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Opened(PathBuf),
    Locked(PathBuf),
    Connected(PathBuf),
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Place::Opened(path) | Place::Locked(path) | Place::Connected(path) => path,
        }
    }

    /// Puts there what never answers; what has to be ended afterwards.
    fn block(&self) -> Option<Child> {
        match self {
            Place::Opened(path) => {
                let _ = fs::remove_file(path);
                if let Some(dir) = path.parent() {
                    let _ = fs::create_dir_all(dir);
                }
                nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
                None
            }
            Place::Locked(path) => Some(helper(HOLDER, path)),
            Place::Connected(path) => {
                let _ = fs::remove_file(path);
                Some(helper(WEDGED, path))
            }
        }
    }
}

/// Between two characters.
fn between(text: &str, open: char, close: char) -> Option<&str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inside, _)| inside)
}

/// The place of one line of `strace -y`.
fn place(line: &str) -> Option<Place> {
    if let Some((_, rest)) = line.split_once("flock(") {
        return between(rest, '<', '>').map(|path| Place::Locked(path.into()));
    }
    if let Some((_, rest)) = line.split_once("sun_path=\"") {
        return rest
            .split('"')
            .next()
            .map(|path| Place::Connected(path.into()));
    }
    let (_, rest) = line.split_once("openat(").or(line.split_once("openat2("))?;
    if rest.contains("O_DIRECTORY") {
        return None;
    }
    if let Some((_, path)) = rest
        .rsplit_once(" = ")
        .filter(|(_, done)| done.contains('<'))
    {
        return between(path, '<', '>').map(|path| Place::Opened(path.into()));
    }
    let name = between(rest, '"', '"')?;
    match between(rest.split('"').next()?, '<', '>') {
        _ if name.starts_with('/') => Some(Place::Opened(name.into())),
        Some(dir) => Some(Place::Opened(Path::new(dir).join(name))),
        None => None,
    }
}

/// What is wrong with a run over a place that never answers.
fn wrong(scene: &mut Scene, tool: &str, args: &[&str], place: &Place) -> Option<String> {
    scene.set();
    if matches!(place, Place::Connected(_)) {
        if let Some(server) = &mut scene.server {
            end(server);
        }
    }
    let mut blocker = place.block();
    let words = scene.command(tool, args);
    let err = scene.top.path().join("err");
    let began = Instant::now();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .current_dir(scene.dir())
        .env("HOME", scene.dir().join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&err).unwrap())
        .spawn()
        .unwrap();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if began.elapsed() > 2 * MOST => break None,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let took = began.elapsed();
    end(&mut child);
    if let Some(blocker) = &mut blocker {
        end(blocker);
    }
    let said = fs::read_to_string(&err).unwrap_or_default();
    let about = |what: &str| {
        Some(format!(
            "{tool} {args:?}, {place:?}: {what} after {took:?}: {said}"
        ))
    };
    // What has to be put back after COMMAND has a time of its own.
    let most = if args.contains(&"--") { 2 * MOST } else { MOST };
    match status.map(|status| status.code()) {
        None => about("no end"),
        Some(None) => about("ended by a signal"),
        Some(Some(_)) if said.contains("panicked") || said.contains("internal error") => {
            about("a crash")
        }
        Some(Some(0 | 1 | 2 | 3 | 75 | 125)) if took <= most => None,
        Some(Some(code)) => about(&format!("exit status {code}")),
    }
}

#[test]
fn every_run_ends_whatever_never_answers() {
    if !harness::need_root() {
        return;
    }
    let mut scene = Scene::new();
    let made = Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(scene.top.path().join("venv"))
        .status()
        .unwrap();
    assert!(made.success());
    let (mut wrongs, mut tried, mut number) = (Vec::new(), 0, 0);
    let mut kinds = [0; 3];
    for (tool, args) in RUNS {
        let places = scene.places(tool, args).unwrap_or_else(|why| {
            wrongs.push(why);
            BTreeSet::new()
        });
        for place in places {
            number += 1;
            let kind = match place {
                Place::Opened(_) => 0,
                Place::Locked(_) => 1,
                Place::Connected(_) => 2,
            };
            kinds[kind] += 1;
            if !harness::full_sweep() && number % 8 != 0 {
                continue;
            }
            tried += 1;
            wrongs.extend(wrong(&mut scene, tool, args, &place));
        }
    }
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
    assert!(tried > 10, "{tried}");
    assert!(
        wrongs.is_empty(),
        "{tried} tried of {kinds:?}:\n{}",
        wrongs.join("\n")
    );
}

/// While COMMAND runs, something else stands at a place; then svc-cycle is asked to end.
fn term(put: &Place, comes_back: bool) {
    let mut scene = Scene::new();
    fs::create_dir(scene.top.path().join("venv")).unwrap();
    scene.set();
    let args = ["start", "--file", "@/set.toml"];
    let started = Command::new(bin("svc-cycle"))
        .args(args.map(|word| scene.filled(word)))
        .output()
        .unwrap();
    assert!(
        started.status.success(),
        "{}",
        String::from_utf8_lossy(&started.stderr)
    );
    let dir = scene.dir();
    let mark = dir.join("mark");
    let script = format!("echo > {}; exec sleep 60", mark.display());
    let mut cycle = Command::new(bin("svc-cycle"))
        .args(["cycle", "--file", "@/set.toml", "--journal", "@/journal"].map(|w| scene.filled(w)))
        .args(["--timeout", "120s", "--", "sh", "-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    harness::wait_until("COMMAND runs", || mark.exists());
    let _ = fs::remove_file(dir.join("app.pid"));
    let put = match put {
        Place::Opened(name) => Place::Opened(dir.join(name)),
        Place::Locked(name) => Place::Locked(dir.join(name)),
        Place::Connected(name) => Place::Connected(dir.join(name)),
    };
    let mut blocker = put.block();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(cycle.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let began = Instant::now();
    while cycle.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(40) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = cycle.try_wait().unwrap();
    end(&mut cycle);
    if let Some(blocker) = &mut blocker {
        end(blocker);
    }
    assert!(
        ended.is_some(),
        "{put:?}: no end after {:?}",
        began.elapsed()
    );
    let pid_file = dir.join("app.pid");
    let is_fifo = fs::symlink_metadata(&pid_file).is_ok_and(|meta| meta.file_type().is_fifo());
    let back = !is_fifo
        && fs::read_to_string(&pid_file)
            .is_ok_and(|text| Path::new(&format!("/proc/{}", text.trim())).exists());
    assert_eq!(back, comes_back, "{put:?}: {ended:?}");
}

#[test]
fn an_ending_signal_leads_to_the_start_and_the_end() {
    if !harness::need_root() {
        return;
    }
    term(&Place::Opened("more.conf".into()), true);
    term(&Place::Locked("journal".into()), true);
    term(&Place::Opened("set.toml".into()), true);
    // What the start itself needs cannot be had: the run ends all the same.
    term(&Place::Opened("app.log".into()), false);
}
