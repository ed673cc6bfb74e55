//! `--from-migrations` beside Django itself: what `manage.py migrate` creates on one database, the
//! tool creates on another.

use super::{apply, ensure, installed};
use harness::postgres::{Postgres, unique};
use harness::{TempDir, scratch, test_venv};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// A Django project with an application for each source.
struct Project {
    directory: TempDir,
}

impl Project {
    fn new(apps: &[(&str, &[&str])]) -> Project {
        let project = Project {
            directory: scratch(),
        };
        let names: Vec<String> = apps.iter().map(|(app, _)| format!("'{app}'")).collect();
        project.write(
            "config.py",
            &format!(
                "import os\nSECRET_KEY = 'x'\nINSTALLED_APPS = [{}]\nDATABASES = {{'default': {{'ENGINE': 'django.db.backends.postgresql',\n\
                 'NAME': os.environ['DB'], 'USER': 'postgres', 'HOST': os.environ['SOCKET'], 'PORT': os.environ['PORT']}}}}\n",
                names.join(", ")
            ),
        );
        project.write("shared/__init__.py", "");
        project.write(
            "shared/operations.py",
            "from django.contrib.postgres.operations import CreateExtension\n\n\nclass IntarrayExtension(CreateExtension):\n\
             \x20   def __init__(self):\n        self.name = 'intarray'\n",
        );
        for (app, migrations) in apps {
            project.write(&format!("{app}/__init__.py"), "");
            project.write(&format!("{app}/migrations/__init__.py"), "");
            for (at, source) in migrations.iter().enumerate() {
                let dependencies = match at {
                    0 => String::new(),
                    _ => format!("('{app}', '{at:04}_step')"),
                };
                let source =
                    source.replace("DEPENDENCIES", &format!("dependencies = [{dependencies}]"));
                project.write(&format!("{app}/migrations/{:04}_step.py", at + 1), &source);
            }
        }
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.directory.path().to_path_buf()
    }

    /// What Django's own run leaves in a new database.
    fn migrated(&self, server: &Postgres) -> Vec<String> {
        let database = unique("django");
        server.psql("postgres", &format!("CREATE DATABASE {database}"));
        let done = Command::new(test_venv().join("bin/python"))
            .args(["-m", "django", "migrate", "--settings", "config", "-v", "0"])
            .current_dir(self.path())
            .env("PYTHONPATH", self.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("DB", &database)
            .env("SOCKET", server.socket_dir())
            .env("PORT", server.port().to_string())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        installed(server, &database)
    }
}

const HEAD: &str = "from django.db import migrations\n";

fn migration(before: &str, operations: &str) -> String {
    format!(
        "{HEAD}{before}\n\nclass Migration(migrations.Migration):\n    DEPENDENCIES\n    operations = [\n{operations}\n    ]\n"
    )
}

/// In the shapes that the migrations of public projects have.
fn written() -> Vec<(&'static str, Vec<String>)> {
    let one = |before: &str, operations: &str| vec![migration(before, operations)];
    vec![
        (
            "forum",
            one(
                "from django.contrib.postgres.operations import (\n    BtreeGinExtension,  # an index\n    HStoreExtension,\n)\n",
                "        BtreeGinExtension(),\n        HStoreExtension(),",
            ),
        ),
        (
            "books",
            one(
                "import django.contrib.postgres.operations\n",
                "        django.contrib.postgres.operations.BloomExtension(),",
            ),
        ),
        (
            "names",
            one(
                "from django.contrib.postgres import operations as pg\nfrom django.contrib.postgres.operations import CreateExtension as Make\n",
                "        pg.CITextExtension(), Make(name=\"fuzzystrmatch\"), Make('uuid-' 'ossp'),",
            ),
        ),
        (
            "plain",
            one(
                "",
                "        migrations.RunSQL(\n            sql=\"CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA pg_catalog\",\n            reverse_sql=\"DROP EXTENSION IF EXISTS pg_trgm CASCADE\",\n        ),",
            ),
        ),
        (
            "listed",
            one(
                "",
                "        migrations.RunSQL([(\"CREATE EXTENSION IF NOT EXISTS cube;\", None), 'CREATE EXTENSION \"lo\"', (\"SELECT %s\", [1])],\n                          migrations.RunSQL.noop),\n        migrations.RunSQL(migrations.RunSQL.noop, 'CREATE EXTENSION seg'),",
            ),
        ),
        (
            "blocks",
            one(
                "SQL = \"\"\"\n-- CREATE EXTENSION isn\nDO $do$\nBEGIN\n    CREATE EXTENSION IF NOT EXISTS \"ltree\";\nEXCEPTION WHEN undefined_file THEN\n    RAISE NOTICE 'no create extension today';\nEND\n$do$;\n\"\"\"\n",
                "        migrations.RunSQL(SQL + \"SELECT 'no extension';\"),",
            ),
        ),
        (
            "coded",
            one(
                "\nHELP = 'not read'\n\n\ndef forwards(apps, schema_editor):\n    \"\"\"CREATE EXTENSION isn\"\"\"\n    if schema_editor.connection.vendor == 'postgresql':\n        schema_editor.execute(\n            'CREATE EXTENSION '\n            'IF NOT EXISTS unaccent'\n        )\n\n\ndef backwards(apps, schema_editor):\n    schema_editor.execute('DROP EXTENSION unaccent')\n",
                "        migrations.RunPython(forwards, backwards),",
            ),
        ),
        (
            "custom",
            one(
                "from shared.operations import IntarrayExtension\n",
                "        IntarrayExtension(),",
            ),
        ),
        (
            "split",
            one(
                "from django.contrib.postgres.operations import CreateExtension\n\n\ndef extras():\n    return [CreateExtension('tablefunc')]\n",
                "        migrations.SeparateDatabaseAndState(\n            database_operations=[CreateExtension('tsm_system_rows')],\n            state_operations=[CreateExtension('tsm_system_time')],\n        ),\n        *extras(),",
            ),
        ),
        (
            "dropped",
            vec![
                migration(
                    "",
                    "        migrations.RunSQL('CREATE EXTENSION earthdistance CASCADE'), migrations.RunSQL('CREATE EXTENSION pgrowlocks'),",
                ),
                migration(
                    "",
                    "        migrations.RunSQL('DROP EXTENSION earthdistance', 'CREATE EXTENSION earthdistance'),",
                ),
            ],
        ),
    ]
}

#[test]
fn the_same_extensions_as_django_creates() {
    let server = Postgres::shared();
    let written = written();
    let mut apps: Vec<(&str, Vec<&str>)> = Vec::new();
    for (app, sources) in &written {
        apps.push((app, sources.iter().map(String::as_str).collect()));
    }
    // Each application alone, and all of them.
    let mut projects: Vec<Vec<(&str, &[&str])>> = apps
        .iter()
        .map(|(app, sources)| vec![(*app, sources.as_slice())])
        .collect();
    projects.push(
        apps.iter()
            .map(|(app, sources)| (*app, sources.as_slice()))
            .collect(),
    );
    for chosen in projects {
        let project = Project::new(&chosen);
        let by_django = project.migrated(server);
        let database = unique("tool");
        server.psql("postgres", &format!("CREATE DATABASE {database}"));
        let run = |words: &[&str]| {
            ensure(server, "postgres", &database)
                .args(["--from-migrations", project.path().to_str().unwrap()])
                .args(words)
                .run()
        };
        let output = run(&["--create-cascade"]).expect_code(0);
        // cube stays behind where Django dropped what had required cube.
        let mut by_tool = installed(server, &database);
        if chosen.iter().any(|(app, _)| *app == "dropped") && !by_tool.contains(&"cube".to_string())
        {
            by_tool.push("cube".to_string());
            by_tool.sort();
        }
        assert_eq!(
            by_tool,
            by_django,
            "{chosen:?}: {}",
            output.json()["migrations"]
        );
        assert_eq!(output.json()["migrations"]["unknown"], json!([]));
        run(&["-n"]).expect_code(0);
    }
}

#[test]
fn what_only_python_would_tell_is_unknown_and_named() {
    let server = Postgres::shared();
    let source = migration(
        "from django.contrib.postgres.operations import CreateExtension, HStoreExtension\nNAMES = ['cube']\n\n\ndef some(apps, schema_editor):\n    for name in NAMES:\n        schema_editor.execute(f'CREATE EXTENSION {name}')\n",
        "        HStoreExtension(),\n        *[CreateExtension(name) for name in ('seg', 'lo')],\n        migrations.RunPython(some),\n        migrations.RunSQL('CREATE EXTENSION %s' % 'ltree'),",
    );
    let project = Project::new(&[("odd", &[&source])]);
    assert_eq!(
        project.migrated(server),
        ["cube", "hstore", "lo", "ltree", "seg"]
    );
    let database = unique("tool");
    server.psql("postgres", &format!("CREATE DATABASE {database}"));
    let top = project.path();
    let output = ensure(server, "postgres", &database)
        .args(["--from-migrations", top.to_str().unwrap(), "citext"])
        .run()
        .expect_code(3)
        .expect_err("may create an extension that they do not name");
    // What is known is done all the same.
    assert_eq!(installed(server, &database), ["citext", "hstore"]);
    let report = output.json();
    let lines: Vec<&Value> = report["migrations"]["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| &place["line"])
        .collect();
    assert_eq!(lines, [8, 15, 17], "{report}");
    let file = format!("{}/odd/migrations/0001_step.py", top.display());
    assert_eq!(
        report["migrations"]["creates"][0],
        json!({"name": "hstore", "schema": null, "file": file, "line": 14, "by": "HStoreExtension"})
    );
    assert_eq!(report["error"]["kind"], "unknown");
    // A directory without migrations is a mistake; one that creates nothing is none.
    ensure(server, "postgres", &database)
        .args(["--from-migrations", top.join("shared").to_str().unwrap()])
        .run()
        .expect_code(2)
        .expect_err("holds no migrations");
    let quiet = Project::new(&[("quiet", &[&migration("", "")])]);
    let output = ensure(server, "postgres", &database)
        .args(["--from-migrations", quiet.path().to_str().unwrap()])
        .run()
        .expect_code(0);
    assert_eq!(output.json()["msg"], "the migrations create no extension");
}

/// The application runs into the same causes as with extensions that are typed, and the fixes are
/// as good.
#[test]
fn a_fix_repeats_the_extension_and_a_site_file_names_the_directory() {
    let server = Postgres::start();
    server.create_app("app");
    let source = migration(
        "from django.contrib.postgres.operations import CreateExtension\n",
        "        CreateExtension('dblink'),",
    );
    let project = Project::new(&[("links", &[&source])]);
    let site = project.path().join("reef.toml");
    let text = format!(
        "[site]\nname = \"reef\"\ndir = \"{}\"\n",
        project.path().display()
    );
    std::fs::write(&site, text).unwrap();
    let run = || {
        ensure(&server, "app", "app")
            .args([
                "--site",
                site.to_str().unwrap(),
                "--from-migrations",
                "site",
            ])
            .run()
    };
    let output = run().expect_code(3);
    let fix = output.json()["items"][0]["fix"].clone();
    apply(&server, "app", &fix);
    run().expect_code(0);
    assert_eq!(installed(&server, "app"), ["dblink"]);
    ensure(&server, "app", "app")
        .args(["--from-migrations", "site"])
        .run()
        .expect_code(2)
        .expect_err("no site file names a directory");
}

/// Whoever can change a migration does not get the administrator's rights by that.
#[test]
fn root_lends_the_administrator_to_nobodys_migrations() {
    if !harness::need_root() {
        return;
    }
    let server = Postgres::start();
    server.create_app("app");
    let source = migration(
        "from django.contrib.postgres.operations import CreateExtension\n",
        "        CreateExtension('dblink'),",
    );
    let project = Project::new(&[("links", &[&source])]);
    let top = project.path();
    let file = top.join("links/migrations/0001_step.py");
    std::os::unix::fs::chown(&file, Some(65534), Some(65534)).unwrap();
    let admin = server.dsn("postgres", "postgres");
    let run = |words: &[&str]| {
        ensure(&server, "app", "app")
            .args(["--from-migrations", top.to_str().unwrap()])
            .args(words)
            .run()
    };
    run(&["--admin", &admin])
        .expect_code(2)
        .expect_silence()
        .expect_err("another user can change this migration");
    assert!(installed(&server, "app").is_empty());
    // With the application's own rights there is nothing to lend.
    run(&[]).expect_code(3);
    run(&["--admin", &admin, "--trust", top.to_str().unwrap()]).expect_code(0);
    assert_eq!(installed(&server, "app"), ["dblink"]);
    // A link to a file of root's is not read.
    std::fs::remove_file(&file).unwrap();
    let secret = top.join("secret.py");
    std::fs::write(&secret, "CREATE = 'x'\n").unwrap();
    std::os::unix::fs::symlink(&secret, &file).unwrap();
    std::os::unix::fs::chown(file.parent().unwrap(), Some(65534), Some(65534)).unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let unread = run(&[]).expect_code(3).json();
    assert!(
        unread["migrations"]["unknown"][0]["what"]
            .as_str()
            .unwrap()
            .contains("cannot read"),
        "{unread}"
    );
}
