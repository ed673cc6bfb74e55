#!/bin/sh
# What happens while the forum is stopped: runbook.sh runs it inside `svc-cycle cycle`,
# behind the maintenance page. Where any of it fails, or somebody presses Ctrl-C, code
# and environment are put back as they were; PostgreSQL takes a migration back by itself.
set -eu

site=/srv/misago
code=$site/site

manage() { runuser -u misago -- env -C $code HOME=$site ../venv/bin/python manage.py "$@"; }

was=$(git -C $code rev-parse HEAD)
release=$(readlink $site/venv || :)
put_back() {
    rc=$?
    trap '' HUP INT TERM
    if [ "$rc" -ne 0 ]; then
        git -C $code reset -q --hard "$was"
        if [ -n "$release" ] && [ "$(readlink $site/venv)" != "$release" ]; then
            venv-sync rollback
        fi
    fi
    exit "$rc"
}
trap put_back EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# before: git pull
git -C $code merge -q --ff-only origin/main
# before: source venv/bin/activate; pip install -r requirements.txt
venv-sync apply
# before: python manage.py migrate
manage migrate --no-input
# before: python manage.py collectstatic
manage collectstatic --no-input --verbosity 0
