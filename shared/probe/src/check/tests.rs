//! Probes as they are written, and as they answer.

use super::*;
use std::io::Write;

fn written() -> Written {
    Written::default()
}

#[test]
fn one_table_names_one_thing() {
    assert_eq!(
        Probe::try_from(Written {
            port: Some(PortWritten::Number(8001)),
            ..written()
        })
        .unwrap(),
        Probe::Port("127.0.0.1:8001".into())
    );
    assert_eq!(
        Probe::try_from(Written {
            port: Some(PortWritten::Address("db:5432".into())),
            ..written()
        })
        .unwrap(),
        Probe::Port("db:5432".into())
    );
    let over = Probe::try_from(Written {
        http: Some("http://x/".into()),
        socket: Some("/run/g".into()),
        ..written()
    })
    .unwrap();
    assert_eq!(over.to_string(), "http://x/ over /run/g");
    assert_eq!(over.local_port(), None);
    for wrong in [
        written(),
        Written {
            status: Some(vec![200]),
            file: Some("/x".into()),
            ..written()
        },
        Written {
            file: Some("/x".into()),
            pidfile: Some("/y".into()),
            ..written()
        },
        Written {
            log: Some("/x".into()),
            ..written()
        },
        Written {
            command: Some(vec![]),
            ..written()
        },
        Written {
            port: Some(PortWritten::Address("http".into())),
            ..written()
        },
    ] {
        assert!(Probe::try_from(wrong).is_err());
    }
}

#[test]
fn the_local_port_is_known_only_for_this_host() {
    let port = |url: &str| {
        Probe::try_from(Written {
            http: Some(url.into()),
            ..written()
        })
        .unwrap()
        .local_port()
    };
    assert_eq!(port("http://127.0.0.1:8001/x"), Some(8001));
    assert_eq!(port("http://localhost/"), Some(80));
    assert_eq!(port("http://[::1]:81/"), Some(81));
    assert_eq!(port("http://example.org/"), None);
}

#[test]
fn a_log_probe_counts_only_what_is_new() {
    let path = std::env::temp_dir().join(format!("probe-log-{}", std::process::id()));
    fs::write(&path, "ready\n").unwrap();
    let armed = Probe::Log {
        path: path.clone(),
        line: "ready".into(),
    }
    .arm();
    assert!(armed.once(Duration::ZERO).is_err());
    fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"now ready\n")
        .unwrap();
    armed.once(Duration::ZERO).unwrap();
    // Rotated: the new file is shorter and all of it counts.
    fs::remove_file(&path).unwrap();
    assert!(armed.once(Duration::ZERO).is_err());
    fs::write(&path, "ready\n").unwrap();
    armed.once(Duration::ZERO).unwrap();
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_command_is_believed_by_its_exit_and_ended_in_time() {
    let run = |argv: &[&str], timeout| {
        Probe::Command(argv.iter().map(|each| (*each).to_owned()).collect())
            .arm()
            .once(timeout)
    };
    run(&["/bin/true"], Duration::from_secs(5)).unwrap();
    assert!(run(&["/bin/false"], Duration::from_secs(5)).is_err());
    assert!(
        run(&["/bin/sleep", "60"], Duration::from_millis(50))
            .unwrap_err()
            .contains("still running")
    );
    assert!(run(&["/no/such/program"], Duration::from_secs(5)).is_err());
}

#[test]
fn a_pidfile_must_name_a_living_process() {
    let path = std::env::temp_dir().join(format!("probe-pid-{}", std::process::id()));
    let armed = Probe::Pidfile(path.clone()).arm();
    assert!(armed.once(Duration::ZERO).is_err());
    for (text, ok) in [
        (std::process::id().to_string(), true),
        ("".into(), false),
        ("-1".into(), false),
        ("4194305".into(), false),
    ] {
        fs::write(&path, format!("{text}\n")).unwrap();
        assert_eq!(armed.once(Duration::ZERO).is_ok(), ok, "{text}");
    }
    fs::remove_file(path).unwrap();
}
