//! Apache: what a running server has open is what its files and envvars were read to say.

use super::{item, items, log_paths, paths, site, write, written_by};
use harness::{Server, free_port, need, wait_until};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

const MAIN: &str = r#"
ServerRoot "@"
Define BASE @/logs
Define DETAIL
Include mods.conf
Listen 127.0.0.1:%PORT%
ServerName localhost
PidFile @/apache.pid
DefaultRuntimeDir @
ErrorLog ${BASE}/main-error.log
CustomLog logs/main-access.log combined
TransferLog "|/bin/cat >/dev/null"
GlobalLog "${BASE}/a \"global\" log" common
IncludeOptional sites/*.conf
<IfDefine DETAIL>
    CustomLog ${BASE}/detail.log \
        "%h" env=detail
</IfDefine>
<IfDefine !DETAIL>
    CustomLog ${BASE}/never.log "%h"
</IfDefine>
<IfModule mod_not_there.c>
    CustomLog ${BASE}/never-either.log "%h"
</IfModule>
<IfModule log_config_module>
    CustomLog ${FROM_ENVVARS}/module.log "%h"
</IfModule>
"#;

#[test]
fn the_files_are_those_apache_has_open() {
    let Some(apache) = need("apache2") else { return };
    let dir = site();
    let at = dir.path().display().to_string();
    let modules = ["mpm_event", "authz_core", "log_config"];
    let present = |name: &&&str| std::path::Path::new(&format!("/usr/lib/apache2/modules/mod_{name}.so")).exists();
    let mods: String =
        modules.iter().filter(present).map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")).collect();
    let user = if nix::unistd::geteuid().is_root() { "User www-data\nGroup www-data\n" } else { "" };
    write(&dir.path().join("mods.conf"), mods + user);
    write(&dir.path().join("envvars"), "# shell\nunset HOME\nexport FROM_ENVVARS=@/logs$SUFFIX\n".replace('@', &at));
    write(
        &dir.path().join("sites/one.conf"),
        "<VirtualHost *:1>\n ErrorLog logs/host-error.log\n CustomLog logs/host-access.log common\n</VirtualHost>\n",
    );
    std::fs::create_dir_all(dir.path().join("logs")).unwrap();
    let conf = dir.path().join("apache2.conf");
    write(&conf, MAIN.replace('@', &at).replace("%PORT%", &free_port().to_string()));
    let mut command = Command::new(apache);
    command.args(["-D", "FOREGROUND", "-f"]).arg(&conf).env("FROM_ENVVARS", dir.path().join("logs"));
    let mut server = Server::start(&mut command, &dir.path().join("said"));
    wait_until("apache's pid file", || {
        assert!(server.runs(), "{}", server.said());
        dir.path().join("apache.pid").exists()
    });
    let logs = dir.path().join("logs");
    let open: BTreeSet<PathBuf> = written_by(server.pid()).into_iter().filter(|path| path.starts_with(&logs)).collect();
    assert!(open.len() >= 6, "{open:?}");
    let report = log_paths("apache", &conf, &[]).expect_code(0).json();
    let got: BTreeSet<PathBuf> = paths(&report).into_iter().filter(|path| path.starts_with(&logs)).collect();
    assert_eq!(got, open, "{report:#}");
    assert_eq!(items(&report).iter().filter(|item| item["sink"] == "pipe").count(), 1);
    assert_eq!(item(&report, &logs.join("detail.log"))["conditional"], true);
    // Without a process to ask, envvars says the same.
    drop(server);
    let report = log_paths("apache", &conf, &["--config-only"]).expect_code(0).json();
    let got: BTreeSet<PathBuf> = paths(&report).into_iter().filter(|path| path.starts_with(&logs)).collect();
    assert_eq!(got, open, "{report:#}");
}

#[test]
fn a_variable_without_a_value_is_said() {
    let dir = site();
    let conf = dir.path().join("httpd.conf");
    write(&conf, "ErrorLog ${NOWHERE}/e.log\nCustomLog /l/a.log common\nInclude httpd.conf\n");
    let report = log_paths("apache", &conf, &["--config-only", "--check"]).expect_code(3).json();
    assert_eq!(super::codes(&items(&report)[0]), ["unresolved_variable"]);
    assert_eq!(report["errors"][0]["code"], "include_loop");
}
