//! Two people who are root on one host, by sudo and by their ssh keys, with a real sudo and a real
//! sshd: neither undoes the other's hold.

use harness::machine::Machine;
use harness::need;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A host with sshd, and alice and bob, who may do everything by sudo; root's account takes both
/// keys.
struct Host {
    machine: Machine,
}

/// Somebody's open terminal on the host: the first command has run, and the session goes on.
struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        // On a terminal Control-D is the end of the input: it ends the session's last command.
        if let Some(mut input) = self.0.stdin.take() {
            let _ = input.write_all(b"\x04");
        }
        let began = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && began.elapsed().as_secs() < 5 {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Host {
    /// `expose` is sshd's ExposeAuthInfo.
    fn new(expose: &str) -> Option<Host> {
        for program in ["ssh", "sshd", "sudo"] {
            need(program)?;
        }
        let machine = Machine::with_plain_init()?;
        machine.tool("maint-page").arg("-V").run().expect_code(0);
        machine.write(
            "/etc/ssh/test",
            &format!(
                "HostKey /etc/ssh/test-host\nAuthorizedKeysFile /etc/ssh/keys-%u\nPermitRootLogin prohibit-password\nStrictModes no\n\
                 UsePAM no\nUseDNS no\nPidFile none\nListenAddress 127.0.0.1\nPort 2222\nExposeAuthInfo {expose}\n"
            ),
        );
        machine.write("/etc/sudoers.d/test", "alice,bob ALL=(ALL) NOPASSWD: ALL\n");
        machine.must(&[
            "sh",
            "-ec",
            "chmod 440 /etc/sudoers.d/test; mkdir -p /run/sshd /srv
             for user in alice bob; do
                 useradd --create-home --shell /bin/sh --password '*' $user
                 ssh-keygen -q -t ed25519 -N '' -f /root/key-$user
                 cp /root/key-$user.pub /etc/ssh/keys-$user
             done
             cat /root/key-*.pub >/etc/ssh/keys-root
             ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/test-host
             /usr/sbin/sshd -f /etc/ssh/test",
        ]);
        Some(Host { machine })
    }

    /// `key`'s owner logs in as `user` with a terminal, runs `line`, and stays.
    #[track_caller]
    fn session(&self, key: &str, user: &str, line: &str) -> (Session, i32, String) {
        let done = "/tmp/done";
        let line =
            format!("{line} >/tmp/said 2>&1; echo $? >/tmp/rc; mv /tmp/rc {done}; cat >/dev/null");
        let destination = format!("{user}@127.0.0.1");
        let identity = format!("/root/key-{key}");
        let mut ssh = self.machine.command(&[
            "ssh",
            "-tt",
            "-q",
            "-F",
            "none",
            "-p",
            "2222",
            "-i",
            &identity,
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "IdentitiesOnly=yes",
            &destination,
            &line,
        ]);
        let child = ssh
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let session = Session(child);
        let read =
            |path: &str| std::fs::read_to_string(self.machine.path(path)).unwrap_or_default();
        harness::wait_until("the answer over ssh", || !read(done).is_empty());
        let (code, said) = (read(done).trim().parse().unwrap(), read("/tmp/said"));
        self.machine.must(&["rm", "-f", done, "/tmp/said"]);
        (session, code, said)
    }

    fn is_up(&self) -> bool {
        self.machine.path("/srv/m/on").exists()
    }

    fn message(&self) -> String {
        std::fs::read_to_string(self.machine.path("/srv/m/page/page.json")).unwrap_or_default()
    }
}

const ON: &str = "maint-page on --dir /srv/m -o text --message";
const OFF: &str = "maint-page off --dir /srv/m -o text";

#[test]
fn by_sudo_each_has_a_hold_of_their_own() {
    let Some(host) = Host::new("no") else { return };
    let (_alice, code, said) = host.session("alice", "alice", &format!("sudo {ON} alices"));
    assert_eq!(code, 0, "{said}");
    let (_bob, code, said) = host.session("bob", "bob", &format!("sudo {OFF}"));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is held by alice"), "{said}");
    assert!(host.is_up() && host.message().contains("alices"));
    let (_bob, code, said) = host.session("bob", "bob", &format!("sudo {ON} bobs && sudo {OFF}"));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("still up for alice"), "{said}");
    assert!(host.is_up());
    // alice's own terminal is still open; another one of hers is alice's, too, once that has ended.
    drop(_alice);
    let (_again, code, said) = host.session("alice", "alice", &format!("sudo {OFF}"));
    assert_eq!(code, 0, "{said}");
    assert!(!host.is_up());
}

#[test]
fn by_key_two_who_are_both_root_are_two_while_both_are_there() {
    let Some(host) = Host::new("no") else { return };
    let (alice, code, said) = host.session("alice", "root", &format!("{ON} alices"));
    assert_eq!(code, 0, "{said}");
    let (_bob, code, said) = host.session("bob", "root", &format!("{ON} bobs"));
    assert_eq!(code, 75, "{said}");
    assert!(
        said.contains("is somebody else's") && said.contains(" from 127.0.0.1"),
        "{said}"
    );
    let (_bob, code, said) = host.session("bob", "root", OFF);
    assert_eq!(code, 1, "{said}");
    assert!(host.is_up() && host.message().contains("alices"));
    // With an id of his own bob has a hold of his own.
    let (_bob, code, said) = host.session(
        "bob",
        "root",
        &format!("{ON} bobs --id bob && {OFF} --id bob"),
    );
    assert_eq!(code, 0, "{said}");
    assert!(host.is_up());
    // Without ExposeAuthInfo nobody can tell who root was, once alice has left.
    drop(alice);
    let (_bob, code, said) = host.session("bob", "root", OFF);
    assert_eq!(code, 0, "{said}");
    assert!(!host.is_up());
}

#[test]
fn with_sshds_word_for_the_key_a_hold_is_its_persons_also_afterwards() {
    let Some(host) = Host::new("yes") else { return };
    let (alice, code, said) = host.session("alice", "root", &format!("{ON} alices"));
    assert_eq!(code, 0, "{said}");
    drop(alice);
    let (_bob, code, said) = host.session("bob", "root", OFF);
    assert_eq!(code, 1, "{said}");
    assert!(host.is_up());
    let (_alice, code, said) = host.session("alice", "root", &format!("{ON} otherwise"));
    assert_eq!(code, 0, "{said}");
    // A second terminal of alice's, while the first is open.
    let (_other, code, said) = host.session("alice", "root", OFF);
    assert_eq!(code, 0, "{said}");
    assert!(!host.is_up());
}
