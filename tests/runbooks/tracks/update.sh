#!/bin/sh
# What happens while nginx and uwsgi are stopped: runbook.sh runs it inside `svc-cycle
# cycle`. Where any of it fails, or somebody presses Ctrl-C, code and environment are put
# back as they were; PostgreSQL takes a migration back by itself.
set -eu

code=/microarray/tracks
venv=/home/deployer/venv

was=$(git -C $code rev-parse HEAD)
release=$(readlink $venv || :)
put_back() {
    rc=$?
    trap '' HUP INT TERM
    if [ "$rc" -ne 0 ]; then
        git -C $code reset -q --hard "$was"
        if [ -n "$release" ] && [ "$(readlink $venv)" != "$release" ]; then
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
# before: pip install --user virtualenv; virtualenv venv; source ./venv/bin/activate; pip install -r requirements.txt
venv-sync apply
# before: PRODUCTION=1 python manage.py syncdb
# psycopg2 does not hear Ctrl-C while it waits for the server: it must not wait for ever.
runuser -u deployer -- env -i -C $code PRODUCTION=1 PGOPTIONS='-c lock_timeout=10s' $venv/bin/python manage.py migrate --no-input
