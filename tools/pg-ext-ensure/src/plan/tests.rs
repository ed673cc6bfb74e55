//! What is planned for small catalogs, and who may take which step; tests/fuzz has large and
//! strange catalogs.

use super::*;
use crate::catalog::{Dependent, Role, Schema, Settings};
use crate::report::Via;
use crate::rights::{assign, denied};

fn control(trusted: bool, requires: &[&str]) -> Control {
    Control {
        superuser: true,
        trusted,
        relocatable: true,
        schema: None,
        requires: requires.iter().map(|name| (*name).to_string()).collect(),
    }
}

/// hstore is trusted, dblink is not, earthdistance requires cube.
fn database(creates: bool) -> Database {
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
        one("pg_cron", control(false, &[])),
        one("pg_stat_statements", control(false, &[])),
    ];
    let depth = Depth {
        available: available.into(),
        schemas: [("public".to_string(), Schema::default())].into(),
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

fn installed(version: &str) -> Installed {
    Installed {
        version: version.into(),
        schema: "public".into(),
        owner: "app".into(),
        owned: true,
        relocatable: true,
        foreign_members: false,
    }
}

/// Wants as on the command line, with `-NAME` for an absent one.
fn wants(texts: &[&str]) -> Vec<Want> {
    let parse = |text: &&str| match text.strip_prefix('-') {
        Some(name) => Want::parse_absent(name).unwrap(),
        None => Want::parse(text).unwrap(),
    };
    texts.iter().map(parse).collect()
}

fn planned(database: &Database, texts: &[&str], policy: &Policy) -> Vec<Step> {
    let server = Server {
        number: 150_000,
        ..Server::default()
    };
    steps(&server, database, &wants(texts), policy)
}

fn names(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.want.name.as_str()).collect()
}

fn texts(step: &Step) -> Vec<String> {
    step.statements.iter().map(|s| s.text(None)).collect()
}

fn extension(name: &str) -> Dependent {
    Dependent {
        object: format!("extension {name}"),
        extension: Some(name.into()),
    }
}

/// earthdistance and cube are installed, and a table uses cube.
fn with_cube() -> Database {
    let mut database = database(true);
    for name in ["cube", "earthdistance"] {
        database.installed.insert(name.into(), installed("1.0"));
    }
    let depth = database.depth.as_mut().unwrap();
    depth
        .needs
        .insert("earthdistance".into(), ["cube".to_string()].into());
    depth
        .dependents
        .insert("cube".into(), vec![extension("earthdistance")]);
    depth.dependents.insert("earthdistance".into(), Vec::new());
    database
}

#[test]
fn a_trusted_one_needs_create_on_the_database_and_another_a_superuser() {
    let lacks = |creates, text| {
        let database = database(creates);
        denied(
            &planned(&database, &[text], &Policy::default())[0],
            &database,
        )
    };
    assert_eq!(lacks(true, "hstore"), None);
    assert_eq!(lacks(false, "hstore"), Some(Cause::CreateOnDatabase));
    assert_eq!(lacks(true, "dblink"), Some(Cause::Superuser));
    let missing = planned(&database(true), &["nope"], &Policy::default());
    assert_eq!(missing[0].cause, Some(Cause::Unavailable("nope".into())));
}

#[test]
fn a_whitelist_waives_rights_and_a_managed_service_leaves_them_open() {
    let mut database = database(false);
    let settings = &mut database.depth.as_mut().unwrap().settings;
    settings.whitelist = Some(vec!["dblink".into()]);
    let lacks = |database: &Database, text| {
        denied(&planned(database, &[text], &Policy::default())[0], database)
    };
    assert_eq!(lacks(&database, "dblink"), None);
    assert_eq!(lacks(&database, "hstore"), Some(Cause::CreateOnDatabase));
    let settings = &mut database.depth.as_mut().unwrap().settings;
    settings.provider = Some("rds_superuser".into());
    assert_eq!(
        lacks(&database, "hstore"),
        Some(Cause::Provider("rds_superuser".into()))
    );
}

#[test]
fn what_is_required_is_created_first_or_stands_in_the_way() {
    let missing = planned(&database(true), &["earthdistance"], &Policy::default());
    assert_eq!(missing[0].cause, Some(Cause::Requires(vec!["cube".into()])));
    let cascade = Policy {
        create_cascade: true,
        ..Policy::default()
    };
    let with = planned(&database(true), &["earthdistance"], &cascade);
    assert_eq!(
        (texts(&with[0]), with[0].cause.clone()),
        (
            vec![
                "CREATE EXTENSION \"cube\" SCHEMA \"public\"".to_string(),
                "CREATE EXTENSION \"earthdistance\" SCHEMA \"public\"".to_string()
            ],
            None
        )
    );
    let both = planned(
        &database(true),
        &["earthdistance", "cube"],
        &Policy::default(),
    );
    assert_eq!(names(&both), ["cube", "earthdistance"]);
}

#[test]
fn nothing_is_created_where_no_schema_is_known() {
    let nowhere = Database {
        current_schema: None,
        ..database(true)
    };
    let step = &planned(&nowhere, &["hstore"], &Policy::default())[0];
    assert_eq!(step.cause, Some(Cause::NoCurrentSchema(true)));
    let named = &planned(&nowhere, &["hstore:public"], &Policy::default())[0];
    assert_eq!(named.cause, None);
    // A requirement has the same place, even where the extension itself has a fixed one.
    let mut fixed = nowhere;
    let available = &mut fixed.depth.as_mut().unwrap().available;
    let earth = available.get_mut("earthdistance").unwrap();
    earth.versions.get_mut("1.0").unwrap().schema = Some("pg_catalog".into());
    let cascade = Policy {
        create_cascade: true,
        ..Policy::default()
    };
    let step = &planned(&fixed, &["earthdistance"], &cascade)[0];
    assert_eq!(step.cause, Some(Cause::NoCurrentSchema(true)));
}

#[test]
fn drops_go_dependents_first_in_whatever_order_they_are_asked_for() {
    for asked in [["-cube", "-earthdistance"], ["-earthdistance", "-cube"]] {
        let steps = planned(&with_cube(), &asked, &Policy::default());
        assert_eq!(names(&steps), ["earthdistance", "cube"]);
        assert!(steps.iter().all(|step| step.cause.is_none()), "{steps:?}");
        assert_eq!(texts(&steps[1]), ["DROP EXTENSION \"cube\" RESTRICT"]);
    }
}

#[test]
fn a_drop_that_is_stopped_stops_the_drop_of_what_it_needs() {
    let mut database = with_cube();
    let column = Dependent {
        object: "table column public.t.e".into(),
        extension: None,
    };
    let dependents = &mut database.depth.as_mut().unwrap().dependents;
    dependents.insert("earthdistance".into(), vec![column.clone()]);
    let steps = planned(&database, &["-cube", "-earthdistance"], &Policy::default());
    let assigned = assign(steps, &database, None);
    let causes: Vec<Option<Cause>> = assigned.iter().map(|one| one.step.cause.clone()).collect();
    assert_eq!(
        causes,
        [
            Some(Cause::Dependents(vec![column.clone()])),
            Some(Cause::Dependents(vec![extension("earthdistance")]))
        ]
    );
    let cascade = Policy {
        drop_cascade: true,
        ..Policy::default()
    };
    let steps = planned(&database, &["-earthdistance"], &cascade);
    assert_eq!(
        texts(&steps[0]),
        ["DROP EXTENSION \"earthdistance\" CASCADE"]
    );
    assert_eq!(steps[0].lost, [column]);
}

#[test]
fn what_shall_stay_is_not_dropped_with_what_shall_go() {
    let cascade = Policy {
        drop_cascade: true,
        create_cascade: true,
        ..Policy::default()
    };
    let contradiction = Some(Cause::Contradiction {
        present: "earthdistance".into(),
        absent: "cube".into(),
    });
    let steps = planned(&with_cube(), &["earthdistance", "-cube"], &cascade);
    assert_eq!(steps[0].want.name, "cube");
    assert_eq!(steps[0].cause, contradiction);
    // Nor is what shall go created for what shall be there.
    let mut gone = with_cube();
    gone.installed.remove("earthdistance");
    let steps = planned(&gone, &["earthdistance", "-cube"], &cascade);
    assert_eq!(steps[1].cause, contradiction);
}

#[test]
fn an_update_that_needs_less_comes_before_the_drop() {
    let mut database = with_cube();
    let depth = database.depth.as_mut().unwrap();
    let earth = depth.available.get_mut("earthdistance").unwrap();
    earth.versions.insert("2.0".into(), control(true, &[]));
    earth.default_version = Some("2.0".into());
    depth
        .reachable
        .insert("earthdistance".into(), vec!["2.0".into()]);
    let steps = planned(
        &database,
        &["-cube", "earthdistance@latest"],
        &Policy::default(),
    );
    assert_eq!(names(&steps), ["earthdistance", "cube"]);
    assert!(steps.iter().all(|step| step.cause.is_none()), "{steps:?}");
}

#[test]
fn a_library_that_is_not_loaded_stops_or_is_told() {
    let mut database = database(true);
    database.role.superuser = true;
    let settings = |database: &mut Database, settings| {
        database.depth.as_mut().unwrap().settings = settings;
    };
    settings(
        &mut database,
        Settings {
            preload: Some("auto_explain".into()),
            ..Settings::default()
        },
    );
    let steps = planned(
        &database,
        &["pg_cron", "pg_stat_statements"],
        &Policy::default(),
    );
    assert_eq!(steps[0].cause, Some(Cause::Preload("pg_cron".into())));
    assert_eq!(
        (steps[1].cause.clone(), steps[1].is_unloaded()),
        (None, true)
    );
    settings(
        &mut database,
        Settings {
            preload: Some("pg_cron".into()),
            cron_database: Some("postgres".into()),
            ..Settings::default()
        },
    );
    let steps = planned(&database, &["pg_cron"], &Policy::default());
    assert_eq!(steps[0].cause, Some(Cause::CronDatabase("postgres".into())));
}

#[test]
fn the_administrator_takes_what_the_application_may_not() {
    let app = database(false);
    let admin = Database {
        role: Role {
            name: "postgres".into(),
            superuser: true,
            creates: true,
        },
        ..app.clone()
    };
    let steps = planned(&app, &["cube", "earthdistance", "nope"], &Policy::default());
    let with = assign(steps.clone(), &app, Some(&admin));
    let how: Vec<(Via, bool)> = with
        .iter()
        .map(|one| (one.via, one.cause().is_some()))
        .collect();
    assert_eq!(
        how,
        [(Via::Admin, false), (Via::Admin, false), (Via::App, true)]
    );
    let without = assign(steps, &app, None);
    assert_eq!(without[0].cause(), Some(&Cause::CreateOnDatabase));
    assert_eq!(
        without[1].cause(),
        Some(&Cause::Requires(vec!["cube".into()]))
    );
}

#[test]
fn postgis_is_updated_by_its_own_function() {
    let mut database = database(true);
    let mut found = installed("3.3.1");
    found.schema = "gis".into();
    database.installed.insert("postgis".into(), found);
    let depth = database.depth.as_mut().unwrap();
    depth.available.insert(
        "postgis".into(),
        Available {
            default_version: Some("3.3.2".into()),
            versions: [("3.3.2".to_string(), control(false, &[]))].into(),
        },
    );
    depth
        .reachable
        .insert("postgis".into(), vec!["3.3.2".into(), "3.3.2next".into()]);
    let update = |text| texts(&planned(&database, &[text], &Policy::default())[0]);
    assert_eq!(
        update("postgis@latest"),
        ["SELECT \"gis\".postgis_extensions_upgrade()"]
    );
    assert_eq!(
        update("postgis@3.3.2next"),
        ["ALTER EXTENSION \"postgis\" UPDATE TO \"3.3.2next\""]
    );
}

#[test]
fn what_is_there_is_left_alone_without_asking_what_there_could_be() {
    let mut database = Database {
        depth: None,
        ..database(true)
    };
    let mut found = installed("0.9");
    found.schema = "other".into();
    database.installed.insert("hstore".into(), found);
    let settled = |text| is_settled(&Want::parse(text).unwrap(), &database, &Policy::default());
    assert!(settled("hstore") && !settled("hstore@1.0") && !settled("hstore@latest"));
    let drifted = planned(&database, &["hstore:public"], &Policy::default());
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
        planned(&database, &["hstore"], &Policy::default())[0].cause,
        Some(Cause::ReadOnly)
    );
}
