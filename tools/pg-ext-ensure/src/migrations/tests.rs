use super::reader::{self, What};
use super::*;

/// What a migration says, in a line for each finding.
fn said(source: &str) -> Vec<String> {
    let path = Path::new("/nowhere/app/migrations/0001.py");
    let found = reader::read(source.as_bytes(), path, &project::Project::default());
    found
        .into_iter()
        .map(|found| shown(found.line, &found.what))
        .collect()
}

fn shown(line: usize, what: &What) -> String {
    match what {
        What::Creates { name, schema, by } => match schema {
            Some(schema) => format!("{line} + {name}:{schema} {by}"),
            None => format!("{line} + {name} {by}"),
        },
        What::Drops(name) => format!("{line} - {name}"),
        What::Unknown(what) => format!("{line} ? {what}"),
        What::Unread(what) => format!("{line} . {what}"),
    }
}

#[track_caller]
fn says(source: &str, expected: &[&str]) {
    assert_eq!(said(source), expected, "{source}");
}

#[test]
fn operations_by_whatever_name_they_are_imported() {
    says(
        "from django.contrib.postgres.operations import (\n    BtreeGinExtension as Gin, CreateExtension, TrigramExtension,\n)\n\
         from django.contrib.postgres import operations as ops\nimport django.contrib.postgres.operations\n\
         class Migration(migrations.Migration):\n    operations = [\n        Gin(), TrigramExtension(),\n        CreateExtension('uuid-ossp'),\n\
         \x20       CreateExtension(name=\"ltree\", hints={'a': 1}),\n        ops.HStoreExtension(),\n        django.contrib.postgres.operations.CITextExtension(),\n    ]\n",
        &[
            "8 + btree_gin Gin",
            "8 + pg_trgm TrigramExtension",
            "9 + uuid-ossp CreateExtension",
            "10 + ltree CreateExtension",
            "11 + hstore HStoreExtension",
            "12 + citext CITextExtension",
        ],
    );
    says(
        "from django.contrib.postgres.operations import *\nops = [BloomExtension(), CryptoExtension(), UnaccentExtension(), BtreeGistExtension()]\n",
        &[
            "2 + bloom BloomExtension",
            "2 + pgcrypto CryptoExtension",
            "2 + unaccent UnaccentExtension",
            "2 + btree_gist BtreeGistExtension",
        ],
    );
    // An alias, a name in a variable, a call in a function: all run.
    says(
        "from django.contrib.postgres import operations\nfrom pgvector.django import VectorExtension\nTrgm = operations.TrigramExtension\n\
         NAME = 'cube'\ndef more():\n    return [VectorExtension(), operations.CreateExtension(NAME)]\n\
         class Migration(migrations.Migration):\n    operations = [Trgm(), *more()]\n",
        &[
            "6 + vector VectorExtension",
            "6 + cube CreateExtension",
            "8 + pg_trgm Trgm",
        ],
    );
    // No extension of Django's.
    says(
        "from shop.files import TrigramExtensionError\nx = TrigramExtensionError()\ny = splitext(CreateExtension)\n",
        &[],
    );
}

#[test]
fn own_subclasses_have_the_name_that_they_set() {
    says(
        "from django.contrib.postgres.operations import CreateExtension, TrigramExtension\n\
         class Fuzzy(CreateExtension):\n    def __init__(self):\n        self.name = 'fuzzystrmatch'\n\
         class Trees(CreateExtension):\n    def __init__(self):\n        super().__init__('ltree')\n\
         class Any(CreateExtension):\n    pass\nclass Mine(TrigramExtension):\n    pass\n\
         ops = [Fuzzy(), Trees(), Any('cube'), Mine(), Any(name)]\n",
        &[
            "12 + fuzzystrmatch Fuzzy",
            "12 + ltree Trees",
            "12 + cube Any",
            "12 + pg_trgm Mine",
            "12 ? Any with a name that is not written in the migration",
        ],
    );
    // Operations of a project's own.
    says(
        "class Extension(Operation):\n    def __init__(self, name):\n        self.name = name\n    def database_forwards(self, app, editor, a, b):\n\
         \x20       editor.execute('CREATE EXTENSION IF NOT EXISTS \"%s\"' % self.name)\n\
         class Trees(Operation):\n    def database_forwards(self, app, editor, a, b):\n        editor.execute('CREATE EXTENSION ltree')\n\
         ops = [Extension('uuid-ossp'), Extension(name='cube'), Trees()]\n",
        &[
            "9 + uuid-ossp Extension",
            "9 + cube Extension",
            "9 + ltree Trees",
        ],
    );
}

#[test]
fn sql_in_all_its_forms() {
    let head = "from django.db import migrations\nfrom django.db.migrations import RunSQL as Run\n";
    let sql = "SQL = '''\nCREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public;\n'''\n";
    let one = |code: &str, expected: &[&str]| {
        let sql = if code.contains("SQL)") || code.contains("SQL +") {
            sql
        } else {
            "\n\n\n"
        };
        says(&format!("{head}{sql}ops = [\n{code}]\n"), expected);
    };
    one(
        "migrations.RunSQL('CREATE EXTENSION hstore', 'DROP EXTENSION hstore')",
        &["7 + hstore RunSQL"],
    );
    one(
        "migrations.RunSQL(sql='DROP EXTENSION cube', reverse_sql='CREATE EXTENSION cube')",
        &["7 - cube"],
    );
    one("Run(SQL)", &["7 + uuid-ossp:public RunSQL"]);
    one(
        "Run(SQL + 'CREATE ' 'EXTENSION ltree')",
        &["7 + uuid-ossp:public RunSQL", "7 + ltree RunSQL"],
    );
    one(
        "Run([('CREATE EXTENSION cube', None), 'CREATE EXTENSION \\\"lo\\\"', (\"SELECT %s\", [1])])",
        &["7 + cube RunSQL", "7 + lo RunSQL"],
    );
    one("Run(migrations.RunSQL.noop, 'CREATE EXTENSION x')", &[]);
    one(
        "Run(textwrap.dedent(SQL).strip())",
        &["7 + uuid-ossp:public RunSQL"],
    );
    one(
        "Run(r'''DO $$ BEGIN CREATE EXTENSION vector; END $$''')",
        &["7 + vector RunSQL"],
    );
    one(
        "Run(text())]\ndef text():\n    if x:\n        return 'CREATE EXTENSION a'\n    return 'CREATE EXTENSION b'\nb = [",
        &["7 + a RunSQL", "7 + b RunSQL"],
    );
    // What only a run would tell.
    one(
        "Run(f'CREATE EXTENSION {x}')",
        &["7 ? RunSQL with SQL that is not written in the migration"],
    );
    one(
        "Run('CREATE EXTENSION %s' % x)",
        &["7 ? RunSQL with SQL that is not written in the migration"],
    );
    one(
        "Run('CREATE EXTENSION %s')",
        &["7 ? RunSQL with a CREATE EXTENSION whose name is not written there"],
    );
    one(
        "Run(open('x.sql').read())",
        &["7 ? RunSQL with SQL that is not written in the migration"],
    );
    one(
        "Run(f'CREATE INDEX {x} ON y (z)')",
        &["7 . RunSQL with SQL that is put together when it runs"],
    );
    // The state alone gets no extension.
    one(
        "migrations.SeparateDatabaseAndState(state_operations=[Run('CREATE EXTENSION a')], database_operations=[Run('CREATE EXTENSION b')])",
        &["7 + b RunSQL"],
    );
}

#[test]
fn functions_are_named_and_their_sql_is_read() {
    says(
        "from django.db import migrations, connection\n\
         def forwards(apps, schema_editor):\n    \"\"\"CREATE EXTENSION in_a_docstring\"\"\"\n    if schema_editor.connection.vendor == 'postgresql':\n\
         \x20       schema_editor.execute('CREATE EXTENSION IF NOT EXISTS citext')\n    helper()\n\
         def helper():\n    sql = 'CREATE EXTENSION cube'\n    with connection.cursor() as cursor:\n        cursor.execute(sql)\n\
         def backwards(apps, schema_editor):\n    schema_editor.execute('CREATE EXTENSION gone')\n\
         def populate(apps, schema_editor):\n    apps.get_model('a', 'B').objects.all()\n\
         class Migration(migrations.Migration):\n    operations = [\n        migrations.RunPython(forwards, backwards),\n\
         \x20       migrations.RunPython(code=populate, reverse_code=migrations.RunPython.noop),\n        migrations.RunPython(migrations.RunPython.noop),\n\
         \x20       migrations.RunPython(lambda apps, editor: None),\n    ]\n",
        &[
            "5 + citext RunPython",
            "10 + cube RunPython",
            "17 . RunPython of 'forwards'",
            "18 . RunPython of 'populate'",
            "20 . RunPython",
        ],
    );
    says(
        "from django.db import migrations\nfor name in ('a', 'b'):\n    x = 'CREATE EXTENSION ' + name\n\
         def f(apps, se):\n    se.execute('CREATE EXTENSION %s' % se.quote_name(n))\nops = [migrations.RunPython(f)]\n",
        &[
            "3 ? a string about an extension that no operation is seen to run",
            "5 ? RunPython with SQL that is not written in the migration",
            "6 . RunPython of 'f'",
        ],
    );
}

#[test]
fn what_is_not_called_or_not_read_is_unknown() {
    says(
        "from django.contrib.postgres.operations import TrigramExtension, UnaccentExtension\nfrom shop.db import FuzzyExtension\n\
         ops = [x() for x in (TrigramExtension, UnaccentExtension)] + [FuzzyExtension()]\n",
        &[
            "3 ? FuzzyExtension of the module 'shop.db', which was not read",
            "3 ? 'TrigramExtension' is used here without being called",
            "3 ? 'UnaccentExtension' is used here without being called",
        ],
    );
    says(
        "x = '''never closed\n",
        &["1 ? a string or a bracket is never closed"],
    );
    says(
        "permissions = [('create_extension', 'Can create extension points')]\n# CREATE EXTENSION a\n",
        &[],
    );
    says(
        "import django.contrib.gis.db.models.fields\nclass Migration(migrations.Migration):\n    pass\n",
        &["1 + postgis django.contrib.gis"],
    );
}

#[test]
fn a_project_is_read_as_a_whole() {
    let top = std::env::temp_dir().join(format!("pg-ext-ensure-migrations-{}", std::process::id()));
    let write = |name: &str, text: &str| {
        let path = top.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let operation = |class: &str| {
        format!("from django.contrib.postgres.operations import {class}\nops = [{class}()]\n")
    };
    write(
        "site/forum/migrations/0001_initial.py",
        &operation("HStoreExtension"),
    );
    write(
        "site/forum/migrations/0002_more.py",
        "from ..db import Fuzzy\nfrom forum.db import Fuzzy as F\nops = [F(), Fuzzy()]\n",
    );
    write("site/forum/db/__init__.py", "from .ops import Fuzzy\n");
    write(
        "site/forum/db/ops.py",
        "from django.contrib.postgres.operations import CreateExtension\nclass Fuzzy(CreateExtension):\n    def __init__(self):\n        self.name = 'fuzzystrmatch'\n",
    );
    write(
        "site/forum/migrations/0003_drop.py",
        "from django.db import migrations\nops = [migrations.RunSQL('CREATE EXTENSION cube'), migrations.RunSQL('DROP EXTENSION hstore')]\n",
    );
    write(
        "site/forum/migrations/0004_again.py",
        "from django.db import migrations\nops = [migrations.RunSQL('DROP EXTENSION cube; CREATE EXTENSION cube')]\n",
    );
    write(
        "site/forum/migrations/__init__.py",
        &operation("BloomExtension"),
    );
    write(
        "site/forum/schema_changes/one.py",
        "from django.contrib.postgres.operations import *\nclass Migration(migrations.Migration):\n    ops = [CryptoExtension()]\n",
    );
    write(
        "site/forum/tests/migrations/0001.py",
        &operation("CITextExtension"),
    );
    write("site/env/pyvenv.cfg", "");
    write(
        "site/env/lib/app/migrations/0001.py",
        &operation("UnaccentExtension"),
    );
    let found = read(&[&top.join("site")]).unwrap();
    let names: Vec<String> = found.wants().into_iter().map(|want| want.name).collect();
    assert_eq!(names, ["fuzzystrmatch", "cube", "pgcrypto"]);
    assert_eq!((found.files, found.unknown.as_slice()), (7, &[][..]));
    let unread: Vec<&str> = found
        .unread
        .iter()
        .map(|place| place.what.as_str())
        .collect();
    assert_eq!(
        unread,
        [
            "UnaccentExtension creates 'unaccent', if the site installs this application",
            "CITextExtension creates 'citext', if the site installs this application",
            "drops 'hstore': the extension is not ensured",
        ]
    );
    assert!(
        read(&[&top.join("site/forum/db")])
            .unwrap_err()
            .message
            .contains("holds no migrations")
    );
    std::fs::remove_dir_all(&top).unwrap();
}

/// A name that stands for two of the next, forty times over; a list as long.
#[test]
fn bombs_are_unknown_soon() {
    let began = std::time::Instant::now();
    let chain = |joined: &str| -> String {
        let each = (0..40).map(|at| {
            joined
                .replace('N', &format!("a{}", at + 1))
                .replacen('M', &format!("a{at}"), 1)
        });
        each.collect::<String>()
    };
    let head = "from django.db.migrations import RunSQL\n";
    let text = "x".repeat(100_000);
    for joined in ["M = N + N\n", "M = [N, N, N]\n", "M = N % N % N\n"] {
        let source = format!(
            "{head}{}a40 = '{text}'\nops = [RunSQL(a0)]\n",
            chain(joined)
        );
        let found = said(&source);
        assert!(found.iter().any(|line| line.contains('?')), "{found:?}");
    }
    let many = format!("{head}{}", "x = f(x)\n".repeat(20_000));
    said(&many);
    assert!(
        began.elapsed() < std::time::Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
}

/// Pieces of migrations in any order: nothing panics, and whatever is created has a name.
#[test]
fn sources_that_nobody_meant() {
    const PIECES: &[&str] = &[
        "from django.contrib.postgres.operations import CreateExtension, HStoreExtension as H\n",
        "from django.db import migrations\n",
        "from . import x\n",
        "from .. import *\n",
        "import a.b as c, d\n",
        "class X(CreateExtension):\n",
        "    def __init__(self):\n",
        "        self.name = 'ltree'\n",
        "def f(a, b):\n",
        "    return [f(), X(), H()]\n",
        "migrations.RunSQL(",
        "CreateExtension(",
        "X(",
        "f(",
        "RunSQL",
        "sql=",
        "name",
        "x = x\n",
        "y = x\nx = y\n",
        "'CREATE EXTENSION ",
        "hstore",
        "'",
        "\"",
        "\"\"\"",
        "f'",
        "{x}",
        "\\",
        "\n",
        "    ",
        "(",
        ")",
        "[",
        "]",
        ",",
        ".",
        "=",
        "==",
        "+",
        "%",
        "*",
        ":",
        ";",
        "#",
        "$$",
        "$a$",
        "--",
        "/*",
        "*/",
        "EXECUTE ",
        "\u{e9}",
        "\u{1f40d}",
        "\0",
        "lambda: ",
        "async def g():\n",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % bound as u64).unwrap()
    };
    let path = Path::new("/nowhere/app/migrations/0001.py");
    for _ in 0..20_000 {
        let source: String = (0..below(40))
            .map(|_| PIECES[below(PIECES.len())])
            .collect();
        for found in reader::read(source.as_bytes(), path, &project::Project::default()) {
            if let What::Creates { name, .. } | What::Drops(name) = &found.what {
                assert!(!name.is_empty(), "{source}");
            }
        }
    }
}
