#!/bin/sh
# A site made from wemake-django-template goes to production: on a node with Caddy and gunicorn, next to others with the same database.
# As root on every node, at the same time or one after the other:
#
#     sh /root/wemake/runbook.sh
#
# No maintenance page, since gunicorn is down for a second or two and Caddy lets requests wait that long. Everything that can be checked is
# checked before anything that visitors could notice, and the migrations are run by one node only: `manage.py migrate` takes a lock in the
# database (server/apps/main/management/commands/migrate.py), the others wait for it and find nothing to do. A lock of this host's could
# not do that, and a flag of one's own in the database would stay if its node died.
#
# What is promised. If anything fails or somebody presses Ctrl-C, the code and the environment of this node go back to what they were;
# gunicorn has gone on with them, or is started on them again. Migrations that were applied stay: write them so that the version before can
# live with them. Run it again when it is mended.
set -eu
# User, directories, options and journal of every tool.
export RUNBOOK_SITE=/root/wemake/site.toml
cd /root/wemake

step() { printf '\n-- %s\n' "$*"; }

# Runs the command as the site's user, in its directory, with nothing of our environment.
as_web() {
    (cd /code && setpriv --reuid web --regid web --init-groups env -i HOME=/code LANG=C.UTF-8 PATH=/code/.venv/bin:/usr/bin:/bin \
        DJANGO_ENV=production "$@")
}

go_back() {
    failed=$?
    trap '' INT TERM HUP
    if [ "$failed" -ne 0 ]; then
        step 'That failed: back to the code and the environment of before'
        # before: (docker-compose up with the image of before, if it is still there)
        as_web git reset -q --hard "$code"
        venv-sync rollback -o text --to "${release##*/}"
        as_web python manage.py collectstatic --no-input --verbosity 0
        [ -z "$restarted" ] || svc-cycle restart -o text gunicorn
        [ -z "$reloaded" ] || svc-cycle reload -o text caddy
    fi
    exit "$failed"
}

step 'Has the node what the site needs?'
# before: (docker-compose up, and a look at the logs)
check-reqs -o text --tag host

code=$(as_web git rev-parse HEAD)
release=$(readlink -f /code/.venv)
restarted=
reloaded=
trap go_back EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step 'The new code'
# before: docker-compose pull
as_web git fetch -q origin
as_web git merge -q --ff-only origin/main
as_web git --no-pager log --oneline -1

step 'The packages that it asks for'
# before: (they are in the image)
venv-sync apply -o text

step "ci.sh's questions: a migration missing? do the static files collect, for real? does check --deploy warn?"
# before: python manage.py makemigrations --dry-run --check
#         DJANGO_ENV=production python manage.py collectstatic --no-input --dry-run
#         DJANGO_ENV=production python manage.py check --deploy --fail-level WARNING
check-reqs -o text --tag ci

step 'Is the configuration of gunicorn and Caddy in order?'
# before: gunicorn --check-config …; docker-compose -f docker-compose.yml -f docker/docker-compose.prod.yml run --rm caddy -validate
as_web gunicorn --check-config --config docker/django/gunicorn_config.py server.wsgi
setpriv --reuid caddy --regid caddy --init-groups env -i HOME=/var/lib/caddy PATH=/usr/bin:/bin \
    caddy validate --adapter caddyfile --config /code/docker/caddy/Caddyfile

step 'Static and media files: gunicorn writes there, Caddy only reads'
# before: docker volume inspect VOLUME_NAME
check-reqs -o text --tag volumes
as_web python manage.py collectstatic --no-input

step 'Migrations, by one node'
# before: python manage.py migrate, in the gunicorn.sh of every container
as_web python manage.py migrate

step 'Now gunicorn, and Caddy if its file has changed'
# before: docker-compose up -d
if [ "$(as_web git rev-parse HEAD)" = "$code" ] && [ "$(readlink -f /code/.venv)" = "$release" ]; then
    svc-cycle start -o text
else
    restarted=yes
    svc-cycle restart -o text gunicorn
fi
if ! as_web git diff --quiet "$code" HEAD -- docker/caddy; then
    reloaded=yes
    svc-cycle reload -o text caddy
fi

step 'Is it what visitors should see, and are all migrations there?'
# before: (the browser)
check-reqs -o text -f pages.toml --wait 5s
check-reqs -o text --tag live
