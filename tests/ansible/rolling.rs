//! Three hosts under the real Ansible, over ssh: a rolling update of a small site behind a
//! balancer, one host lost on the way, a second run that finishes the work and changes nothing
//! twice.

use crate::controller::{Controller, data, ok};
use harness::fleet::{Fleet, Host};
use harness::process;
use harness::{Server, free_port, need, test_venv, wait_for, wait_until};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The site on three hosts, and what Ansible needs.
struct Site {
    fleet: Fleet,
    controller: Controller,
    balancer: Server,
    port: u16,
}

impl Site {
    /// Everything at version 1.
    fn up() -> Site {
        let fleet = Fleet::up(3);
        let controller = Controller::of(&fleet);
        let wheelhouse = fleet.dir().join("wheelhouse");
        let mut pip = Command::new(test_venv().join("bin/pip"));
        pip.args([
            "-q",
            "--disable-pip-version-check",
            "download",
            "--only-binary",
            ":all:",
            "-d",
        ])
        .arg(&wheelhouse);
        ok(
            &pip.args(["gunicorn==23.0.0", "packaging==25.0", "itsdangerous==2.2.0"])
                .output()
                .unwrap(),
            "pip download",
        );
        for version in ["1", "2"] {
            release(fleet.dir(), version);
        }
        std::thread::scope(|scope| {
            for host in fleet.hosts() {
                scope.spawn(|| serve(host, &wheelhouse, fleet.dir()));
            }
        });
        let port = free_port();
        let balancer = balance(&fleet, port);
        let site = Site {
            fleet,
            controller,
            balancer,
            port,
        };
        wait_until("the balancer passes answers on", || {
            fetch(port).is_some_and(|text| text.contains("version 1"))
        });
        site
    }

    fn play(&self, version: &str, more: &[&str]) -> Output {
        let dir = self.fleet.dir();
        let playbook = data("site/update.yml");
        let facts = [
            format!("version={version}"),
            format!(
                "release={}",
                dir.join(format!("release{version}")).display()
            ),
            format!("wheelhouse={}", dir.join("wheelhouse").display()),
        ];
        let mut words: Vec<&str> = facts.iter().flat_map(|f| ["-e", f.as_str()]).collect();
        words.extend(more);
        words.push(playbook.to_str().unwrap());
        self.controller.run("ansible-playbook", &words).done
    }
}

/// The code of a version; version 2 wants one distribution more.
fn release(dir: &Path, version: &str) {
    let root = dir.join(format!("release{version}"));
    std::fs::create_dir_all(&root).unwrap();
    let app = std::fs::read_to_string(data("site/app.py.in"))
        .unwrap()
        .replace("@VERSION@", version);
    std::fs::write(root.join("app.py"), app).unwrap();
    let more = if version == "2" {
        "itsdangerous==2.2.0\n"
    } else {
        ""
    };
    std::fs::write(
        root.join("requirements.txt"),
        format!("gunicorn==23.0.0\npackaging==25.0\n{more}"),
    )
    .unwrap();
}

/// Version 1 on a host: environment, gunicorn, nginx with the snippet.
fn serve(host: &Host, wheelhouse: &Path, dir: &Path) {
    std::fs::copy(data("site/services.toml"), host.srv.join("services.toml")).unwrap();
    let release = dir.join("release1");
    host.sh(&format!(
        "mkdir -p /srv/site /srv/run /srv/maintenance && cp {0}/* /srv/site/ && \
         venv-sync apply /srv/venv -r /srv/site/requirements.txt --installer pip --wheelhouse {1} >/dev/null && \
         maint-page snippet nginx --dir /srv/maintenance >/srv/maintenance.conf && svc-cycle start -f /srv/services.toml >/dev/null",
        release.display(),
        wheelhouse.display()
    ));
    let conf = "error_log /srv/run/nginx.log; pid /srv/run/nginx.pid; events {} http { access_log off; server { listen 8000; \
                include /srv/maintenance.conf; location / { proxy_pass http://127.0.0.1:8001; } } }\n";
    std::fs::write(host.srv.join("nginx.conf"), conf).unwrap();
    host.sh("nginx -e /srv/run/nginx.log -c /srv/nginx.conf");
}

/// A balancer in front: a host that is in maintenance or gone is passed over.
fn balance(fleet: &Fleet, port: u16) -> Server {
    let dir = fleet.dir();
    let backends: String = fleet
        .hosts()
        .iter()
        .map(|h| format!("server {}:8000 max_fails=0; ", h.address))
        .collect();
    let conf = format!(
        "daemon off; error_log {0}/balancer.log; pid {0}/balancer.pid; events {{}} http {{ access_log off; \
         upstream web {{ {backends} }} server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://web; \
         proxy_connect_timeout 500ms; proxy_next_upstream error timeout http_503; }} }} }}\n",
        dir.display()
    );
    let path = dir.join("balancer.conf");
    std::fs::write(&path, conf).unwrap();
    let nginx = need("nginx").expect("nginx");
    Server::start(
        process::contained(&[], nginx)
            .arg("-e")
            .arg(dir.join("balancer.log"))
            .arg("-c")
            .arg(&path),
        &dir.join("balancer.out"),
    )
}

fn fetch(port: u16) -> Option<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .write_all(b"GET / HTTP/1.0\r\nHost: site\r\n\r\n")
        .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Keeps asking the balancer until it is dropped; what it was told, counted.
struct Visitor {
    stop: Arc<AtomicBool>,
    told: Arc<Mutex<BTreeMap<String, usize>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Visitor {
    fn ask(port: u16) -> Visitor {
        let (stop, told) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(BTreeMap::new())),
        );
        let (until, into) = (Arc::clone(&stop), Arc::clone(&told));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let text = fetch(port).unwrap_or_else(|| "no answer".into());
                let kind = text.lines().last().unwrap_or("empty").to_string();
                *into.lock().unwrap().entry(kind).or_insert(0) += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Visitor {
            stop,
            told,
            thread: Some(thread),
        }
    }

    fn told(mut self) -> BTreeMap<String, usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.told.lock().unwrap().clone()
    }
}

/// `changed=` of a host in the recap.
fn recap(text: &str, host: &str, key: &str) -> u32 {
    let line = text
        .lines()
        .rev()
        .find(|l| l.starts_with(host) && l.contains("ok="))
        .unwrap_or_else(|| panic!("no recap of {host}:\n{text}"));
    let at = line.find(&format!("{key}=")).unwrap() + key.len() + 1;
    line[at..]
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

/// What a host's files are, but for what a server writes by itself.
fn tree(host: &Host) -> String {
    host.sh("cd /srv && find . -path ./run -prune -o -printf '%p %y %m %u %s %T@ %l\\n' | sort")
}

#[test]
fn a_rolling_update_survives_the_loss_of_a_host_and_is_finished_by_a_second_run() {
    if need("sshd").is_none() || need("nginx").is_none() {
        return;
    }
    let site = Site::up();
    let gates = site.fleet.dir().join("gates");
    std::fs::create_dir(&gates).unwrap();
    let gate = format!("gate={}", gates.display());

    // Check mode changes nothing anywhere.
    let before: Vec<String> = site.fleet.hosts().iter().map(tree).collect();
    let checked = site.play("1", &["--check", "--diff"]);
    assert_eq!(
        before,
        site.fleet.hosts().iter().map(tree).collect::<Vec<_>>(),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );

    // The first run: host2 is lost while its page is up.
    std::fs::write(gates.join("open-host1"), "").unwrap();
    let visitor = Visitor::ask(site.port);
    let first = std::thread::scope(|scope| {
        let run = scope.spawn(|| site.play("2", &["-e", &gate]));
        let host2 = &site.fleet.hosts()[1];
        wait_for(Duration::from_secs(120), "host2 shows its page", || {
            host2.srv.join("maintenance/on").exists() || run.is_finished()
        });
        host2.lose();
        std::fs::write(gates.join("open-host2"), "").unwrap();
        run.join().unwrap()
    });
    let text = String::from_utf8_lossy(&first.stdout).into_owned();
    assert!(!first.status.success(), "{text}");
    assert_eq!(
        (
            recap(&text, "host1", "failed"),
            recap(&text, "host2", "unreachable")
        ),
        (0, 1),
        "{text}"
    );
    assert!(recap(&text, "host1", "changed") >= 4, "{text}");

    // The second finishes it: nothing more on host1, the rest of host2, all of host3.
    site.fleet.hosts()[1].find();
    let second = ok(&site.play("2", &[]), "the second run");
    assert_eq!(
        recap(&second, "host1", "changed"),
        0,
        "changed twice:\n{second}"
    );
    assert!(
        recap(&second, "host2", "changed") > 0 && recap(&second, "host3", "changed") > 0,
        "{second}"
    );

    let told = visitor.told();
    assert!(
        told.keys().all(|k| k == "version 1" || k == "version 2"),
        "visitors were told: {told:?}"
    );
    assert!(told.len() == 2, "{told:?}");
    for host in site.fleet.hosts() {
        assert!(
            host.sh("curl -fsS http://127.0.0.1:8000/")
                .contains("version 2")
        );
    }
    assert!(!site.balancer.said().contains("emerg"));
}
