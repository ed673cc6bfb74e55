//! Ansible itself, as an administrator has it: the collection built and installed, an inventory,
//! its own home. What becomes of a task is kept as Ansible's callbacks are told it, so that a test
//! sees Ansible's verdict and not only what the module said.

use harness::fleet::Fleet;
use harness::{source_root, test_venv};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the playbooks are run from.
pub struct Controller {
    dir: PathBuf,
    inventory: PathBuf,
    runs: AtomicU32,
}

/// A run of it: what it printed, and each task's result.
pub struct Played {
    pub done: Output,
    pub tasks: Vec<Task>,
}

/// What became of a task on a host.
#[derive(Clone, Debug)]
pub struct Task {
    pub name: String,
    /// ok, failed, unreachable or skipped: Ansible's own word.
    pub verdict: String,
    pub result: Value,
}

/// A file of these tests.
pub fn data(name: &str) -> PathBuf {
    source_root().join("tests/ansible").join(name)
}

/// Fails the test unless it went well; what it printed.
pub fn ok(done: &Output, what: &str) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(
        done.status.success(),
        "{what}: {}\n{out}\n{err}",
        done.status
    );
    out.into_owned()
}

/// One of Ansible's programs, with its home in `dir`.
pub fn ansible(dir: &Path, program: &str) -> Command {
    let mut command = Command::new(test_venv().join("bin").join(program));
    command
        .current_dir(dir)
        .env("HOME", dir)
        .env("ANSIBLE_HOME", dir.join("ansible"))
        .env("LC_ALL", "C.UTF-8")
        .env("ANSIBLE_NOCOLOR", "1");
    command
        .env("ANSIBLE_COLLECTIONS_PATH", dir.join("collections"))
        .env("ANSIBLE_RETRY_FILES_ENABLED", "0");
    command
}

/// The collection in `dir`, built and installed as an administrator does it.
pub fn collection(dir: &Path) {
    let build = ansible(dir, "ansible-galaxy")
        .args(["collection", "build"])
        .arg(source_root().join("shared/ansible"))
        .output()
        .unwrap();
    ok(&build, "build");
    let tarball = format!("runbook-tools-{}.tar.gz", env!("CARGO_PKG_VERSION"));
    let words = [
        "collection",
        "install",
        "--offline",
        "-p",
        "collections",
        &tarball,
    ];
    ok(
        &ansible(dir, "ansible-galaxy").args(words).output().unwrap(),
        "install",
    );
}

impl Controller {
    /// For these hosts.
    pub fn of(fleet: &Fleet) -> Controller {
        collection(fleet.dir());
        std::fs::create_dir(fleet.dir().join("callbacks")).unwrap();
        std::fs::copy(data("record.py"), fleet.dir().join("callbacks/record.py")).unwrap();
        Controller {
            dir: fleet.dir().to_path_buf(),
            inventory: fleet.inventory(),
            runs: AtomicU32::new(0),
        }
    }

    /// Runs one of its programs.
    pub fn run(&self, program: &str, words: &[&str]) -> Played {
        let record = self.dir.join(format!(
            "record{}",
            self.runs.fetch_add(1, Ordering::Relaxed)
        ));
        let mut command = ansible(&self.dir, program);
        command
            .arg("-i")
            .arg(&self.inventory)
            .args(words)
            .env("ANSIBLE_PIPELINING", "1");
        command
            .env("ANSIBLE_CALLBACK_PLUGINS", self.dir.join("callbacks"))
            .env("ANSIBLE_LOAD_CALLBACK_PLUGINS", "1");
        let done = command.env("RECORD", &record).output().unwrap();
        let text = std::fs::read_to_string(record).unwrap_or_default();
        let tasks = text
            .lines()
            .map(|line| Task::of(&serde_json::from_str(line).unwrap()))
            .collect();
        Played { done, tasks }
    }

    /// As [`Controller::play`], with every argument in a variables file of its own: Ansible shows
    /// the lines of a playbook where a task fails.
    pub fn play_quoted(&self, tasks: &[Value], words: &[&str]) -> Played {
        let mut given = serde_json::Map::new();
        let mut quoted = Vec::new();
        for (number, task) in tasks.iter().enumerate() {
            let mut task = task.clone();
            for (key, args) in task
                .as_object_mut()
                .unwrap()
                .iter_mut()
                .filter(|(key, _)| key.starts_with("runbook.tools."))
            {
                let _ = key;
                for (name, value) in args.as_object_mut().unwrap() {
                    let variable = format!("given_{number}_{name}");
                    given.insert(
                        variable.clone(),
                        std::mem::replace(value, format!("{{{{ {variable} }}}}").into()),
                    );
                }
            }
            quoted.push(task);
        }
        let path = self.dir.join("given.json");
        std::fs::write(&path, Value::Object(given).to_string()).unwrap();
        self.play(
            &quoted,
            &[words, &["-e", &format!("@{}", path.display())]].concat(),
        )
    }

    /// Runs tasks on the first host, each of them whatever became of the others.
    pub fn play(&self, tasks: &[Value], words: &[&str]) -> Played {
        let tasks: Vec<Value> = tasks.iter().cloned().map(tolerated).collect();
        let play = json!([{"hosts": "host1", "gather_facts": false, "tasks": tasks}]);
        let path = self
            .dir
            .join(format!("play{}.yml", self.runs.load(Ordering::Relaxed)));
        std::fs::write(&path, play.to_string()).unwrap();
        self.run(
            "ansible-playbook",
            &[words, &[path.to_str().unwrap()]].concat(),
        )
    }

    /// Tasks on all hosts, one host at a time, without anything that costs time beside them.
    #[allow(dead_code, reason = "the benchmark's")]
    pub fn timed(&self, tasks: &[Value], pipelining: &str) -> Output {
        let play = json!([{"hosts": "all", "gather_facts": false, "tasks": tasks}]);
        let path = self.dir.join("timed.yml");
        std::fs::write(&path, play.to_string()).unwrap();
        let mut command = ansible(&self.dir, "ansible-playbook");
        command
            .arg("-i")
            .arg(&self.inventory)
            .args(["-f", "1"])
            .arg(&path)
            .env("ANSIBLE_PIPELINING", pipelining);
        command.output().unwrap()
    }

    /// One module on a host, ad hoc.
    pub fn adhoc(&self, host: &str, module: &str, args: &str, more: &[&str]) -> Task {
        let module = format!("runbook.tools.{module}");
        let played = self.run(
            "ansible",
            &[&[host, "-m", &module, "-a", args][..], more].concat(),
        );
        let text = played.text();
        played
            .tasks
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("{text}"))
    }
}

fn tolerated(mut task: Value) -> Value {
    task["ignore_errors"] = true.into();
    task
}

impl Task {
    fn of(line: &Value) -> Task {
        let word = |key: &str| line[key].as_str().unwrap().to_owned();
        Task {
            name: word("task"),
            verdict: word("verdict"),
            result: line["result"].clone(),
        }
    }
}

impl Played {
    /// All that was printed.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.done.stdout).into_owned()
            + &String::from_utf8_lossy(&self.done.stderr)
    }

    /// The task of this name.
    #[track_caller]
    pub fn task(&self, name: &str) -> &Task {
        self.tasks
            .iter()
            .find(|task| task.name == name)
            .unwrap_or_else(|| panic!("no task {name}:\n{}", self.text()))
    }

    /// What was printed for it.
    pub fn printed(&self, name: &str) -> String {
        let text = String::from_utf8_lossy(&self.done.stdout);
        let from = text
            .find(&format!("TASK [{name}]"))
            .unwrap_or_else(|| panic!("no task {name}:\n{text}"));
        let rest = &text[from + 6..];
        rest[..rest
            .find("\nTASK [")
            .or_else(|| rest.find("\nPLAY RECAP"))
            .unwrap_or(rest.len())]
            .to_owned()
    }
}
