//! Something that never answers at every path that a run opens. A first run of each verb says,
//! through strace, which files it opens, which locks it takes and which sockets it connects to;
//! then each of these is a FIFO without a writer, a lock that somebody holds, or a socket whose
//! queue is full, and the run has to end in time. The short form tries every fourth place of every
//! third verb, RUNBOOK_SWEEP=full all.

mod ending;
mod place;
mod runs;
mod scene;

use crate::peers::{MOST, end};
use place::Place;
use runs::RUNS;
use scene::Scene;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The timeout of each run.
const TIMEOUT: &str = "2s";

/// What is wrong with a run over a place that never answers.
fn wrong(scene: &mut Scene, tool: &str, args: &[&str], place: &Place) -> Option<String> {
    scene.set();
    if matches!(place, Place::Connected(_)) {
        if let Some(server) = &mut scene.server {
            end(server);
        }
    }
    let mut blocker = place.block();
    let words = scene.command(tool, args);
    let err = scene.top.path().join("err");
    let began = Instant::now();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .current_dir(scene.dir())
        .env("HOME", scene.dir().join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&err).unwrap())
        .spawn()
        .unwrap();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if began.elapsed() > 2 * MOST => break None,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let took = began.elapsed();
    end(&mut child);
    if let Some(blocker) = &mut blocker {
        end(blocker);
    }
    let said = fs::read_to_string(&err).unwrap_or_default();
    let about = |what: &str| {
        Some(format!(
            "{tool} {args:?}, {place:?}: {what} after {took:?}: {said}"
        ))
    };
    // What has to be put back after COMMAND has a time of its own.
    let most = if args.contains(&"--") { 2 * MOST } else { MOST };
    match status.map(|status| status.code()) {
        None => about("no end"),
        Some(None) => about("ended by a signal"),
        Some(Some(_)) if said.contains("panicked") || said.contains("internal error") => {
            about("a crash")
        }
        Some(Some(0 | 1 | 2 | 3 | 75 | 125)) if took <= most => None,
        Some(Some(code)) => about(&format!("exit status {code}")),
    }
}

#[test]
fn every_run_ends_whatever_never_answers() {
    if !harness::need_root() {
        return;
    }
    let mut scene = Scene::new();
    scene.make_releases();
    let (mut wrongs, mut tried, mut number) = (Vec::new(), 0, 0);
    let mut kinds = [0; 3];
    for (index, (tool, args)) in RUNS.iter().enumerate() {
        if !harness::full_sweep() && index % 3 != 0 {
            continue;
        }
        let places = scene.places(tool, args).unwrap_or_else(|why| {
            wrongs.push(why);
            BTreeSet::new()
        });
        for place in places {
            number += 1;
            let kind = match place {
                Place::Opened(_) => 0,
                Place::Locked(_) => 1,
                Place::Connected(_) => 2,
            };
            kinds[kind] += 1;
            if !harness::full_sweep() && number % 4 != 0 {
                continue;
            }
            tried += 1;
            wrongs.extend(wrong(&mut scene, tool, args, &place));
        }
    }
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
    assert!(tried > 10, "{tried}");
    assert!(
        wrongs.is_empty(),
        "{tried} tried of {kinds:?}:\n{}",
        wrongs.join("\n")
    );
}
