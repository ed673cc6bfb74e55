//! The readers of svc-cycle on random bytes: each reader ends, and reports what is wrong.
//!
//! The corpus is the same in every run, so that a failure can be repeated.

use std::path::Path;

use crate::set::Set;
use crate::xmlrpc;
use base::source::Source;

/// Whether the long forms are asked for: `make fuzz`.
fn full_sweep() -> bool {
    std::env::var_os("RUNBOOK_SWEEP").is_some_and(|value| value == "full")
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

const ANSWERS: [&str; 3] = [
    "<?xml version='1.0'?><methodResponse><params><param><value><array><data><value><struct><member><name>pid</name><value><int>42</int></value></member></struct></value></data></array></value></param></params></methodResponse>",
    "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>70</int></value></member><member><name>faultString</name><value>NOT_RUNNING: a &amp; b</value></member></struct></value></fault></methodResponse>",
    "<methodResponse><params><param><value><boolean>1</boolean></value></param></params></methodResponse>",
];

const SETS: [&str; 2] = [
    "[service.web]\nbackend = \"systemd\"\nafter = [\"db\"]\nready = [{ http = \"http://127.0.0.1:80/\", status = [200], holder = \"any\" }, { port = 80 }]\nstable = \"5s\"\nstopped = [{ tree = true }, { port = 80 }]\nexpect = { env = [\"A=1\"], user = \"u\", exe = \"/x/*\" }\n[service.db]\nbackend = \"pidfile\"\nname = \"/run/db.pid\"\nkill = \"escalate\"\npolicy = \"ensure\"\n",
    "{\"service\": {\"a\": {\"backend\": \"command\", \"start\": [\"a\"], \"ready\": [{\"log\": \"/x\", \"line\": \"y\"}, {\"command\": [\"true\"]}], \"environment\": {\"B\": \"c\"}}}}",
];

/// A good text with some of its bytes replaced, doubled, cut out or exchanged with another's.
fn damaged(dice: &mut Dice, good: &[&str]) -> Vec<u8> {
    let mut bytes = good[dice.roll(good.len())].as_bytes().to_vec();
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(bytes.len().max(1)).min(bytes.len());
        match dice.roll(6) {
            0 => bytes.insert(
                at,
                [0, b'<', b'>', b'&', b'"', b'[', b'{', 0xff, b'=', b'\n'][dice.roll(10)],
            ),
            1 if at < bytes.len() => bytes[at] = dice.roll(256) as u8,
            2 => bytes.truncate(at),
            3 => {
                let end = (at + dice.roll(30)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let piece: Vec<u8> = bytes.iter().skip(at).take(dice.roll(60)).copied().collect();
                bytes.splice(at..at, piece);
            }
            _ => bytes
                .splice(at..at, good[dice.roll(good.len())].bytes())
                .for_each(drop),
        }
    }
    bytes
}

#[test]
fn answers_of_something_else_than_supervisord() {
    for good in ANSWERS {
        assert!(xmlrpc::decode(good.as_bytes()).is_ok(), "{good}");
    }
    let mut dice = Dice(11);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..if full_sweep() { 1_000_000 } else { 20_000 } {
        let bytes = damaged(&mut dice, &ANSWERS);
        match xmlrpc::decode(&bytes) {
            Ok(_) => read += 1,
            Err(why) => {
                assert!(!why.is_empty(), "{:?}", String::from_utf8_lossy(&bytes));
                refused += 1;
            }
        }
    }
    assert!(
        read > 100 && refused > 500,
        "{read} read, {refused} refused"
    );
}

#[test]
fn sets_that_are_none() {
    let mut dice = Dice(12);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..if full_sweep() { 200_000 } else { 5_000 } {
        let bytes = damaged(&mut dice, &SETS);
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        match Set::read(
            None,
            Some(&Source::new("set", text.clone())),
            Path::new("/srv"),
            None,
            &[],
            None,
        ) {
            Ok(_) => read += 1,
            Err(fault) => {
                let said = format!("{fault:?}");
                assert!(
                    said.contains("set"),
                    "the complaint names the file: {said} of {text:?}"
                );
                refused += 1;
            }
        }
    }
    assert!(read > 20 && refused > 500, "{read} read, {refused} refused");
}
