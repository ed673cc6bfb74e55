//! Tab, pressed in real shells: every subcommand, option, word to choose from and file argument of
//! every tool is offered, and so is the command that stands after `--`. What has to be offered
//! comes from the definitions; what is offered comes from bash, zsh and fish.

use base::cli::{CommandLine, Scope, Trailing, Value};
use harness::{need, scratch, source_root};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A line as it is typed, and what has to be offered for its last word: exactly, or besides other
/// things.
struct Typed {
    line: String,
    offered: BTreeSet<String>,
    exactly: bool,
}

fn typed(
    line: String,
    offered: impl IntoIterator<Item = impl Into<String>>,
    exactly: bool,
) -> Typed {
    Typed {
        line,
        offered: offered.into_iter().map(Into::into).collect(),
        exactly,
    }
}

/// Everything that can be asked of a tool's completion.
fn questions(line: &'static CommandLine) -> Vec<Typed> {
    let mut all = Vec::new();
    if !line.commands.is_empty() {
        all.push(typed(
            format!("{} ", line.name),
            line.commands.iter().map(|c| c.name),
            true,
        ));
        // An option before the subcommand does not hide it.
        for command in line.commands {
            all.push(typed(
                format!("{} --journal x {}", line.name, command.name),
                [command.name],
                false,
            ));
        }
    }
    let named = line.commands.iter().map(|command| Scope {
        line,
        command: Some(command),
    });
    for scope in named.chain(line.commands.is_empty().then_some(Scope {
        line,
        command: None,
    })) {
        questions_of(scope, &mut all);
    }
    all
}

fn questions_of(scope: Scope<'static>, all: &mut Vec<Typed>) {
    let start = scope
        .command
        .map_or(scope.line.name.to_string(), |command| {
            format!("{} {}", scope.line.name, command.name)
        });
    all.push(typed(
        format!("{start} --"),
        scope.all().map(|opt| format!("--{}", opt.long)),
        true,
    ));
    for opt in scope.all() {
        let letter = opt.short.map(|letter| format!("{start} -{letter} "));
        for before in letter
            .into_iter()
            .chain([format!("{start} --{} ", opt.long)])
        {
            all.extend(opt.value.and_then(|value| question(&before, value)));
        }
    }
    for (i, place) in scope.positionals().iter().enumerate() {
        let before = format!("{start} {}", "x ".repeat(i));
        all.extend(question(&before, place.value));
    }
    if scope.trailing() == Trailing::Required {
        all.push(typed(
            format!("{start} -- on-the-pa"),
            ["on-the-path"],
            true,
        ));
        all.push(typed(
            format!("{start} --journal x -- on-the-pa"),
            ["on-the-path"],
            true,
        ));
        all.push(typed(
            format!("{start} -- on-the-path sit"),
            ["site.toml"],
            true,
        ));
    }
}

fn question(before: &str, value: Value) -> Option<Typed> {
    match value {
        Value::File(_) | Value::Site(_) => Some(typed(format!("{before}sit"), ["site.toml"], true)),
        Value::Dir(_) => Some(typed(format!("{before}dir"), ["directory"], true)),
        Value::Choice(_, words) => Some(typed(before.to_string(), words.iter().copied(), true)),
        Value::User(_) => Some(typed(format!("{before}roo"), ["root"], true)),
        Value::Program(_) => Some(typed(format!("{before}on-the-pa"), ["on-the-path"], true)),
        _ => None,
    }
}

/// Types every line in the shell that `ask` runs, in a directory with a few files; fails with all
/// that is not as it has to be.
fn press_tab(shell: &str, ask: fn(&Path, &Path, &[String]) -> String) {
    let Some(program) = need(shell) else { return };
    let dir = scratch();
    for name in ["site.toml", "dirge", "bin/on-the-path"] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(if name.starts_with("bin/") {
            0o755
        } else {
            0o644
        });
        std::fs::set_permissions(&path, mode).unwrap();
    }
    std::fs::create_dir(dir.path().join("directory")).unwrap();
    let mut questions: Vec<Typed> = runbook_docgen::TOOLS
        .iter()
        .flat_map(|tool| questions(tool.line))
        .collect();
    let site = nix::unistd::geteuid().is_root().then(|| Named::new(shell));
    if let Some(site) = &site {
        for tool in ["check-reqs", "svc-cycle cycle"] {
            let line = format!("{tool} --site completed-");
            questions.push(typed(line, [site.0.clone()], false));
        }
    }
    let lines: Vec<String> = questions
        .iter()
        .map(|question| question.line.clone())
        .collect();
    let said = ask(&program, dir.path(), &lines);
    let answers: Vec<&str> = said.split("=END=\n").collect();
    assert_eq!(answers.len(), lines.len() + 1, "{shell} gave up: {said}");
    let mut wrong = Vec::new();
    for (question, answer) in questions.iter().zip(answers) {
        let words = answer
            .lines()
            .map(|l| {
                l.split('\t')
                    .next()
                    .unwrap_or(l)
                    .trim_end_matches(['/', ' '])
            })
            .filter(|w| !w.is_empty());
        let got: BTreeSet<String> = words.map(str::to_string).collect();
        let good = if question.exactly {
            got == question.offered
        } else {
            got.is_superset(&question.offered)
        };
        if !good {
            wrong.push(format!(
                "{:?} offers {got:?}, not {:?}",
                question.line, question.offered
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{shell}, {} of {}:\n{}",
        wrong.len(),
        lines.len(),
        wrong.join("\n")
    );
}

/// A site in the directory of all sites, gone at the end of the test.
struct Named(String);

/// One test at a time makes or removes the directory.
static SITES: std::sync::Mutex<()> = std::sync::Mutex::new(());

impl Named {
    fn new(shell: &str) -> Named {
        let name = format!("completed-{shell}-{}", std::process::id());
        let _alone = SITES.lock().unwrap();
        std::fs::create_dir_all(base::site::DIRECTORY).unwrap();
        std::fs::write(Named::path(&name), format!("[site]\nname = \"{name}\"\n")).unwrap();
        Named(name)
    }

    fn path(name: &str) -> String {
        format!("{}/{name}.toml", base::site::DIRECTORY)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _alone = SITES.lock();
        let _ = std::fs::remove_file(Named::path(&self.0));
        // Only where nothing else is in them.
        let _ = std::fs::remove_dir(base::site::DIRECTORY);
        let _ = std::fs::remove_dir("/etc/runbook-tools");
    }
}

fn surround<'a>(command: &'a mut Command, dir: &Path) -> &'a mut Command {
    let path = format!("{}:/usr/bin:/bin", dir.join("bin").display());
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", dir)
        .env("TERM", "dumb")
        .env("LC_ALL", "C.UTF-8")
        .current_dir(dir)
}

#[test]
fn bash_offers_what_there_is() {
    press_tab("bash", |program, dir, lines| {
        let mut script = String::from("bind 'set enable-bracketed-paste off'\n");
        for tool in harness::TOOLS {
            script += &format!(
                "source '{}'\n",
                source_root().join("completions/bash").join(tool).display()
            );
        }
        for line in lines {
            // M-* puts everything that is offered on the line; C-a goes to its beginning. Only the
            // words that are new are printed.
            let typed = line.split(' ').count();
            script += &format!("{line}\x1b*\x01offered {typed} \necho =END=\n");
        }
        let first = "offered() { shift \"$1\"; printf '%s\\n' \"$@\"; }\n";
        let mut bash = Command::new(program);
        surround(&mut bash, dir)
            .args(["--norc", "--noprofile", "-i"])
            .env("INPUTRC", "/dev/null")
            .env("PS1", "");
        let mut child = bash
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let text = first.to_string() + &script;
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let done = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        String::from_utf8(done.stdout).unwrap()
    });
}

/// zsh completes only where it edits a line, so it gets a terminal of its own; `compadd` notes what
/// is offered.
const ZSH: &str = r#"
zmodload zsh/zpty
dir=$1 completions=$2
shift 2
zpty shell zsh -f -i
zpty -w shell "PROMPT=; fpath=($completions \$fpath); autoload -U compinit; compinit -u -d $dir/dump
note() {
    compadd() { local -a got; builtin compadd -O got \"\$@\"; print -rl -- \$got >>$dir/got; builtin compadd \"\$@\" }
    _main_complete
    compstate[insert]= compstate[list]=
    print -r -- '=END=' >>$dir/got
}
zle -C note complete-word note; bindkey '^I' note; print REA''DY"
zpty -r -m shell answer '*READY*'
for line; do
    rm -f $dir/got
    zpty -w -n shell "$line"$'\t'
    for i in {1..1000}; do
        # What it prints has to be read, or it waits for that.
        while zpty -r -t shell answer; do; done
        [[ -e $dir/got && ${${(f)"$(<$dir/got)"}[-1]} == '=END=' ]] && break
        sleep 0.005
    done
    ((i < 1000)) || { print -r -- "no answer to $line: $answer"; exit 1 }
    cat $dir/got
    zpty -w -n shell $'\x15'
done
zpty -d shell
"#;

#[test]
fn zsh_offers_what_there_is() {
    press_tab("zsh", |program, dir, lines| {
        let mut zsh = Command::new(program);
        surround(&mut zsh, dir)
            .args(["-f", "-c", ZSH, "zsh"])
            .arg(dir)
            .arg(source_root().join("completions/zsh"))
            .args(lines);
        let done = zsh.output().unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)
    });
}

#[test]
fn fish_offers_what_there_is() {
    press_tab("fish", |program, dir, lines| {
        let script = "for file in $argv[1]/*.fish; source $file; end\nfor line in $argv[2..]; complete -C $line; echo =END=; end";
        let mut fish = Command::new(program);
        surround(&mut fish, dir)
            .args(["--no-config", "-c", script])
            .arg(source_root().join("completions/fish"))
            .args(lines);
        let done = fish.output().unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)
    });
}
