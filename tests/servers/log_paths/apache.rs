//! Apache: what a running server has open is what its files and envvars were read to say.

use super::{item, items, log_paths, paths, site, write, written_by};
use harness::{Server, TempDir, free_port, need, wait_until};
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

/// The site's directories, the modules that this Apache needs, and a main file in which `@` is the
/// directory.
fn configured(dir: &TempDir, main: &str) -> PathBuf {
    let modules = ["mpm_event", "authz_core", "log_config"];
    let present = |name: &&&str| {
        std::path::Path::new(&format!("/usr/lib/apache2/modules/mod_{name}.so")).exists()
    };
    let mods: String = modules
        .iter()
        .filter(present)
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .collect();
    let user = if nix::unistd::geteuid().is_root() {
        "User www-data\nGroup www-data\n"
    } else {
        ""
    };
    write(&dir.path().join("mods.conf"), mods + user);
    std::fs::create_dir_all(dir.path().join("logs")).unwrap();
    let conf = dir.path().join("apache2.conf");
    // An @ before a letter is a macro's.
    let text = main
        .replace("@quoted", "\0")
        .replace('@', &dir.path().display().to_string())
        .replace('\0', "@quoted");
    write(&conf, text.replace("%PORT%", &free_port().to_string()));
    conf
}

#[test]
fn the_files_are_those_apache_has_open() {
    let Some(apache) = need("apache2") else {
        return;
    };
    let dir = site();
    let at = dir.path().display().to_string();
    write(
        &dir.path().join("envvars"),
        "# shell\nunset HOME\nexport FROM_ENVVARS=@/logs$SUFFIX\n".replace('@', &at),
    );
    write(
        &dir.path().join("sites/one.conf"),
        "<VirtualHost *:1>\n ErrorLog logs/host-error.log\n CustomLog logs/host-access.log common\n</VirtualHost>\n",
    );
    let conf = configured(&dir, MAIN);
    let mut command = Command::new(apache);
    command
        .args(["-D", "FOREGROUND", "-f"])
        .arg(&conf)
        .env("FROM_ENVVARS", dir.path().join("logs"));
    let mut server = Server::start(&mut command, &dir.path().join("said"));
    wait_until("apache's pid file", || {
        assert!(server.runs(), "{}", server.said());
        dir.path().join("apache.pid").exists()
    });
    let logs = dir.path().join("logs");
    let open: BTreeSet<PathBuf> = written_by(server.pid())
        .into_iter()
        .filter(|path| path.starts_with(&logs))
        .collect();
    assert!(open.len() >= 6, "{open:?}");
    let report = log_paths("apache", &conf, &[]).expect_code(0).json();
    let got: BTreeSet<PathBuf> = paths(&report)
        .into_iter()
        .filter(|path| path.starts_with(&logs))
        .collect();
    assert_eq!(got, open, "{report:#}");
    assert_eq!(
        items(&report)
            .iter()
            .filter(|item| item["sink"] == "pipe")
            .count(),
        1
    );
    assert_eq!(item(&report, &logs.join("detail.log"))["conditional"], true);
    // Without a process to ask, envvars says the same.
    drop(server);
    let report = log_paths("apache", &conf, &["--config-only"])
        .expect_code(0)
        .json();
    let got: BTreeSet<PathBuf> = paths(&report)
        .into_iter()
        .filter(|path| path.starts_with(&logs))
        .collect();
    assert_eq!(got, open, "{report:#}");
}

const MACROS: &str = r#"
ServerRoot "@"
LoadModule macro_module /usr/lib/apache2/modules/mod_macro.so
Include mods.conf
Listen 127.0.0.1:%PORT%
ServerName localhost
PidFile @/apache.pid
DefaultRuntimeDir @
Define BASE @/logs
ErrorLog ${BASE}/main.log
<Macro Host $name $names @quoted %n>
    # a comment
    <VirtualHost *:%n>
        ErrorLog "${BASE}/$name-error.log"
        CustomLog ${BASE}/$names.log \
            common
        CustomLog @quoted common
        <IfDefine NOT>
            Use Nothing
        </IfDefine>
</Macro>
<Macro end>
    </VirtualHost>
</Macro>
<Macro inner $a>
    TransferLog logs/$a.log
    <Macro Late /IgnoreEmptyArgs $x>
        CustomLog "${BASE}/late-$x$a.log" common
    </Macro>
</Macro>
<IfDefine NOT>
    <Macro inner $a>
        TransferLog logs/never-$a.log
    </Macro>
    Use inner no
</IfDefine>
Use Host one ones "${BASE}/a \"quoted\" log" 1
    Use INNER in-one
Use End
use host "two too" twos ${BASE}/quoted.log 2
use end
Use late 1
UndefMacro Late
<Macro late $x>
    CustomLog ${BASE}/later-$x.log common
</Macro>
Use late 2
"#;

#[test]
fn macros_are_put_in_as_apache_does() {
    let Some(apache) = need("apache2") else {
        return;
    };
    let dir = site();
    let conf = configured(&dir, MACROS);
    let mut command = Command::new(apache);
    command.args(["-D", "FOREGROUND", "-f"]).arg(&conf);
    let mut server = Server::start(&mut command, &dir.path().join("said"));
    wait_until("apache's pid file", || {
        assert!(server.runs(), "{}", server.said());
        dir.path().join("apache.pid").exists()
    });
    let logs = dir.path().join("logs");
    let open: BTreeSet<PathBuf> = written_by(server.pid())
        .into_iter()
        .filter(|path| path.starts_with(&logs))
        .collect();
    assert_eq!(open.len(), 10, "{open:?}");
    let report = log_paths("apache", &conf, &[]).expect_code(0).json();
    let got: BTreeSet<PathBuf> = paths(&report)
        .into_iter()
        .filter(|path| path.starts_with(&logs))
        .collect();
    assert_eq!(got, open, "{report:#}");
    assert_eq!(report["errors"], serde_json::json!([]));
    let quoted = item(&report, &logs.join("a \"quoted\" log"));
    assert_eq!(quoted["source"]["line"], 17);
}

#[test]
fn macros_that_apache_refuses_are_named() {
    let Some(apache) = need("apache2") else {
        return;
    };
    let head = "LoadModule macro_module /usr/lib/apache2/modules/mod_macro.so\nInclude mods.conf\nServerRoot @\nErrorLog @/logs/e.log\n";
    for (text, code, line) in [
        (
            "<Macro a>\nUse b\n</Macro>\n<Macro b>\nUse a\n</Macro>\nUse a\n",
            "include_loop",
            9,
        ),
        (
            "<Macro a $x>\nCustomLog $x common\n</Macro>\nUse a\n",
            "config_invalid",
            8,
        ),
        ("<Macro a>\n</Macro>\nUse b\n", "config_invalid", 7),
        ("<Macro a>\nCustomLog x common\n", "config_invalid", 0),
    ] {
        let dir = site();
        let conf = configured(&dir, &(head.to_owned() + text));
        let said = Command::new(&apache)
            .args(["-t", "-f"])
            .arg(&conf)
            .output()
            .unwrap();
        assert!(!said.status.success(), "{text}");
        let report = log_paths("apache", &conf, &["--config-only"])
            .expect_code(3)
            .json();
        let error = &report["errors"][0];
        assert_eq!(
            (error["code"].as_str(), error["line"].as_u64().unwrap_or(0)),
            (Some(code), line),
            "{text}{report:#}"
        );
    }
}

#[test]
fn a_variable_without_a_value_is_said() {
    let dir = site();
    let conf = dir.path().join("httpd.conf");
    write(
        &conf,
        "ErrorLog ${NOWHERE}/e.log\nCustomLog /l/a.log common\nInclude httpd.conf\n",
    );
    let report = log_paths("apache", &conf, &["--config-only", "--check"])
        .expect_code(3)
        .json();
    assert_eq!(super::codes(&items(&report)[0]), ["unresolved_variable"]);
    assert_eq!(report["errors"][0]["code"], "include_loop");
}
