//! A fix, typed as it is printed, makes the next run say something else: one for each tool that
//! prints fixes. The fixes of single findings are applied in the tests of each tool.

use harness::fix::{apply, mended};
use harness::venvs::Venvs;
use harness::{Person, need_root, scratch, tool};
use serde_json::Value;

/// The fix of the first of these that is wrong in this way.
fn fix_of(list: &Value, key: &str, value: &str) -> Value {
    let mut all = list.as_array().unwrap().iter();
    let found = all.find(|item| item[key] == value);
    found.unwrap_or_else(|| panic!("nothing has {key} {value}: {list:#}"))["fix"].clone()
}

#[test]
fn check_reqs() {
    if !need_root() {
        return;
    }
    let dir = scratch();
    let file = dir.path().join("needs.toml");
    let path = dir.path().join("it's media");
    let text = format!(
        "[[check]]\ntype = \"file\"\npath = \"{}\"\nkind = \"directory\"\nmode = \"0750\"\n",
        path.display()
    );
    std::fs::write(&file, text).unwrap();
    let look = || tool("check-reqs").arg("--file").arg(&file).run().json();
    let after = mended(look, |report| report["items"][0]["fix"].clone());
    assert_eq!(after["status"], "ok", "{after:#}");
}

#[test]
fn log_paths() {
    if !need_root() {
        return;
    }
    let dir = scratch();
    let (conf, log) = (
        dir.path().join("nginx.conf"),
        dir.path().join("it's logs/a.log"),
    );
    let text = format!(
        "error_log \"{0}\"; events {{}} http {{ access_log \"{0}\"; }}\n",
        log.display()
    );
    std::fs::write(&conf, text).unwrap();
    let look = || {
        tool("log-paths")
            .args([
                "--config-only",
                "--conf",
                &format!("nginx={}", conf.display()),
            ])
            .args(["--conf", "logrotate=/dev/null", "nginx"])
            .run()
            .json()
    };
    let after = mended(look, |report| {
        fix_of(&report["items"][0]["problems"], "code", "missing_dir")
    });
    let codes: Vec<&Value> = after["items"][0]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["code"])
        .collect();
    assert!(!codes.contains(&&"missing_dir".into()), "{codes:?}");
}

#[test]
fn cron_render() {
    let Some(person) = Person::new() else { return };
    let template = person.home.join("schedule");
    std::fs::write(
        &template,
        "[[job]]\nschedule = '5 4 * * *'\nargv = ['true']\n",
    )
    .unwrap();
    let logs = person.home.join("it's logs");
    let look = || {
        tool("cron-render")
            .args([
                "lint",
                "--name",
                "site",
                "--user",
                &person.name,
                "--dialect",
                "debian",
            ])
            .args([
                "--dir",
                person.home.to_str().unwrap(),
                "--log-dir",
                logs.to_str().unwrap(),
            ])
            .arg(&template)
            .run()
            .json()
    };
    let after = mended(look, |report| fix_of(&report["findings"], "code", "E14"));
    assert_eq!(after["status"], "ok", "{after:#}");
}

#[test]
fn venv_sync() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    venvs.apply(&[]).run().expect_code(0);
    venvs.requirements("beta\n");
    let drift = venvs.sync("check", &[]).run().expect_code(1).json();
    let fix = fix_of(&drift["items"], "kind", "extraneous");
    // The wheels are in no index: what would be asked of PyPI is found beside.
    let wheels = venvs.wheelhouse();
    apply(
        &serde_json::json!({"steps": fix["steps"].as_array().unwrap().iter().map(|step| {
        let mut step = step.clone();
        let text = format!("{} --wheelhouse {}", step["text"].as_str().unwrap(), wheels.display());
        step["text"] = text.into();
        step
    }).collect::<Vec<Value>>()}),
    );
    venvs.sync("check", &[]).run().expect_code(0);
}
