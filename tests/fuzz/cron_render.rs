//! Templates of any bytes: cron-render says what is wrong with them and never breaks.

use harness::{full_sweep, tool};

/// The same inputs on every run.
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

/// Good templates, to be damaged.
const SEEDS: [&str; 6] = [
    "# note\n15 0 * * * python manage.py prunecategories\n*/5 9-17 * * mon-fri /usr/bin/true %x\\%y\\\\z\n",
    "MAILTO=\"a@b\"\nPATH = /usr/bin:/bin\nH H(1-5) * * * cd /x && y | z > w\n@daily cat%hello%world\n@reboot x\n",
    "[site]\nname = \"forum\"\ndir = \"/srv/f\"\nenv = { A = \"b\" }\n[[job]]\nschedule = \"25 0 * * *\"\nmanage = \"x\"\ntimeout = \"5m\"\n[[job]]\nid = \"y\"\nschedule = \"@daily\"\nargv = [\"a\", \"b c\"]\nlock = true\n",
    "{\"site\": {\"name\": \"n\", \"spread\": \"30m\"}, \"job\": [{\"schedule\": \"1 1 1 1 1\", \"shell\": \"a; b\", \"log\": \"/x\"}]}",
    "1#2 4294967297 31 2 7 x\n0 22-2 */2 */13 fri-sun y\n5/10 * * * * z\n-* * * * * a\nexport A=b\n",
    "0-59/7,3-4,*/90 0,23 1-31 jan-dec sun-sat /bin/echo 'it''s' ${X:-y} \"q\\\"q\" ~ # note\r\n",
];

fn damaged(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = SEEDS[dice.roll(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..=dice.roll(8) {
        let at = dice.roll(bytes.len().max(1)).min(bytes.len());
        match dice.roll(7) {
            0 => bytes.insert(
                at,
                [
                    0, b'\r', b'\n', b'%', b'\\', b'"', b'\'', 0xff, b'*', b',', b'-', b'/', b'=',
                    b'~',
                ][dice.roll(14)],
            ),
            1 if at < bytes.len() => bytes[at] = dice.roll(256) as u8,
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            4 => {
                let piece: Vec<u8> = bytes.iter().skip(at).take(dice.roll(40)).copied().collect();
                let to = dice.roll(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            5 => bytes
                .splice(at..at, b"99999999999999999999".iter().copied())
                .for_each(drop),
            _ => bytes
                .splice(at..at, SEEDS[dice.roll(SEEDS.len())].bytes())
                .for_each(drop),
        }
    }
    bytes
}

#[test]
fn no_template_breaks_it() {
    let mut dice = Dice(4);
    let rounds = if full_sweep() { 20_000 } else { 250 };
    let options: [&[&str]; 7] = [
        &["lint"],
        &["lint", "--dialect", "cronie", "--tz", "America/New_York"],
        &[
            "render",
            "--dir",
            "/srv/f",
            "--name",
            "n",
            "--spread",
            "20m",
            "--log-dir",
            "/l",
            "--lock-dir",
            "/k",
            "--timeout",
            "1m",
        ],
        &["render", "--format", "systemd", "--user", "root"],
        &[
            "render", "--format", "cron.d", "--user", "root", "-o", "text",
        ],
        &["next", "--tz", "Africa/Cairo", "-c", "3"],
        &["explain"],
    ];
    for round in 0..rounds {
        let template = damaged(&mut dice);
        let words = options[dice.roll(options.len())];
        let shown = || {
            format!(
                "round {round}: {words:?} on {:?}",
                String::from_utf8_lossy(&template)
            )
        };
        let mut run = tool("cron-render");
        for (at, word) in words.iter().enumerate() {
            run = run.arg(word);
            if at == 0 {
                run = run.arg("-");
            }
        }
        let out = run.input(template.clone()).run();
        assert!(
            [0, 1, 2].contains(&out.code()),
            "{} ended with {}: {}",
            shown(),
            out.code(),
            out.err()
        );
        assert!(
            !out.err().contains("internal error"),
            "{}: {}",
            shown(),
            out.err()
        );
        assert!(
            out.code() != 2 || (out.stdout.is_empty() && !out.err().is_empty()),
            "{}",
            shown()
        );
        if words[0] == "lint" && out.code() != 2 {
            let report = out.json();
            for finding in report["findings"].as_array().unwrap() {
                assert!(
                    finding["line"].as_u64().unwrap() as usize
                        <= template.split(|b| *b == b'\n').count(),
                    "{}: {finding}",
                    shown()
                );
            }
        }
    }
}

/// What was rendered renders to itself: an administrator may start from an installed schedule.
#[test]
fn rendering_a_rendered_schedule_changes_nothing() {
    let mut dice = Dice(5);
    let mut rendered = 0;
    for _ in 0..if full_sweep() { 5_000 } else { 150 } {
        let lines: Vec<&str> = SEEDS[..2].iter().flat_map(|s| s.lines()).collect();
        let mut template: Vec<u8> = (0..5)
            .flat_map(|_| format!("{}\n", lines[dice.roll(lines.len())]).into_bytes())
            .collect();
        if dice.roll(2) == 0 {
            template[..]
                .iter_mut()
                .rev()
                .skip(1 + dice.roll(20))
                .take(1)
                .filter(|b| b.is_ascii_alphabetic())
                .for_each(|b| *b = b'#');
        }
        let once = tool("cron-render")
            .args([
                "render", "-", "-o", "text", "--dir", "/srv/f", "--name", "n",
            ])
            .input(template.clone())
            .run();
        if once.code() != 0 {
            continue;
        }
        let twice = tool("cron-render")
            .args([
                "render", "-", "-o", "text", "--dir", "/srv/f", "--name", "n",
            ])
            .input(once.stdout.clone())
            .run();
        assert_eq!(
            twice.expect_code(0).out(),
            once.out(),
            "of {:?}",
            String::from_utf8_lossy(&template)
        );
        rendered += 1;
    }
    assert!(rendered > 10, "only {rendered} were good enough to render");
}
