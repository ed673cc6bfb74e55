//! Services, processes and interpreters that another user controls.

use crate::user::{DEP, Host, as_user, everything};
use harness::tool;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A set file of the user's with one service.
fn set(host: &Host, more: &str) -> String {
    let path = host.site().join("set.toml");
    let start = "start = [\"/bin/sh\", \"-c\", \"id -u > who; exec sleep 5\"]";
    let text =
        format!("[service.app]\nbackend = \"pidfile\"\npidfile = \"app.pid\"\n{start}\n{more}\n");
    fs::write(&path, text).unwrap();
    host.give(&path);
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_log_that_is_a_link_is_neither_written_nor_shown() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let secret = host.secret("file", "root's own words");
    let before = everything(&host.roots());
    let set = set(&host, "log = \"log\"");
    as_user(
        &host.site(),
        &format!("import os; os.symlink('{}', 'log')", secret.display()),
    );
    let done = tool("svc-cycle")
        .args(["start", "--file", &set, "--timeout", "3s", "app"])
        .run();
    assert_eq!(everything(&host.roots()), before);
    assert!(!done.out().contains("own words"), "{}", done.out());
    done.expect_code(3).expect_err("symbolic link");
}

#[test]
fn what_a_users_set_starts_runs_as_that_user() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let path = set(&host, "");
    tool("svc-cycle")
        .args(["start", "--file", &path, "--timeout", "2s", "app"])
        .run();
    let who = fs::read_to_string(host.site().join("who")).unwrap();
    assert_eq!(who.trim(), DEP.to_string());
    fs::remove_file(host.site().join("who")).unwrap();
    let path = set(&host, "user = \"root\"");
    let done = tool("svc-cycle")
        .args(["start", "--file", &path, "--timeout", "2s", "app"])
        .run()
        .expect_code(2);
    assert!(done.err().contains("--trust"), "{}", done.err());
    assert!(!host.site().join("who").exists());
}

#[test]
fn a_pid_file_names_no_process_of_somebody_else() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let mut victim = Command::new("sleep").arg("60").spawn().unwrap();
    let file = host.site().join("app.pid");
    fs::write(&file, format!("{}\n", victim.id())).unwrap();
    host.give(&file);
    let done = tool("svc-cycle")
        .arg("stop")
        .arg(format!("pidfile:{}", file.display()))
        .run();
    let lives = victim.try_wait().unwrap().is_none();
    let _ = victim.kill();
    let _ = victim.wait();
    assert!(lives, "{}", done.out());
    done.expect_code(3)
        .expect_err("chooses which process is signalled");
}

#[test]
fn nothing_is_made_for_a_process_that_calls_itself_nginx() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let wanted = host.roots().join("x.service.d");
    let conf = host.site().join("n.conf");
    fs::write(
        &conf,
        format!(
            "events {{}}\nhttp {{ access_log {}/a.log; }}\n",
            wanted.display()
        ),
    )
    .unwrap();
    let title = format!(
        "nginx: master process /usr/sbin/nginx -c {}",
        conf.display()
    );
    let id = DEP.to_string();
    let mut fake = Command::new("setpriv")
        .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
        .args(["bash", "-c", "exec -a \"$0\" sleep 60", &title])
        .spawn()
        .unwrap();
    let named =
        || fs::read(format!("/proc/{}/cmdline", fake.id())).is_ok_and(|c| c.starts_with(b"nginx:"));
    harness::wait_until("the process has its title", named);
    let done = tool("log-paths")
        .args(["--config-only", "--create-dirs", "nginx"])
        .run();
    let _ = fake.kill();
    let _ = fake.wait();
    assert!(!wanted.exists(), "{}", done.out());
    assert!(
        done.out().contains("is not a process of root"),
        "{}",
        done.out()
    );
}

/// A supervisord that names whatever process its user likes, and says yes to every call.
const FAKE_SUPERVISOR: &str = "
import re, socket
victim = open('victim').read()
info = dict(name='app', group='app', state=20, pid=int(victim), start=1, now=100, stop=0, exitstatus=0)
texts = dict(statename='RUNNING', description='', spawnerr='', logfile='', stdout_logfile='', stderr_logfile='')
member = lambda k, v: f'<member><name>{k}</name><value>{v}</value></member>'
struct = '<struct>' + ''.join(member(k, f'<int>{v}</int>' if isinstance(v, int) else f'<string>{v}</string>')
                              for k, v in {**info, **texts}.items()) + '</struct>'
s = socket.socket(socket.AF_UNIX)
s.bind('sup.sock')
s.listen(64)
while True:
    c, _ = s.accept()
    try:
        data = b''
        while b'</methodCall>' not in data:
            part = c.recv(65536)
            if not part: break
            data += part
        method = re.search(rb'<methodName>([^<]*)', data).group(1)
        value = '<boolean>1</boolean>'
        if method == b'supervisor.getAllProcessInfo':
            value = f'<array><data><value>{struct}</value></data></array>'
        elif method == b'system.multicall':
            count = data.count(b'methodName</name>')
            value = '<array><data>' + '<value><boolean>1</boolean></value>' * count + '</data></array>'
        body = f'<?xml version=\"1.0\"?><methodResponse><params><param><value>{value}</value></param></params></methodResponse>'
        c.sendall((f'HTTP/1.1 200 OK\\r\\nContent-Type: text/xml\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n' + body).encode())
    except Exception:
        pass
    c.close()
";

#[test]
fn a_supervisor_of_another_user_names_no_process_of_somebody_else() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let mut victim = Command::new("sleep").arg("60").spawn().unwrap();
    fs::write(host.site().join("victim"), victim.id().to_string()).unwrap();
    let socket = host.site().join("sup.sock");
    let conf = host.roots().join("supervisord.conf");
    fs::write(
        &conf,
        format!(
            "[unix_http_server]\nfile={0}\n[supervisord]\n[supervisorctl]\nserverurl=unix://{0}\n[program:app]\ncommand=/bin/sleep 60\n",
            socket.display()
        ),
    )
    .unwrap();
    let set = host.roots().join("set.toml");
    fs::write(
        &set,
        format!(
            "[service.app]\nbackend = \"supervisor\"\nconfig = \"{}\"\nkill = \"escalate\"\nstop_timeout = \"1s\"\n",
            conf.display()
        ),
    )
    .unwrap();
    let server = crate::user::Racer::start(&host.site(), FAKE_SUPERVISOR);
    harness::wait_until("the fake supervisord listens", || socket.exists());
    for verb in ["stop", "restart", "reload"] {
        let done = tool("svc-cycle")
            .args([verb, "--timeout", "6s", "--file"])
            .arg(&set)
            .run();
        let lives = victim.try_wait().unwrap().is_none();
        assert!(lives, "{verb}: {}", done.out());
        assert_eq!(done.code(), 3, "{verb}: {} {}", done.out(), done.err());
        assert!(
            done.err().contains("neither its child nor its user's"),
            "{verb}: {} {}",
            done.out(),
            done.err()
        );
    }
    drop(server);
    let _ = victim.kill();
    let _ = victim.wait();
}

/// Root's own words, as far as a set file of the user's could reach them.
struct Reach {
    host: Host,
    before: Vec<(std::path::PathBuf, u32, u32, Vec<u8>)>,
}

impl Reach {
    fn new() -> Reach {
        let host = Host::new();
        host.secret("shadow", "root's own words\n");
        // Everybody may look and read, and root alone may write.
        fs::set_permissions(host.roots(), fs::Permissions::from_mode(0o755)).unwrap();
        let profile = host.roots().join("profile");
        fs::write(&profile, "root's own profile\n").unwrap();
        let before = everything(&host.roots());
        Reach { host, before }
    }

    /// Runs every verb over a set file of the user's; what was said.
    fn every_verb(&self, set: &str) -> String {
        let file = self.host.site().join("set.toml");
        fs::write(&file, set).unwrap();
        self.host.give(&file);
        let mut said = String::new();
        for verb in [
            "status", "check", "start", "reload", "restart", "stop", "recover", "cycle",
        ] {
            let mut tool = tool("svc-cycle")
                .args([verb, "--timeout", "3s", "-o", "json", "--file"])
                .arg(&file);
            if verb == "cycle" {
                tool = tool.args(["--", "true"]);
            }
            let done = tool.run();
            said += &format!("{verb}: {} {} {}\n", done.code(), done.out(), done.err());
            assert_eq!(
                everything(&self.host.roots()),
                self.before,
                "{verb}: {said}"
            );
        }
        assert!(!said.contains("own words"), "{said}");
        said
    }
}

#[test]
fn a_users_set_file_reaches_no_file_of_roots_by_its_log() {
    if !harness::need_root() {
        return;
    }
    let reach = Reach::new();
    for name in ["profile", "shadow", "new.conf"] {
        let log = reach.host.roots().join(name);
        reach.every_verb(&format!(
            "[service.app]\nbackend = \"command\"\nname = \"nosuch\"\nlog = \"{}\"\nstable = \"10ms\"\n\
             start = [\"/bin/sh\", \"-c\", \"echo evil; exec sleep 5\"]\n",
            log.display()
        ));
    }
}

#[test]
fn a_users_set_file_asks_its_probes_as_that_user() {
    if !harness::need_root() {
        return;
    }
    let reach = Reach::new();
    let marks = reach.host.site().parent().unwrap().join("marks");
    fs::create_dir(&marks).unwrap();
    fs::set_permissions(&marks, fs::Permissions::from_mode(0o777)).unwrap();
    let who = format!(
        "[\"/bin/sh\", \"-c\", \"echo > {}/$(id -u)\"]",
        marks.display()
    );
    let shadow = reach.host.roots().join("shadow");
    let socket = reach.host.roots().join("root.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let reach = Reach {
        before: everything(&reach.host.roots()),
        ..reach
    };
    let probe = |probe: &str| {
        format!(
            "[service.app]\nbackend = \"pidfile\"\npidfile = \"app.pid\"\nstart_timeout = \"1s\"\npreflight = {who}\n\
             start = [\"/bin/sh\", \"-c\", \"sleep 20 >/dev/null 2>&1 & echo $! > {site}/app.pid\"]\n\
             ready = [{probe}]\nstopped = [{{ command = {who} }}]\n",
            site = reach.host.site().display()
        )
    };
    reach.every_verb(&probe(&format!("{{ command = {who} }}")));
    assert!(marks.join(DEP.to_string()).exists(), "no probe has run");
    assert!(!marks.join("0").exists(), "root ran the user's command");
    for (asked, secret) in [
        (
            format!("{{ socket = \"{}\" }}", socket.display()),
            "ermission denied",
        ),
        (
            format!(
                "{{ http = \"http://x/\", socket = \"{}\" }}",
                socket.display()
            ),
            "ermission denied",
        ),
        (
            format!("{{ log = \"{}\", line = \"root\" }}", shadow.display()),
            "ermission denied",
        ),
        (
            format!("{{ pidfile = \"{}\" }}", shadow.display()),
            "ermission denied",
        ),
    ] {
        let said = reach.every_verb(&probe(&asked));
        assert!(said.contains(secret), "{asked}: {said}");
    }
    assert!(listener.accept().is_err(), "root connected to the socket");
}

#[test]
fn a_users_set_file_ends_no_process_of_roots() {
    if !harness::need_root() {
        return;
    }
    let reach = Reach::new();
    // A name that no other process of this host has.
    let program = reach.host.site().parent().unwrap().join("rootsdaemon");
    fs::copy("/bin/sleep", &program).unwrap();
    let mut victim = Command::new(&program).arg("600").spawn().unwrap();
    let pid_file = reach.host.roots().join("daemon.pid");
    fs::write(&pid_file, format!("{}\n", victim.id())).unwrap();
    let reach = Reach {
        before: everything(&reach.host.roots()),
        ..reach
    };
    let common = "kill = \"escalate\"\nstop_timeout = \"500ms\"\nstart_timeout = \"500ms\"\nstart = [\"/bin/true\"]\nreload_signal = \"TERM\"\n";
    let by_file = format!(
        "[service.app]\nbackend = \"pidfile\"\npidfile = \"{}\"\n{common}",
        pid_file.display()
    );
    let by_name = format!("[service.app]\nbackend = \"command\"\nname = \"rootsdaemon\"\n{common}");
    let by_both = format!("{by_name}pidfile = \"{}\"\n", pid_file.display());
    for set in [&by_file, &by_name, &by_both] {
        let said = reach.every_verb(set);
        let lives = victim.try_wait().unwrap().is_none();
        assert!(lives, "{set}: {said}");
    }
    // --trust lends the file root's rights.
    let file = reach.host.site().join("set.toml");
    tool("svc-cycle")
        .args(["stop", "--timeout", "5s", "--file"])
        .arg(&file)
        .arg("--trust")
        .arg(&file)
        .run()
        .expect_code(0);
    harness::wait_until("the daemon has ended", || {
        victim.try_wait().unwrap().is_some()
    });
}

#[test]
fn a_users_set_file_asks_no_supervisor_of_roots() {
    if !harness::need_root() {
        return;
    }
    let reach = Reach::new();
    let socket = reach.host.roots().join("sup.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o700)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let conf = format!(
        "[unix_http_server]\nfile={0}\n[supervisord]\n[supervisorctl]\nserverurl=unix://{0}\n[program:app]\ncommand=/bin/cat\n",
        socket.display()
    );
    let open = reach.host.roots().join("supervisord.conf");
    fs::write(&open, &conf).unwrap();
    reach.host.secret("closed.conf", &conf);
    let own = reach.host.site().join("supervisord.conf");
    fs::write(&own, &conf).unwrap();
    reach.host.give(&own);
    let closed = reach.host.roots().join("closed.conf");
    let reach = Reach {
        before: everything(&reach.host.roots()),
        ..reach
    };
    for conf in [&own, &open, &closed] {
        let said = reach.every_verb(&format!(
            "[service.app]\nbackend = \"supervisor\"\nconfig = \"{0}\"\n[service.other]\nbackend = \"supervisor\"\nname = \"app\"\nconfig = \"{0}\"\n",
            conf.display()
        ));
        assert!(said.contains("ermission denied"), "{said}");
    }
    assert!(listener.accept().is_err(), "root asked the server");
}
