use super::*;
use std::time::Duration;

fn read(text: &str, names: &[&str]) -> Result<Set> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Set::read(
        None,
        Some(&Source::new("set.toml", text.to_owned())),
        Path::new("/srv"),
        None,
        &names,
        None,
    )
}

const SITE: &str = r#"
    [service.gunicorn]
    backend = "supervisor"
    config = "config/supervisor.conf"
    after = ["redis"]
    ready = [{ http = "http://127.0.0.1:8001/", status = [200], host = "example.org" }, { port = 8001, holder = "any" }]
    stable = "5s"
    stopped = [{ tree = true }, { port = 8001 }]
    kill = "escalate"
    expect = { env = ["PRODUCTION=1"], user = "deployer" }
    [service.redis]
    backend = "command"
    name = "redis-server"
    start = ["redis-server"]
    policy = "ensure"
"#;

#[test]
fn a_set_is_read_and_ordered() {
    let set = read(SITE, &[]).unwrap();
    let names: Vec<&str> = set
        .waves
        .iter()
        .flatten()
        .map(|at| set.services[*at].name.as_str())
        .collect();
    assert_eq!(names, ["redis", "gunicorn"]);
    let gunicorn = set
        .services
        .iter()
        .find(|service| service.name == "gunicorn")
        .unwrap();
    assert_eq!(gunicorn.spec.stable, Some(Duration::from_secs(5)));
    assert_eq!(
        gunicorn
            .spec
            .ready
            .iter()
            .map(|ready| ready.anybody)
            .collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(gunicorn.path(Path::new("x")), Path::new("/srv/x"));
    let redis = set
        .services
        .iter()
        .find(|service| service.name == "redis")
        .unwrap();
    assert!(set.only_ensures(redis) && !set.only_ensures(gunicorn));
    assert!(!read(SITE, &["redis"]).unwrap().only_ensures(redis));
}

#[test]
fn the_same_set_in_json() {
    let text = r#"{"service": {"web": {"backend": "systemd", "ready": [{"port": 80}], "stopped": [{"tree": false}], "stop_timeout": "2s"}}}"#;
    let set = Set::read(
        None,
        Some(&Source::new("set.json", text.to_owned())),
        Path::new("/"),
        None,
        &[],
        None,
    )
    .unwrap();
    assert!(!set.services[0].checks_tree());
    assert_eq!(
        set.services[0].stop_timeout(&crate::state::State::default()),
        Duration::from_secs(2)
    );
}

#[test]
fn what_is_wrong_is_said_before_anything_is_touched() {
    for (text, says) in [
        ("[service.a]\nbackend = \"upstart\"", "upstart"),
        (
            "[service.a]\nbackend = \"systemd\"\nafter = [\"b\"]",
            "no such service",
        ),
        ("[service.a]\nbackend = \"systemd\"\ncolour = 1", "colour"),
        (
            "[service.a]\nbackend = \"systemd\"\nready = [{ port = 80, color = 1 }]",
            "color",
        ),
        (
            "[service.a]\nbackend = \"systemd\"\nstable = \"soon\"",
            "soon",
        ),
        (
            "[service.a]\nbackend = \"systemd\"\nafter = [\"b\"]\n[service.b]\nbackend = \"systemd\"\nafter = [\"a\"]",
            "circle",
        ),
        ("", "no [service.NAME]"),
    ] {
        let error = read(text, &[]).unwrap_err();
        assert_eq!(error.kind, base::Kind::Input, "{text}");
        assert!(error.message.contains(says), "{says}: {}", error.message);
    }
    assert_eq!(read(SITE, &["nginx"]).unwrap_err().kind, base::Kind::Usage);
}

#[test]
fn names_alone_keep_their_order() {
    let names = [
        "systemd:uwsgi.service".to_owned(),
        "systemd:nginx.service".to_owned(),
    ];
    let set = Set::read(None, None, Path::new("/"), None, &names, None).unwrap();
    assert_eq!(set.waves, [[0], [1]]);
    assert!(
        Set::read(
            None,
            None,
            Path::new("/"),
            None,
            &["upstart:x".to_owned()],
            None
        )
        .is_err()
    );
    assert!(Set::read(None, None, Path::new("/"), None, &[], None).is_err());
}

#[test]
fn the_manuals_example_is_a_set() {
    let set = read(document::EXAMPLE, &[]).unwrap();
    assert_eq!(set.waves.len(), 2);
}

#[test]
fn every_key_is_in_the_manual() {
    let document = document::document();
    let keys = |heading: &str| -> Vec<String> {
        let table = document
            .tables
            .iter()
            .find(|table| table.heading == heading)
            .unwrap();
        assert!(
            table
                .keys
                .iter()
                .all(|key| !key.text.is_empty() && !key.value.is_empty()),
            "{table:?}"
        );
        table.keys.iter().map(|key| key.name.clone()).collect()
    };
    for (heading, wrong) in [
        (
            "[service.NAME]",
            "[service.a]\nbackend = \"systemd\"\n'?' = 1",
        ),
        (
            "expect = { … }",
            "[service.a]\nbackend = \"systemd\"\nexpect = { '?' = 1 }",
        ),
        (
            "ready = [{ … }]",
            "[service.a]\nbackend = \"systemd\"\nready = [{ '?' = 1 }]",
        ),
    ] {
        // The keys that it would have taken are in the hint.
        let said = read(wrong, &[]).unwrap_err().hint.unwrap_or_default();
        let accepted: Vec<&str> = said
            .trim_start_matches("the keys are: ")
            .split(", ")
            .collect();
        let documented = keys(heading);
        assert!(
            accepted.len() > 2
                && accepted
                    .iter()
                    .all(|key| documented.iter().any(|known| known == key)),
            "{documented:?}: {said}"
        );
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (text, says) in [
        (
            "[service.a]\nbackend = \"upstart\"",
            "set.toml:2:11: service a: backend = 'upstart': unknown",
        ),
        (
            "[service.a]\nbackend = \"systemd\"\nafter = [\"b\"]",
            "set.toml:3:9: service a: after = 'b': no such service",
        ),
        (
            "[service.a]\nbackend = \"systemd\"\nstop_timout = \"5s\"",
            "set.toml:3:1: unknown key 'stop_timout'",
        ),
    ] {
        assert_eq!(read(text, &[]).unwrap_err().message, says);
    }
    let json = "{\"service\": {\"a\":\n{\"backend\": \"systemd\", \"after\": [\"b\"]}}}";
    let error = Set::read(
        None,
        Some(&Source::new("set.json", json.to_owned())),
        Path::new("/"),
        None,
        &[],
        None,
    )
    .unwrap_err();
    assert_eq!(
        error.message,
        "set.json:2:33: service a: after = 'b': no such service"
    );
}

/// Whoever adds a backend shows a set that names it.
#[test]
fn every_backends_example_is_a_set_of_its_own() {
    for row in crate::backend::ALL {
        // The example's user exists on no host but the reef's.
        let text = row.example.replace("\"reef\"", "\"root\"");
        let set = read(&text, &[]).unwrap_or_else(|error| panic!("{}: {error:?}", row.name));
        let backends: Vec<&str> = set.services.iter().map(|each| each.backend).collect();
        assert_eq!(backends, [row.name]);
        let named = crate::backend::named(row.name).unwrap();
        assert_eq!(
            named.about, row.about,
            "two rows have the name '{}'",
            row.name
        );
        let id = crate::backend::id(&set.services[0]);
        assert_eq!(id.backend, row.name, "{id:?}");
        assert!(!(row.locks)(&set.services[0]).is_empty());
        assert!(row.about.ends_with('.'), "{}", row.about);
    }
}
