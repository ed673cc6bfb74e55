//! A booted machine as the tests of units see it.

use std::fs;
use std::process::Command;

use harness::machine::Machine;
use harness::test_venv;
use serde_json::Value;

#[track_caller]
pub fn run(machine: &Machine, arguments: &[&str], code: i32) -> Value {
    machine
        .tool("svc-cycle")
        .args(arguments)
        .run()
        .expect_code(code)
        .json()
}

pub fn show(machine: &Machine, unit: &str, property: &str) -> String {
    let output = machine.run(&["systemctl", "show", "--value", "-p", property, unit]);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn active(machine: &Machine, unit: &str) -> bool {
    show(machine, unit, "ActiveState") == "active"
}

/// The tests' Python environment, at its own path in the machine.
pub fn environment(machine: &Machine) -> String {
    let venv = test_venv().canonicalize().unwrap();
    let python = format!("{}/bin/python", venv.display());
    if !machine.run(&["test", "-x", &python]).status.success() {
        let target = machine.path(venv.to_str().unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let copied = Command::new("cp").arg("-a").arg(&venv).arg(target).status();
        assert!(copied.unwrap().success());
    }
    venv.display().to_string()
}
