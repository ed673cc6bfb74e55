//! Where wheels come from: a wheelhouse, with hashes, an index that wants a password, an index that
//! fails; with uv and with pip.

use harness::venvs::Venvs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const INSTALLERS: [&str; 2] = ["uv", "pip"];

pub(super) fn sha256(path: &Path) -> String {
    let sum = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8_lossy(&sum.stdout)
        .split(' ')
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn offline_with_hashes() {
    for installer in INSTALLERS {
        let venvs = Venvs::with_alpha();
        let hash = |wheel: &str| sha256(&venvs.wheelhouse().join(wheel));
        let (alpha, beta) = (
            hash("alpha-1.0-py3-none-any.whl"),
            hash("beta-1.0-py3-none-any.whl"),
        );
        let wrong = format!("alpha==1.0 --hash=sha256:{beta}\nbeta==1.0 --hash=sha256:{beta}\n");
        venvs.requirements(&wrong);
        venvs
            .apply(&["--installer", installer])
            .run()
            .expect_code(3);
        assert!(!venvs.venv().exists());
        venvs.requirements(&wrong.replacen(&beta, &alpha, 1));
        venvs
            .apply(&["--installer", installer])
            .run()
            .expect_code(0);
        assert_eq!(venvs.python("import alpha; print(alpha.version)"), "1.0");
        venvs
            .sync("check", &["--verify", "hash"])
            .run()
            .expect_code(0);
        // A lock that forgot something is completed, not left broken.
        venvs.requirements("alpha==2.0\n");
        let done = venvs
            .apply(&["--installer", installer])
            .run()
            .expect_code(0)
            .json();
        assert_eq!(done["in_sync"], true);
        assert_eq!(venvs.python("import alpha; print(alpha.version)"), "2.0");
    }
}

#[test]
fn a_cache_gone_bad_is_noticed_and_gone_round() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    venvs.apply(&[]).run().expect_code(0);
    // What an editor, or a program that writes into its own package, does to a cache that is linked
    // and not copied.
    let spoil = "find home/uv-cache -name beta.py -exec sh -c 'chmod u+w \"$1\"; echo \"value = 9\" > \"$1\"' _ {} \\;";
    assert!(
        venvs
            .command("sh")
            .args(["-c", spoil])
            .status()
            .unwrap()
            .success()
    );
    venvs.requirements("alpha==2.0\n");
    venvs.apply(&[]).run().expect_code(0);
    assert_eq!(venvs.python("import beta; print(beta.value)"), "1");
}

/// An index (PEP 503) over the wheelhouse that lets in `joe` with his password alone.
pub(super) fn index(venvs: &Venvs) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let wheels = venvs.wheelhouse();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let wheels = wheels.clone();
            std::thread::spawn(move || answer(stream, &wheels));
        }
    });
    port
}

/// `joe:` and the password, in base64.
const AUTHORIZATION: &str = "basic am9lOnMzY3IzdC1wdw==";
pub(super) const PASSWORD: &str = "s3cr3t-pw";

fn answer(mut stream: std::net::TcpStream, wheels: &Path) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
        let mut allowed = false;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            let line = line.trim();
            allowed |= line.to_lowercase().starts_with("authorization:")
                && line.to_lowercase().ends_with(&AUTHORIZATION.to_lowercase());
        }
        let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
        let name = path
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let (status, kind, body) = if !allowed {
            (
                "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
                "text/plain",
                b"no".to_vec(),
            )
        } else if let Ok(wheel) = std::fs::read(wheels.join(name)) {
            ("200 OK", "application/octet-stream", wheel)
        } else {
            let all = std::fs::read_dir(wheels)
                .unwrap()
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned());
            let links = all
                .filter(|wheel| wheel.starts_with(&format!("{name}-")))
                .map(|wheel| format!("<a href=\"/files/{wheel}\">{wheel}</a>\n"));
            (
                "200 OK",
                "text/html",
                links.collect::<String>().into_bytes(),
            )
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&body))
            .is_err()
        {
            return;
        }
    }
}

/// Every file below that has the password in it.
fn leaks(dir: &Path) -> Vec<PathBuf> {
    let grep = Command::new("grep")
        .args(["-rlF", PASSWORD])
        .arg(dir)
        .output()
        .unwrap();
    String::from_utf8_lossy(&grep.stdout)
        .lines()
        .map(PathBuf::from)
        .collect()
}

#[test]
fn no_password_appears_anywhere() {
    // pip takes its time to make an environment: one of the three ways is enough for it, in the
    // long form all.
    let all: &[&str] = &["file", "variable", "link"];
    for (installer, ways) in [
        ("uv", all),
        (
            "pip",
            if harness::full_sweep() {
                all
            } else {
                &all[1..2]
            },
        ),
    ] {
        for way in ways.iter().copied() {
            let venvs = Venvs::with_alpha();
            let port = index(&venvs);
            let address = format!("http://joe:{PASSWORD}@127.0.0.1:{port}");
            match way {
                "file" => venvs.requirements(&format!("--index-url {address}/simple/\nalpha==1.0\n")),
                "variable" => venvs.requirements("alpha==1.0\n"),
                _ => venvs.requirements(&format!("--index-url {address}/simple/\nalpha @ {address}/files/alpha-1.0-py3-none-any.whl\n")),
            };
            let run = |password: &str, venv: &str| {
                let mut strace = venvs.command("strace");
                strace
                    .args([
                        "-f",
                        "-qq",
                        "-s",
                        "10000",
                        "-e",
                        "trace=execve",
                        "-o",
                        "trace",
                    ])
                    .arg(harness::bin("venv-sync"));
                strace.args([
                    "apply",
                    venv,
                    "-r",
                    "requirements.txt",
                    "--installer",
                    installer,
                    "--python",
                    "/usr/bin/python3",
                    "--journal",
                    "journal",
                ]);
                strace.env_remove("UV_OFFLINE").env("NO_PROXY", "*");
                if way == "variable" {
                    strace.env(
                        "PIP_INDEX_URL",
                        format!("http://joe:{password}@127.0.0.1:{port}/simple/"),
                    );
                }
                strace.output().unwrap()
            };
            let done = run(PASSWORD, "venv");
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&done.stdout),
                String::from_utf8_lossy(&done.stderr)
            );
            assert_eq!(done.status.code(), Some(0), "{installer} {way}: {said}");
            assert!(!said.contains(PASSWORD), "{installer} {way}: {said}");
            assert_eq!(
                leaks(&venvs.path().join("venv.d")),
                Vec::<PathBuf>::new(),
                "{installer} {way}"
            );
            assert_eq!(leaks(&venvs.path().join("journal")), Vec::<PathBuf>::new());
            let trace = std::fs::read_to_string(venvs.path().join("trace")).unwrap();
            let argv: Vec<&str> = trace
                .lines()
                .filter(|line| line.contains(PASSWORD))
                .collect();
            assert!(
                argv.is_empty() && trace.contains("execve"),
                "{installer} {way}: {argv:?}"
            );
            let mut check = venvs.sync("check", &[]);
            check.command().env("PIP_INDEX_URL", &address);
            assert!(!check.run().expect_code(0).out().contains(PASSWORD));

            // A failure says what the installer said, without it.
            venvs.requirements(&format!(
                "--index-url {address}/simple/\nnowhere-to-be-found\nalpha @ {address}/files/none-1.0-py3-none-any.whl\n"
            ));
            let failed = run(PASSWORD, "venv");
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&failed.stdout),
                String::from_utf8_lossy(&failed.stderr)
            );
            assert_eq!(failed.status.code(), Some(3), "{said}");
            assert!(
                !said.contains(PASSWORD) && said.contains("still live"),
                "{installer} {way}: {said}"
            );
            assert_eq!(leaks(&venvs.path().join("journal")), Vec::<PathBuf>::new());
        }
    }
}

/// A server that has this one answer for everybody; `None` keeps them waiting.
fn unwell(answer: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                while reader.read_line(&mut line).unwrap_or(0) > 0 {
                    if line.ends_with("\r\n\r\n") {
                        match answer {
                            Some(status) => drop(write!(
                                stream,
                                "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                            )),
                            None => std::thread::sleep(Duration::from_secs(30)),
                        }
                        return;
                    }
                }
            });
        }
    });
    port
}

/// A port where nobody listens, and nobody else will as long as this is kept.
fn deaf() -> (std::os::fd::OwnedFd, u16) {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket,
    };
    use std::os::fd::AsRawFd;
    let held = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    bind(held.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let port = getsockname::<SockaddrIn>(held.as_raw_fd()).unwrap().port();
    (held, port)
}

#[test]
fn an_index_that_does_not_answer_is_worth_another_try() {
    for installer in INSTALLERS {
        let venvs = Venvs::with_alpha();
        venvs.requirements("alpha==1.0\n");
        venvs.apply(&[]).run().expect_code(0);
        let apply = |index: &str, line: &str| {
            venvs.requirements(&format!("--index-url {index}\n{line}\n"));
            let mut apply = venvs.sync(
                "apply",
                &["--installer", installer, "--python", "/usr/bin/python3"],
            );
            apply
                .command()
                .env_remove("UV_OFFLINE")
                .env("NO_PROXY", "*")
                .env("PIP_DEFAULT_TIMEOUT", "1")
                .env("UV_HTTP_TIMEOUT", "1");
            apply
                .command()
                .env("PIP_RETRIES", "0")
                .env("UV_HTTP_RETRIES", "0");
            let done = apply.run();
            assert_eq!(venvs.python("import alpha; print(alpha.version)"), "1.0");
            assert_eq!(
                std::fs::read_dir(venvs.path().join("venv.d/releases"))
                    .unwrap()
                    .count(),
                1
            );
            done
        };
        let at = |port: u16| format!("http://joe:{PASSWORD}@127.0.0.1:{port}/simple/");
        let (_held, port) = deaf();
        let away = [
            ("nobody listens", at(port)),
            ("503", at(unwell(Some("503 Service Unavailable")))),
            ("504", at(unwell(Some("504 Gateway Timeout")))),
            ("429", at(unwell(Some("429 Too Many Requests")))),
            ("no answer", at(unwell(None))),
            (
                "no such host",
                format!("https://joe:{PASSWORD}@index.invalid/simple/"),
            ),
        ];
        // pip makes every new environment from scratch, which takes seconds: in the short form two
        // of them tell.
        let count = if installer == "uv" || harness::full_sweep() {
            away.len()
        } else {
            2
        };
        for (what, index) in away.into_iter().take(count) {
            let done = apply(&index, "alpha==2.0").expect_code(75);
            let said = format!("{installer}, {what}: {}", done.json());
            assert_eq!(done.json()["error"]["kind"], "unreachable", "{said}");
            let named = format!(
                "the index {} cannot be reached: ",
                index.replace(PASSWORD, "***")
            );
            assert!(
                done.json()["error"]["message"]
                    .as_str()
                    .unwrap()
                    .starts_with(&named),
                "{said}"
            );
            assert!(
                done.json()["msg"].as_str().unwrap().contains("still live"),
                "{said}"
            );
            assert!(
                !done.out().contains(PASSWORD) && !done.err().contains(PASSWORD),
                "{said}"
            );
        }
        // An archive by its own address.
        let done = apply(
            &at(port),
            &format!("alpha @ http://127.0.0.1:{port}/alpha-2.0-py3-none-any.whl"),
        )
        .expect_code(75);
        assert!(
            done.err().contains(&format!(
                "http://127.0.0.1:{port}/alpha-2.0-py3-none-any.whl cannot be reached"
            )),
            "{}",
            done.err()
        );

        // What is not there, and what is not allowed, will be the same the next time.
        for what in ["404 Not Found", "403 Forbidden"]
            .into_iter()
            .take(count / 2)
        {
            let index = at(unwell(Some(what)));
            let done = apply(&index, "alpha==2.0").expect_code(3);
            assert_eq!(
                done.json()["error"]["kind"],
                "failed",
                "{installer}, {what}: {}",
                done.json()
            );
        }
        if count == 2 {
            continue;
        }
        let done = apply(&at(index(&venvs)), "nowhere-to-be-found").expect_code(3);
        assert_eq!(
            done.json()["error"]["kind"],
            "failed",
            "{installer}: {}",
            done.json()
        );
    }
}
