//! The same sources make the same bytes, on whatever machine: here once more in another directory,
//! by another umask, time zone, language, host name and number of cores, with files of another
//! date, from vendored sources and without a network.

use crate::{dist, run, sh};
use harness::{scratch, source_root};
use std::fs;
use std::path::Path;
use std::process::Command;

/// This tree, and the crates in vendor/ as `cargo vendor` puts them, with its advice on their use
/// followed.
fn vendored(dir: &Path) {
    sh(crate::COPY, &[&source_root(), dir]);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let advice = run(Command::new(cargo)
        .args(["vendor", "--locked", "--versioned-dirs", "vendor"])
        .current_dir(dir));
    assert!(
        advice.contains("replace-with = \"vendored-sources\""),
        "{advice}"
    );
    fs::create_dir(dir.join(".cargo")).expect("a directory");
    fs::write(dir.join(".cargo/config.toml"), advice).expect("its advice");
}

#[test]
#[ignore = "builds all seven once more: make packages"]
fn another_machine_without_a_network_makes_the_same_packages() {
    let scratch = scratch();
    let there = scratch.path().join("some where else/a rather longer name");
    fs::create_dir(there.parent().expect("a directory")).expect("a directory");
    vendored(&there);
    // The packaging programs are no part of the sources; neither is what cargo has downloaded: it
    // gets a home without any of that.
    let script = "
        hostname elsewhere
        umask 077
        mkdir -p \"$1/home\" && export CARGO_HOME=\"$1/home\"
        export TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 USER=builder LOGNAME=builder CARGO_INCREMENTAL=0
        unset CARGO_BUILD_JOBS
        unset SOURCE_DATE_EPOCH MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CARGO_TARGET_DIR RUSTFLAGS
        ! ip route get 192.0.2.1 2>/dev/null || exit 9
        cd \"$2\"
        chmod -R go-rwx .
        find . -type f -exec touch --date='2026-01-02 20:15' {} +
        exec taskset --cpu-list 0,1 make --no-print-directory deb rpm packager=\"$3\"
    ";
    let mut build = Command::new("unshare");
    build.args(["--net", "--uts", "sh", "-euc", script, "sh"]);
    run(build.args([
        scratch.path(),
        &there,
        &source_root().join("target/packager"),
    ]));

    for tool in harness::TOOLS {
        let [here, there] = [source_root(), there.clone()]
            .map(|top| fs::read(top.join("target/release").join(tool)).expect("a program"));
        assert!(here == there, "{tool}: not the same bytes");
        let told =
            [source_root(), scratch.path().to_path_buf()].map(|path| path.display().to_string());
        let text = String::from_utf8_lossy(&here);
        assert!(
            told.iter().all(|path| !text.contains(path.as_str())),
            "{tool}: names the directory it was built in"
        );
    }
    for here in dist("deb").into_iter().chain(dist("rpm")) {
        let there = there.join("dist").join(here.file_name().expect("a name"));
        let same =
            fs::read(&here).expect("a package") == fs::read(&there).expect("the same package");
        assert!(same, "{}: not the same bytes", here.display());
    }
}
