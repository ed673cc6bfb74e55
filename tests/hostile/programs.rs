//! Programs on paths of another user: whose they are when they are looked at, and whose when they
//! run.

use crate::user::{DEP, Host, Racer, rounds};
use harness::tool;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// `bin` is the user's directory at one moment and a link to root's at the next.
const FLIPPER: &str = "
roots = open('roots').read()
os.symlink(roots, 'link')
while True:
    try:
        os.rename('bin', 'own')
        os.rename('link', 'bin')
        os.rename('bin', 'link')
        os.rename('own', 'bin')
    except OSError:
        pass
";

#[test]
fn a_program_that_is_exchanged_runs_as_its_user_or_not_at_all() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let marks = host.site().parent().unwrap().join("marks");
    fs::create_dir(&marks).unwrap();
    fs::set_permissions(&marks, fs::Permissions::from_mode(0o777)).unwrap();
    // Root's directory, where everybody may look, has a program of that name.
    let public = host.site().parent().unwrap().join("public");
    fs::create_dir(&public).unwrap();
    let program = |path: &std::path::Path, words: &str| {
        fs::write(
            path,
            format!("#!/bin/sh\n{words}\necho 'git version 2.40.0'\n"),
        )
        .unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    program(&public.join("git"), "true");
    let bin = host.site().join("bin");
    fs::create_dir(&bin).unwrap();
    program(
        &bin.join("git"),
        &format!("id -u >> {0}/$(id -u)", marks.display()),
    );
    host.give(&bin);
    host.give(&bin.join("git"));
    fs::write(host.site().join("roots"), public.to_str().unwrap()).unwrap();
    let racer = Racer::start(&host.site(), FLIPPER);
    let need = format!("cmd:{}/git>=1", bin.display());
    for round in 0..rounds() {
        tool("check-reqs").args([&need, "--timeout", "10s"]).run();
        assert!(
            !marks.join("0").exists(),
            "round {round}: root ran the user's program"
        );
    }
    drop(racer);
    // The race was one: the user's program ran, as that user.
    assert!(marks.join(DEP.to_string()).exists());
}

/// A pid file is honest when it is looked at, and names root's process when it is read.
const SWAPPER: &str = "
victim = open('victim').read()
own = str(os.getpid())
while True:
    for text in (own, victim):
        with open('next', 'w') as f:
            f.write(text)
        os.rename('next', 'app.pid')
";

#[test]
fn a_pid_file_that_is_exchanged_ends_no_process_of_roots() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let mut victim = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .unwrap();
    fs::write(host.site().join("victim"), victim.id().to_string()).unwrap();
    let pid_file = format!("pidfile:{}/app.pid", host.site().display());
    for round in 0..rounds() / 5 {
        // Its own process may be ended by the stop: that is what it asked for.
        let racer = Racer::start(&host.site(), SWAPPER);
        tool("svc-cycle")
            .args(["stop", &pid_file, "--timeout", "2s"])
            .run();
        drop(racer);
        assert!(
            victim.try_wait().unwrap().is_none(),
            "round {round}: root's process was ended"
        );
    }
    let _ = victim.kill();
    let _ = victim.wait();
}

/// A list of requirements of the user's.
fn list(host: &Host, text: &str) -> String {
    let path = host.site().join("needs.toml");
    fs::write(&path, text).unwrap();
    host.give(&path);
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_users_list_of_requirements_is_looked_at_as_that_user() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let top = host.site().parent().unwrap().to_path_buf();
    let marks = top.join("marks");
    fs::create_dir(&marks).unwrap();
    fs::set_permissions(&marks, fs::Permissions::from_mode(0o777)).unwrap();
    let mark = |name: &str| format!("echo > {}/{name}.$(id -u); echo 1.0", marks.display());
    // A program of a third user's: the user's words do not reach that user either.
    let third = top.join("third");
    fs::write(&third, "#!/bin/sh\neval \"$1\"\n").unwrap();
    fs::set_permissions(&third, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(&third, Some(DEP + 1), Some(DEP + 1)).unwrap();
    let site = host.site();
    fs::write(
        site.join("manage.py"),
        format!(
            "import os\nopen('{}/django.%d' % os.getuid(), 'w').close()\n",
            marks.display()
        ),
    )
    .unwrap();
    host.give(&site.join("manage.py"));
    let venv = top.join("venv");
    crate::peers::venv(&venv);
    let secret = host.secret("secret", "root's own words\n");
    let socket = host.roots().join("root.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    fs::set_permissions(host.roots(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let text = format!(
        "[[check]]\ntype = \"command\"\nname = \"sh\"\nversion = \">=1\"\nargs = [\"-c\", \"{}\"]\n\
         [[check]]\ntype = \"command\"\nname = \"{}\"\nversion = \">=1\"\nargs = [\"{}\"]\n\
         [[any]]\nof = [{{ type = \"command\", name = \"sh\", version = \">=9\", args = [\"-c\", \"{}\"] }}, \"cmd:nosuch\"]\n\
         [[check]]\ntype = \"django\"\ndirectory = \"{}\"\nvenv = \"{}\"\nuser = \"root\"\n\
         [[check]]\ntype = \"tcp\"\nsocket = \"{}\"\n",
        mark("command"),
        third.display(),
        mark("third"),
        mark("any"),
        site.display(),
        venv.display(),
        socket.display()
    );
    let run = |more: &[&str]| {
        tool("check-reqs")
            .args(["-f", &list(&host, &text), "--timeout", "20s"])
            .args(more)
            .run()
    };
    let done = run(&[]);
    let mut made: Vec<String> = fs::read_dir(&marks)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    made.sort();
    let expected: Vec<String> = ["any", "command", "django", "third"]
        .iter()
        .map(|name| format!("{name}.{DEP}"))
        .collect();
    assert_eq!(made, expected, "{} {}", done.out(), done.err());
    assert!(listener.accept().is_err(), "root connected to the socket");
    let items = done.json()["items"].as_array().unwrap().clone();
    let tcp = items.iter().find(|item| item["type"] == "tcp");
    assert_eq!(tcp.unwrap()["status"], "unknown", "{}", done.out());
    // What the user cannot see is unknown, not missing; root's own words decide otherwise.
    let hidden = host.roots().join("closed");
    fs::create_dir(&hidden).unwrap();
    fs::rename(&secret, hidden.join("secret")).unwrap();
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700)).unwrap();
    let path = list(
        &host,
        &format!(
            "[[check]]\ntype = \"file\"\npath = \"{}/secret\"\n",
            hidden.display()
        ),
    );
    let look = |more: &[&str]| {
        let done = tool("check-reqs").args(["-f", &path]).args(more).run();
        done.json()["items"][0]["status"].clone()
    };
    assert_eq!(look(&[]), "unknown");
    assert_eq!(look(&["--trust", &path]), "met");
}

#[test]
fn the_check_of_a_known_program_takes_nothing_from_the_process_before_it_is_that_user() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let marks = host.site().parent().unwrap().join("marks");
    fs::create_dir(&marks).unwrap();
    fs::set_permissions(&marks, fs::Permissions::from_mode(0o777)).unwrap();
    fs::copy("/bin/sleep", host.site().join("nginx")).unwrap();
    // The dynamic loader of whoever has these variables writes a file of its own: as whom the
    // variables were believed.
    let script = format!(
        "export LD_DEBUG=libs LD_DEBUG_OUTPUT={}/d; exec -a 'nginx: master process nginx' {}/nginx 60",
        marks.display(),
        host.site().display()
    );
    let id = DEP.to_string();
    // With mounts of its own, as a unit with PrivateTmp= has.
    let mut service = std::process::Command::new("unshare")
        .args(["--mount", "setpriv", "--reuid", &id, "--regid", &id])
        .args(["--clear-groups", "bash", "-c", &script])
        .spawn()
        .unwrap();
    harness::wait_until("the process has its title", || {
        fs::read(format!("/proc/{}/cmdline", service.id())).is_ok_and(|c| c.starts_with(b"nginx:"))
    });
    let pid_file = host.site().join("nginx.pid");
    fs::write(&pid_file, service.id().to_string()).unwrap();
    host.give(&pid_file);
    let set = host.roots().join("set.toml");
    fs::write(
        &set,
        format!(
            "[service.nginx]\nbackend = \"pidfile\"\npidfile = \"{}\"\nstart = [\"/bin/true\"]\n",
            pid_file.display()
        ),
    )
    .unwrap();
    let owners = || -> Vec<u32> {
        fs::read_dir(&marks)
            .unwrap()
            .map(|entry| std::os::unix::fs::MetadataExt::uid(&entry.unwrap().metadata().unwrap()))
            .collect()
    };
    let before = owners().len();
    let done = tool("svc-cycle")
        .args(["restart", "--file"])
        .arg(&set)
        .run();
    let lives = service.try_wait().unwrap().is_none();
    let _ = service.kill();
    let _ = service.wait();
    let owners = owners();
    assert!(
        owners.len() > before,
        "no check has run: {} {}",
        done.out(),
        done.err()
    );
    assert!(owners.iter().all(|uid| *uid == DEP), "{owners:?}");
    // The check has failed (sleep knows no -t), and so nothing was stopped.
    assert!(lives, "{}", done.out());
    done.expect_code(3);
}

#[test]
fn a_users_requirements_are_not_installed_for_root_or_a_third_user() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let make = |name: &str, uid: u32| {
        let path = host.site().parent().unwrap().join(name);
        crate::peers::venv(&path);
        let chown = std::process::Command::new("chown")
            .args(["-R", &format!("{uid}:{uid}")])
            .arg(&path)
            .status()
            .unwrap();
        assert!(chown.success());
        path.to_str().unwrap().to_owned()
    };
    let (roots, third, own) = (
        make("roots-venv", 0),
        make("third", DEP + 1),
        make("own", DEP),
    );
    let file = host.site().join("requirements.txt");
    fs::write(&file, "--no-index\n").unwrap();
    host.give(&file);
    let file = file.to_str().unwrap();
    // One that root's file includes.
    let includes = host.roots().join("requirements.txt");
    fs::write(&includes, format!("-r {file}\n")).unwrap();
    let includes = includes.to_str().unwrap();
    let python = host.site().join("python3");
    std::os::unix::fs::symlink("/usr/bin/python3", &python).unwrap();
    host.give(&python);
    let python = python.to_str().unwrap();
    let run = |verb: &str, args: &[&str]| {
        tool("venv-sync")
            .args([verb, "-n", "--adopt", "--timeout", "60s"])
            .args(args)
            .run()
    };
    for venv in [&roots, &third] {
        for file in [file, includes] {
            for verb in ["apply", "prepare"] {
                let done = run(verb, &["-r", file, venv]).expect_code(2);
                assert!(done.err().contains("--trust"), "{}", done.err());
            }
        }
    }
    let site = host.site();
    let site = site.to_str().unwrap();
    for more in [["--wheelhouse", site], ["--python", python]] {
        run("apply", &[more[0], more[1], "-r", "/dev/null", &roots])
            .expect_code(2)
            .expect_err("is refused");
    }
    for (trusted, venv) in [(None, &own), (Some(file), &roots)] {
        let trust: Vec<&str> = trusted.iter().flat_map(|file| ["--trust", *file]).collect();
        let done = run("apply", &[&trust[..], &["-r", file, venv]].concat());
        assert!(
            [0, 1].contains(&done.code()),
            "{} {}",
            done.out(),
            done.err()
        );
    }
}
