//! Nodes of one site on machines of their own, and a machine with what they share: PostgreSQL, the
//! git server, the package index. A bridge and a cable to each node connect them, so that one can
//! be pulled out.

use crate::stage::{Init, Stage};
use harness::need;
use std::process::Command;

/// All at version 1, and running.
pub struct Cluster {
    /// 10.77.0.1.
    pub world: Stage,
    /// 10.77.0.2 and on.
    pub nodes: Vec<Stage>,
}

impl Cluster {
    /// `None` where machines cannot be had and may be done without.
    pub fn up(count: usize) -> Option<Cluster> {
        for program in ["caddy", "pg_createcluster", "git", "ip"] {
            need(program)?;
        }
        let world = Stage::set("wemake", Init::Plain)?;
        ip(&world, "link add br0 type bridge");
        ip(&world, "addr add 10.77.0.1/24 dev br0");
        ip(&world, "link set br0 up");
        world.commit("/srv/git/wemake", "site", "Version 1");
        world.must(&["sh", "/root/wemake/world.sh"]);
        let mut nodes = Vec::new();
        for n in 2..count + 2 {
            let node = Stage::set("wemake", Init::Systemd)?;
            ip(
                &world,
                &format!(
                    "link add node{n} type veth peer name eth0 netns {}",
                    first_process(&node)
                ),
            );
            ip(&world, &format!("link set node{n} master br0 up"));
            ip(&node, &format!("addr add 10.77.0.{n}/24 dev eth0"));
            ip(&node, "link set eth0 up");
            std::fs::copy(
                harness::test_venv().join("bin/uv"),
                node.machine.path("/usr/local/bin/uv"),
            )
            .expect("uv");
            nodes.push(node);
        }
        std::thread::scope(|scope| {
            for node in &nodes {
                scope.spawn(|| node.must(&["sh", "/root/wemake/host.sh"]));
            }
        });
        Some(Cluster { world, nodes })
    }

    /// The authors commit what this line does to their repository.
    pub fn change(&self, line: &str) {
        self.world.sh(&format!(
            "cd /srv/git/wemake && {line} && git add -A && git -c user.name=site -c user.email=site@example.org commit -q -m change"
        ));
    }

    /// What a query gives, in one line each.
    pub fn psql(&self, sql: &str) -> String {
        let line = format!(
            "cd / && setpriv --reuid postgres --regid postgres --init-groups psql -XAtq wemake -c \"{sql}\""
        );
        self.world.sh(&line).trim().to_owned()
    }

    /// The nodes that wait for the lock on the migrations.
    pub fn waiting(&self) -> usize {
        self.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            .parse()
            .unwrap()
    }

    /// No node migrates, and none waits.
    pub fn nobody_migrates(&self) {
        assert_eq!(
            self.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
            "0"
        );
    }
}

/// ip(8) in a machine's network, with our own eyes on processes.
pub fn ip(stage: &Stage, words: &str) {
    let done = Command::new("nsenter")
        .args(["-t", &first_process(stage), "-n", "ip"])
        .args(words.split(' '))
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "ip {words}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn first_process(stage: &Stage) -> String {
    stage
        .machine
        .path("/")
        .to_string_lossy()
        .split('/')
        .nth(2)
        .expect("/proc/PID/root/")
        .to_owned()
}
