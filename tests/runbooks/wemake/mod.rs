//! wemake's runbook.

use crate::stage::{Init, Stage};
use std::process::Command;

/// The machine with what the nodes share, and the nodes, at version 1 and running.
struct Cluster {
    world: Stage,
    nodes: Vec<Stage>,
}

impl Cluster {
    fn up(count: usize) -> Option<Cluster> {
        let world = Stage::set("wemake", Init::Plain)?;
        let inside = |stage: &Stage| stage.machine.path("/").to_string_lossy().split('/').nth(2).unwrap().to_owned();
        let net = |stage: &Stage, words: &str| {
            let done = Command::new("nsenter").args(["-t", &inside(stage), "-n", "ip"]).args(words.split(' ')).output().unwrap();
            assert!(done.status.success(), "ip {words}: {}", String::from_utf8_lossy(&done.stderr));
        };
        net(&world, "link add br0 type bridge");
        net(&world, "addr add 10.77.0.1/24 dev br0");
        net(&world, "link set br0 up");
        world.commit("/srv/git/wemake", "site", "Version 1");
        world.must(&["sh", "/root/wemake/world.sh"]);
        let mut nodes = Vec::new();
        for n in 2..count + 2 {
            let node = Stage::set("wemake", Init::Systemd)?;
            net(&world, &format!("link add node{n} type veth peer name eth0 netns {}", inside(&node)));
            net(&world, &format!("link set node{n} master br0 up"));
            net(&node, &format!("addr add 10.77.0.{n}/24 dev eth0"));
            net(&node, "link set eth0 up");
            std::fs::copy(harness::test_venv().join("bin/uv"), node.machine.path("/usr/local/bin/uv")).expect("uv");
            nodes.push(node);
        }
        std::thread::scope(|scope| {
            for node in &nodes {
                scope.spawn(|| node.must(&["sh", "/root/wemake/host.sh"]));
            }
        });
        Some(Cluster { world, nodes })
    }
}

#[test]
fn three_nodes_at_once() {
    let t = std::time::Instant::now();
    let Some(cluster) = Cluster::up(3) else { return };
    println!("{:?}", t.elapsed());
    cluster.world.commit("/srv/git/wemake", "update", "Version 2");
    let night = cluster.nodes[0].runbook(&[]);
    println!("{:?} {night}", t.elapsed());
    while std::path::Path::new("/tmp/rbb/hold").exists() {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}
