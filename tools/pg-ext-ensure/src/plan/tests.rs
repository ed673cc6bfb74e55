//! What is planned for small catalogs; tests/fuzz has large and strange ones.

use super::*;
use crate::catalog::Role;
use std::time::Duration;

fn policy() -> Policy {
    Policy {
        cascade: false,
        create_schema: false,
        update: false,
        fix_schema: false,
        lock_timeout: Duration::ZERO,
        statement_timeout: Duration::ZERO,
    }
}

/// hstore is trusted, dblink is not, earthdistance requires cube.
fn database(creates: bool) -> Database {
    let control = |trusted, requires: &[&str]| Control {
        superuser: true,
        trusted,
        relocatable: true,
        schema: None,
        requires: requires.iter().map(|name| (*name).to_string()).collect(),
    };
    let one = |name: &str, control| {
        let versions = [("1.0".to_string(), control)].into();
        (
            name.to_string(),
            Available {
                default_version: Some("1.0".into()),
                versions,
            },
        )
    };
    let available = [
        one("hstore", control(true, &[])),
        one("dblink", control(false, &[])),
        one("cube", control(true, &[])),
        one("earthdistance", control(true, &["cube"])),
    ];
    let depth = Depth {
        available: available.into(),
        schemas: [("public".to_string(), false)].into(),
        ..Depth::default()
    };
    Database {
        name: "app".into(),
        role: Role {
            name: "app".into(),
            superuser: false,
            creates,
        },
        current_schema: Some("public".into()),
        depth: Some(depth),
        ..Database::default()
    }
}

fn planned(database: &Database, wants: &[&str], policy: &Policy) -> Vec<Step> {
    let wants: Vec<Want> = wants
        .iter()
        .map(|text| Want::parse(text).unwrap())
        .collect();
    steps(
        &Server {
            number: 150_000,
            ..Server::default()
        },
        database,
        &wants,
        policy,
        None,
    )
}

#[test]
fn a_trusted_one_needs_create_on_the_database_and_another_a_superuser() {
    assert_eq!(
        planned(&database(true), &["hstore"], &policy())[0].cause,
        None
    );
    assert_eq!(
        planned(&database(false), &["hstore"], &policy())[0].cause,
        Some(Cause::CreateOnDatabase)
    );
    assert_eq!(
        planned(&database(true), &["dblink"], &policy())[0].cause,
        Some(Cause::Superuser)
    );
    assert_eq!(
        planned(&database(true), &["nope"], &policy())[0].cause,
        Some(Cause::Unavailable("nope".into()))
    );
}

#[test]
fn what_is_required_is_created_first_or_stands_in_the_way() {
    let missing = planned(&database(true), &["earthdistance"], &policy());
    assert_eq!(missing[0].cause, Some(Cause::Requires(vec!["cube".into()])));
    let cascade = Policy {
        cascade: true,
        ..policy()
    };
    let with = planned(&database(true), &["earthdistance"], &cascade);
    let create = |name: &str| sql::create(name, Some("public"), None);
    assert_eq!(
        (with[0].sql.clone(), with[0].cause.clone()),
        (vec![create("cube"), create("earthdistance")], None)
    );
    let both: Vec<String> = planned(&database(true), &["earthdistance", "cube"], &policy())
        .into_iter()
        .map(|s| s.want.name)
        .collect();
    assert_eq!(both, ["cube", "earthdistance"]);
}

#[test]
fn what_is_there_is_left_alone_without_asking_what_there_could_be() {
    let found = Installed {
        version: "0.9".into(),
        schema: "other".into(),
        owner: "postgres".into(),
        owned: false,
        relocatable: true,
        foreign_members: false,
    };
    let mut database = Database {
        depth: None,
        ..database(true)
    };
    database.installed.insert("hstore".into(), found);
    assert!(is_settled(
        &Want::parse("hstore").unwrap(),
        &database,
        &policy()
    ));
    assert!(!is_settled(
        &Want::parse("hstore@1.0").unwrap(),
        &database,
        &policy()
    ));
    let drifted = planned(&database, &["hstore:public"], &policy());
    assert_eq!(
        (drifted[0].action, drifted[0].drifted),
        (Action::None, true)
    );
}

#[test]
fn a_read_only_server_stands_in_the_way_of_work_alone() {
    let database = Database {
        read_only: true,
        ..database(true)
    };
    assert_eq!(
        planned(&database, &["hstore"], &policy())[0].cause,
        Some(Cause::ReadOnly)
    );
}
