//! A site that runs while its environment changes: Django under gunicorn, asked all the time.

use harness::venvs::Venvs;
use harness::{Server, free_port, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A whole site in one file; every answer imports something that may not have been imported before.
const SITE: &str = r"
import importlib, os
from django.conf import settings
settings.configure(DEBUG_PROPAGATE_EXCEPTIONS=True, ALLOWED_HOSTS=['*'], ROOT_URLCONF='site_in_a_file', SECRET_KEY='x', INSTALLED_APPS=[])
import django
django.setup()
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
LAZY = ['django.contrib.humanize.apps', 'django.utils.lorem_ipsum', 'django.core.paginator', 'django.utils.feedgenerator', 'django.db.models']
count = 0
def home(request):
    global count
    importlib.import_module(LAZY[count % len(LAZY)])
    count += 1
    import alpha
    return HttpResponse(f'alpha {alpha.version} django {django.VERSION[0]} pid {os.getpid()}')
urlpatterns = [path('', home)]
application = get_wsgi_application()
";

fn ask(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .write_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.0 200").then(|| {
        answer
            .split("\r\n\r\n")
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    })
}

/// Asks without pause until it is told to stop; says how many answers were good and which were not.
struct Client {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Client {
    fn start(port: u16) -> Client {
        let (stop, good) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&good));
        let thread = std::thread::spawn(move || {
            let mut bad = 0;
            while !stopped.load(Ordering::Relaxed) {
                match ask(port) {
                    Some(_) => counted.fetch_add(1, Ordering::Relaxed),
                    None => {
                        bad += 1;
                        0
                    }
                };
            }
            bad
        });
        Client {
            stop,
            good,
            thread: Some(thread),
        }
    }

    fn finish(mut self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let bad = self.thread.take().unwrap().join().unwrap();
        (self.good.load(Ordering::Relaxed), bad)
    }
}

#[test]
fn a_running_site_is_not_disturbed_and_the_report_says_who_must_be_restarted() {
    let venvs = Venvs::with_alpha();
    venvs.repack(&["Django", "asgiref", "sqlparse", "gunicorn", "packaging"]);
    venvs.write("site_in_a_file.py", SITE);
    venvs.requirements("alpha==1.0\nDjango\ngunicorn\n");
    let first = venvs
        .apply(&["--post-check", "django"])
        .run()
        .expect_code(0)
        .json()["release"]
        .as_str()
        .unwrap()
        .to_owned();

    let port = free_port();
    let start = || {
        let mut gunicorn = venvs.command(venvs.venv().join("bin/gunicorn"));
        gunicorn
            .args([
                "-w",
                "2",
                "--no-control-socket",
                "-b",
                &format!("127.0.0.1:{port}"),
                "site_in_a_file",
            ])
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let mut server = Server::start(&mut gunicorn, &venvs.path().join("gunicorn.log"));
        wait_until("gunicorn answers", || {
            assert!(server.runs(), "{}", server.said());
            let said = server.said();
            assert!(!said.contains("Traceback"), "{said}");
            ask(port).is_some()
        });
        server
    };
    let mut server = start();
    let client = Client::start(port);

    venvs.requirements("alpha==2.0\nDjango\ngunicorn\n");
    let update = venvs.apply(&["--keep", "1"]).run().expect_code(0).json();
    assert_eq!(update["restart_required"], true);
    let stale: Vec<_> = update["stale_processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["pid"].clone(), s["release"].clone()))
        .collect();
    assert!(
        stale.contains(&(json!(server.pid()), json!(first))),
        "{update}"
    );
    assert!(stale.len() >= 3, "the master and its two workers: {update}");
    // Even a reload keeps the old release, which is why it must not be pruned.
    server.signal(Signal::SIGHUP);
    std::thread::sleep(std::time::Duration::from_millis(700));
    wait_until("gunicorn answers again", || {
        ask(port).is_some_and(|answer| answer.starts_with("alpha 1.0"))
    });
    assert!(venvs.path().join("venv.d/releases").join(&first).is_dir());

    // What fails, fails beside the site.
    venvs.requirements("alpha==1.0\nDjango\ngunicorn\n");
    venvs
        .apply(&["--post-check", "no_such_module"])
        .run()
        .expect_code(3);
    venvs.requirements("alpha==1.0\nDjango\ngunicorn\nnowhere-to-be-found\n");
    venvs.apply(&[]).run().expect_code(3);
    venvs.tool(&["rollback", "venv"]).run().expect_code(0);
    venvs
        .tool(&[
            "rollback",
            "venv",
            "--to",
            update["release"].as_str().unwrap(),
        ])
        .run()
        .expect_code(0);
    let (good, bad) = client.finish();
    assert!(
        good > 20 && bad == 0,
        "{good} good answers, {bad} bad: {}",
        server.said()
    );

    server.stop();
    server = start();
    assert!(ask(port).unwrap().starts_with("alpha 2.0"));
    let list = venvs.tool(&["list", "venv"]).run().expect_code(0).json();
    assert_eq!(list["restart_required"], false);
    let live = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["live"] == true)
        .unwrap()
        .clone();
    assert!(
        live["pids"]
            .as_array()
            .unwrap()
            .contains(&json!(server.pid())),
        "{list}"
    );
    server.stop();
    // Nobody runs it any more: the next update may take it away.
    venvs.requirements("alpha==1.0\nDjango\ngunicorn\n");
    venvs.apply(&["--keep", "1"]).run().expect_code(0);
    assert!(!venvs.path().join("venv.d/releases").join(&first).exists());
}

#[test]
fn whoever_was_started_through_the_link_is_stale_too() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    venvs.apply(&[]).run().expect_code(0);
    let mut python = venvs.command(venvs.venv().join("bin/python"));
    python.args(["-c", "import time; time.sleep(60)"]);
    let server = Server::start(&mut python, &venvs.path().join("log"));
    std::thread::sleep(std::time::Duration::from_millis(2100));
    venvs.requirements("alpha==2.0\n");
    let update = venvs.apply(&[]).run().expect_code(0).json();
    let stale = update["stale_processes"].as_array().unwrap();
    assert!(
        stale
            .iter()
            .any(|process| process["pid"] == server.pid() && process["release"].is_null()),
        "{update}"
    );
}
