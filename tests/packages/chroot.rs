//! A Debian of its own, as debootstrap makes it: the packages installed in it, used, upgraded and
//! purged.

use crate::{dist, run, sh, tree};
use harness::{TOOLS, schema, scratch, source_root};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the new system has besides the essential packages: what the tools work on, and who reads
/// manuals and completions.
const INCLUDED: &str =
    "ansible-core bash-completion cron fish libssl3 man-db postgresql python3-venv zsh";

/// The release and the mirror of this host's own packages.
fn release() -> (String, String) {
    let release = sh(". /etc/os-release; printf %s \"$VERSION_CODENAME\"", &[]);
    let targets = run(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(CODENAME) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    ]));
    let mirror = targets
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{release} main ")))
        .map(str::to_string);
    (
        release,
        mirror
            .unwrap_or_else(|| panic!("apt's sources have no main of its own release: {targets}")),
    )
}

/// The system before anything of ours, made once and kept below target/.
fn base() -> PathBuf {
    let (release, mirror) = release();
    let base = source_root()
        .join("target/chroot")
        .join(format!("{release} {INCLUDED}"));
    if !base.is_dir() {
        let new = source_root().join("target/chroot/new");
        sh("rm -rf \"$1\"; mkdir -p \"$(dirname \"$1\")\"", &[&new]);
        run(Command::new("debootstrap")
            .args(["--variant=minbase", &release])
            .arg(&new)
            .arg(&mirror));
        // Nothing of it starts here; afterwards only what a test copies into it is ever installed.
        let fill = "printf '#!/bin/sh\\nexit 101\\n' >\"$1/usr/sbin/policy-rc.d\"; chmod 755 \"$1/usr/sbin/policy-rc.d\"
                    enter() { DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot \"$1\" sh -c \"$2\"; }
                    enter \"$1\" \"apt-get -q update && apt-get -q -y --no-install-recommends install $(cat \"$2\") && apt-get clean\"
                    rm -r \"$1/usr/sbin/policy-rc.d\" \"$1/etc/apt/sources.list\" \"$1\"/var/lib/apt/lists/*_*";
        let list = scratch();
        fs::write(list.path().join("list"), INCLUDED).expect("a list");
        sh(fill, &[&new, &list.path().join("list")]);
        fs::rename(&new, &base).expect("its name");
    }
    base
}

/// A copy of it, gone at the end of the test.
struct Chroot {
    scratch: harness::TempDir,
}

impl Chroot {
    fn new() -> Chroot {
        assert!(
            nix::unistd::geteuid().is_root(),
            "a chroot needs root: make packages as root"
        );
        let chroot = Chroot { scratch: scratch() };
        sh(
            "cp -a \"$1\" \"$2/root\"",
            &[&base(), chroot.scratch.path()],
        );
        chroot
    }

    fn path(&self, path: &str) -> PathBuf {
        self.scratch
            .path()
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    /// A script in it, with processes, mounts and a network of its own, all of which end with it.
    #[track_caller]
    fn run(&self, script: &str) -> String {
        fs::write(self.path("script"), format!("set -eu\ncd /root\n{script}")).expect("a script");
        let enter = "mount -t proc proc \"$1/proc\"; mount -t tmpfs shm \"$1/dev/shm\"; ip link set lo up; exec chroot \"$1\" sh /script";
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--pid",
            "--net",
            "--uts",
            "--ipc",
            "--fork",
            "--kill-child",
            "sh",
            "-euc",
            enter,
            "sh",
        ]);
        command.arg(self.path("")).env_clear().env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        let said = run(command.envs([
            ("HOME", "/root"),
            ("LC_ALL", "C.UTF-8"),
            ("DEBIAN_FRONTEND", "noninteractive"),
            ("MANPAGER", "cat"),
        ]));
        fs::remove_file(self.path("script")).expect("the script");
        said
    }

    /// A script that ends with one of the tools: its report, which has to be the last line.
    #[track_caller]
    fn report(&self, tool: &str, script: &str) -> Value {
        let said = self.run(script);
        let report: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{script}\n{error}: {said}"));
        schema::check(tool, &report, script);
        assert_eq!(
            (&report["tool"], &report["rc"]),
            (&json!(tool), &json!(0)),
            "{report}"
        );
        report
    }

    /// Installs, or upgrades to, the packages of a directory.
    #[track_caller]
    fn install(&self, packages: &[PathBuf]) {
        let dir = self.path("packages");
        fs::create_dir(&dir).expect("a directory");
        for package in packages {
            fs::copy(package, dir.join(package.file_name().expect("a name"))).expect("a copy");
        }
        self.run("apt-get -q -y --no-install-recommends install /packages/*.deb");
        fs::remove_dir_all(&dir).expect("the directory");
        // Every package is whole, and dpkg agrees with the checksums.
        let state =
            self.run(&format!("dpkg-query -W -f '${{Package}} ${{db:Status-Abbrev}} ${{Version}}\\n' {}; dpkg --verify {0}", names()));
        assert_eq!(state.lines().count(), TOOLS.len() + 2, "{state}");
        assert!(state.lines().all(|line| line.contains(" ii ")), "{state}");
    }

    /// What there is, but for the notes that dpkg, apt, man-db and PostgreSQL keep of their own
    /// work.
    fn files(&self) -> BTreeSet<String> {
        let kept = [
            "/var/log/",
            "/var/cache/",
            "/var/lib/apt/",
            "/var/lib/dpkg/",
            "/var/lib/postgresql/",
        ];
        let others = |path: &String| {
            kept.iter().any(|dir| path.starts_with(dir)) && !path.starts_with("/var/lib/dpkg/info/")
        };
        tree(&self.path(""))
            .into_iter()
            .filter(|path| !others(path))
            .collect()
    }
}

fn names() -> String {
    format!(
        "runbook-tools ansible-collection-runbook-tools {}",
        TOOLS.join(" ")
    )
}

/// The same packages as a later release would have them.
fn newer(dir: &Path) -> Vec<PathBuf> {
    let again = "dpkg-deb --raw-extract \"$1\" \"$3\"; sed -i 's/^Version: .*/Version: 99.0.0-1/' \"$3/DEBIAN/control\"
                 dpkg-deb --root-owner-group --build \"$3\" \"$2\"; rm -rf \"$3\"";
    let repackaged = |package: PathBuf| {
        let name = package
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .replace("_0.", "_99.");
        sh(again, &[&package, &dir.join(&name), &dir.join("contents")]);
        dir.join(name)
    };
    dist("deb").into_iter().map(repackaged).collect()
}

/// Each tool says who it is; its manual is shown; each shell knows its completions.
fn shown(chroot: &Chroot) {
    for tool in TOOLS {
        assert_eq!(
            chroot.run(&format!("{tool} -V")),
            format!("{tool} {}\n", env!("CARGO_PKG_VERSION"))
        );
        assert!(
            chroot.run(&format!("{tool} --help")).contains("--dry-run")
                || tool == "log-paths"
                || tool == "check-reqs"
        );
        let manual = chroot.run(&format!("man {tool}"));
        assert!(
            manual.starts_with(&tool.to_uppercase()) && manual.contains("EXIT STATUS"),
            "{manual}"
        );
        let bash = format!(
            ". /usr/share/bash-completion/bash_completion; _completion_loader {tool} || [ $? -eq 124 ]; complete -p {tool}"
        );
        let known = chroot.run(&format!("bash -c '{bash}'"));
        assert!(
            known.contains(" -F _") && known.trim().ends_with(tool),
            "{known}"
        );
        let zsh =
            chroot.run(&format!("zsh -fc 'autoload -Uz compinit; compinit -u -d /tmp/compdump; print $_comps[{tool}]'; rm /tmp/compdump"));
        assert_eq!(zsh.trim(), format!("_{tool}"));
        let fish =
            chroot.run(&format!("HOME=/tmp/fish fish -c \"complete -C '{tool} --js'; complete -C '{tool} --out'\"; rm -rf /tmp/fish"));
        assert!(fish.contains("--output"), "{tool}: {fish}");
    }
    assert!(
        chroot
            .run("man 7 runbook-tools")
            .contains("RUNBOOK-TOOLS(7)")
    );
    assert!(chroot.run("man -k venv-sync").contains("venv-sync (8)"));
}

/// A small real job for each.
fn used(chroot: &Chroot) {
    // The collection is found where Ansible looks by itself, and speaks with the program.
    let listed = chroot.run("ansible-doc --list --type module runbook.tools 2>/dev/null");
    assert_eq!(
        listed
            .lines()
            .filter(|line| line.starts_with("runbook.tools."))
            .count(),
        TOOLS.len(),
        "{listed}"
    );
    assert!(
        chroot
            .run("ansible-doc --type module runbook.tools.venv_sync")
            .contains("requirement")
    );
    let answer = chroot.run("ansible localhost -m runbook.tools.check_reqs -a 'need=cmd:crontab' 2>/dev/null; rm -rf .ansible");
    assert!(
        answer.starts_with("localhost | SUCCESS") && answer.contains("\"msg\": \"1 met\""),
        "{answer}"
    );

    chroot.run("mkdir -p job/maintenance; : > job/manage.py; printf '15 0 * * * python manage.py clearsessions\\n' > job/cron.txt");
    let report = chroot.report(
        "check-reqs",
        "check-reqs 'python>=3.9' package:libssl3 package:venv-sync cmd:crontab",
    );
    assert_eq!(report["msg"], "4 met");

    let server = "version=$(ls /usr/lib/postgresql); pg_ctlcluster $version main start";
    let report = chroot
        .report("pg-ext-ensure", &format!("{server}; su postgres -c 'pg-ext-ensure -d postgres hstore'; pg_ctlcluster $version main stop"));
    assert_eq!(report["changed"], true);
    let report = chroot.report(
        "log-paths",
        &format!("{server}; log-paths postgresql; pg_ctlcluster $version main stop"),
    );
    assert!(
        report.to_string().contains("/var/log/postgresql/"),
        "{report}"
    );

    chroot.run(
        "cd job; mkdir wheels; python3 -m venv venv; printf '%s\\n' --no-index '--find-links wheels' 'gamma==1.0' > requirements.txt\n\
         python3 - <<'EOF'\n\
         import zipfile\n\
         info = 'gamma-1.0.dist-info/'\n\
         with zipfile.ZipFile('wheels/gamma-1.0-py3-none-any.whl', 'w') as wheel:\n\
         \x20   wheel.writestr('gamma.py', 'third = 3\\n')\n\
         \x20   wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: gamma\\nVersion: 1.0\\n')\n\
         \x20   wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: hand\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
         \x20   wheel.writestr(info + 'RECORD', 'gamma.py,,\\n' + ''.join(info + name + ',,\\n' for name in ('METADATA', 'WHEEL', 'RECORD')))\n\
         EOF",
    );
    let report = chroot.report(
        "venv-sync",
        "cd job; venv-sync apply venv -r requirements.txt --adopt",
    );
    assert_eq!(report["changed"], true);
    assert_eq!(
        chroot.run("job/venv/bin/python -c 'import gamma; print(gamma.third)'"),
        "3\n"
    );

    let daemon = "start-stop-daemon\", \"--start\", \"--background\", \"--make-pidfile\", \"--pidfile\", \"/root/job/pid\", \"--exec\", \"/bin/sleep\", \"--\", \"600";
    let set = format!(
        "[service.sleeper]\nbackend = \"pidfile\"\npidfile = \"/root/job/pid\"\nstart = [\"{daemon}\"]\n"
    );
    fs::write(chroot.path("root/job/services.toml"), set).expect("a set");
    let report = chroot.report(
        "svc-cycle",
        "svc-cycle start -f job/services.toml; svc-cycle cycle -f job/services.toml -- true; svc-cycle stop -f job/services.toml",
    );
    assert_eq!(report["msg"], "stop: sleeper");

    let report = chroot.report(
        "cron-render",
        "cron-render install job/cron.txt --name site --dir /root/job",
    );
    assert_eq!(report["changed"], true);
    let crontab = chroot.run("crontab -l");
    assert!(
        crontab.contains("15 0 * * * cd /root/job && ")
            && crontab.contains(" manage.py clearsessions\n"),
        "{crontab}"
    );
    assert_eq!(
        chroot.report("maint-page", "maint-page on --dir job/maintenance --for 8h")["up"],
        true
    );
}

#[test]
#[ignore = "makes a Debian of its own: make packages"]
fn installed_used_upgraded_and_purged() {
    let chroot = Chroot::new();
    let before = chroot.files();
    chroot.install(&dist("deb"));
    shown(&chroot);
    used(&chroot);

    // The page that the old version put up is the new one's to take down, and its lines are still
    // in the crontab.
    let later = scratch();
    chroot.install(&newer(later.path()));
    assert_eq!(
        chroot.run("dpkg-query -W -f '${Version}\\n' maint-page"),
        "99.0.0-1\n"
    );
    assert_eq!(
        chroot.report("maint-page", "maint-page status --dir job/maintenance")["up"],
        true
    );
    assert_eq!(
        chroot.report("maint-page", "maint-page off --dir job/maintenance")["changed"],
        true
    );
    assert_eq!(
        chroot.report(
            "cron-render",
            "cron-render install job/cron.txt --name site --dir /root/job"
        )["changed"],
        false
    );
    chroot.report("cron-render", "cron-render remove --name site");

    chroot.run(&format!("rm -rf job; apt-get -q -y purge {}", names()));
    let after = chroot.files();
    let left: Vec<&String> = after.difference(&before).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let gone: Vec<&String> = before.difference(&after).collect();
    assert!(gone.is_empty(), "taken away: {gone:?}");
    assert_eq!(
        chroot
            .run(&format!(
                "dpkg-query -W -f '${{Package}} ' {} 2>/dev/null || :",
                names()
            ))
            .trim(),
        ""
    );
}
