//! The README's "Many hosts", as it stands there: the playbook over two hosts, and the line of
//! plain ssh and jq.

use crate::controller::{Controller, ok};
use harness::fleet::{Fleet, Host};
use harness::venvs::Venvs;
use harness::{need, source_root, test_venv};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const SERVICES: &str = r#"
[service.web]
backend = "pidfile"
pidfile = "/srv/nginx.pid"
start = ["nginx", "-e", "/srv/nginx.log", "-c", "/srv/nginx.conf"]
"#;

const NGINX: &str = "error_log /srv/nginx.log; pid /srv/nginx.pid; events {} http { access_log off; server { listen 8000; } }\n";

/// The last block of this language in the README's section; how the collection is installed stands
/// before it and is tested elsewhere.
fn block(language: &str) -> String {
    let readme = std::fs::read_to_string(source_root().join("README.md")).unwrap();
    let section = readme
        .split("\n## Many hosts\n")
        .nth(1)
        .expect("the section")
        .split("\n## ")
        .next()
        .unwrap()
        .to_owned();
    let after = section
        .rsplit(&format!("```{language}\n"))
        .next()
        .filter(|_| section.contains(&format!("```{language}\n")))
        .unwrap_or_else(|| panic!("no {language} block in Many hosts"));
    after.split("```").next().unwrap().to_owned()
}

fn prepare(host: &Host, venvs: &Venvs) {
    host.sh("mkdir -p /srv/site /srv/reef/etc");
    std::fs::copy(test_venv().join("bin/uv"), host.path("/usr/local/bin/uv")).unwrap();
    let requirements = format!(
        "--no-index\n--find-links {}\nalpha==2.0\n",
        venvs.wheelhouse().display()
    );
    for (name, text) in [
        ("site/requirements.txt", requirements.as_str()),
        ("services.toml", SERVICES),
        ("nginx.conf", NGINX),
        (
            "reef/etc/host.toml",
            "[[check]]\ntype = \"command\"\nname = \"nginx\"\n",
        ),
    ] {
        std::fs::write(host.srv.join(name), text).unwrap();
    }
}

#[test]
fn many_hosts_as_the_readme_has_it() {
    if need("sshd").is_none() || need("nginx").is_none() || need("jq").is_none() {
        return;
    }
    let venvs = Venvs::with_alpha();
    let fleet = Fleet::sharing(2, &[venvs.path()]);
    fleet.hosts().iter().for_each(|host| prepare(host, &venvs));
    let controller = Controller::of(&fleet);
    let playbook = fleet.dir().join("site.yml");
    std::fs::write(&playbook, block("yaml")).unwrap();
    assert!(
        block("yaml").lines().count() <= 10,
        "the fleet in ten lines"
    );

    let played = controller.run("ansible-playbook", &[playbook.to_str().unwrap()]);
    ok(&played.done, "the README's playbook");
    let changed = |task: &&crate::controller::Task| task.result["changed"] == true;
    assert_eq!(
        played.tasks.iter().filter(changed).count(),
        8,
        "four of five on each of two hosts:\n{}",
        played.text()
    );
    for host in fleet.hosts() {
        assert_eq!(host.sh("/srv/venv/bin/alpha").trim(), "2.0");
        assert!(
            !host.srv.join("maintenance/on").exists(),
            "the page is down again"
        );
    }

    // A ssh that knows these hosts, as an administrator's ~/.ssh/config does.
    let dir = fleet.dir().join("bin");
    std::fs::create_dir(&dir).unwrap();
    let names: String = fleet
        .hosts()
        .iter()
        .map(|host| {
            format!(
                "{}) shift; set -- root@{} \"$@\" ;;\n",
                host.name, host.address
            )
        })
        .collect();
    let ssh = format!(
        "#!/bin/sh\ncase $1 in\n{names}esac\nexec /usr/bin/ssh {} \"$@\"\n",
        fleet.ssh_options()
    );
    std::fs::write(dir.join("ssh"), ssh).unwrap();
    std::fs::set_permissions(dir.join("ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(fleet.dir().join("hosts"), "host1\nhost2\n").unwrap();
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    let line = Command::new("sh")
        .args(["-ec", &block("text")])
        .current_dir(fleet.dir())
        .env("PATH", path)
        .output()
        .unwrap();
    let said = ok(&line, "the README's line");
    let mut hosts: Vec<String> = Vec::new();
    for line in said.lines() {
        let report: Value = serde_json::from_str(line).unwrap();
        assert_eq!(report["status"], "ok", "{line}");
        hosts.push(report["host"].as_str().unwrap().to_owned());
    }
    hosts.sort();
    assert_eq!(hosts, ["host1", "host2"]);
}
