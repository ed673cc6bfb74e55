#!/bin/sh
# CoralNet: updating the server code. As root on the server:
#
#     sh /root/coralnet/runbook.sh [START]      START: 22:00, or +15m (the default), or 2026-11-21T22:00:00Z
#
# One `maint-page during` around one `svc-cycle cycle`, and not `on`, `stop`, …, `start`, `off` one after the other: the update is run at
# night over ssh, and each of the two has a guardian that outlives this script, the terminal and the tool itself. So the services are
# started again and the page is in the state promised here, wherever it ends.
#
# What is promised. Until the page is up, nothing is changed, but that redis is started if it had died. If anything fails while the
# services are stopped, or somebody presses Ctrl-C, the code and the environment go back to what they were, the services are started on
# them, and the page STAYS (503) until somebody has looked: migrations that were done before the one that failed are in the database. When
# it is mended, run this again: it takes over the page, and takes it away once the pages behind it are right. If nobody can mend it
# tonight, `maint-page off --site /root/coralnet/site.toml` shows the old version to the visitors again.
set -eu
# User, directories, options and journal of every tool.
export RUNBOOK_SITE=/root/coralnet/site.toml
cd /root/coralnet

step() { printf '\n-- %s\n' "$*"; }

# Runs the command as the site's own user, with the site's own environment and nothing else.
# before: source /scripts/env_setup.sh
as_coralnet() {
    setpriv --reuid coralnet --regid coralnet --init-groups env -i HOME=/cnhome LANG=C.UTF-8 PATH=/cnhome/venv/bin:/usr/bin:/bin \
        DJANGO_SETTINGS_MODULE=config.settings.production "$@"
}

manage() { (cd /cnhome/coralnet/project && as_coralnet python manage.py "$@"); }

# --- 1. While the site is up -----------------------------------------------------------------------------------------------------------

announce() {
    step 'Redis, but only if it is not already running'
    # before: ps cax | grep redis-server > /dev/null; if [ $? -eq 0 ]; then echo "redis-server is already running."; else redis server & fi
    svc-cycle start -o text redis

    step 'Is the server fit for it?'
    # before: (it showed on the way)
    check-reqs -o text --tag before

    step 'Fetch the new code, so that GitHub is not needed once the page is up'
    # before: git fetch origin
    as_coralnet git -C /cnhome/coralnet fetch -q origin

    step 'Announce the maintenance, wait until it begins, put the page up; take it away if all went well'
    # before: python manage.py maintenanceon; …; rm -f /srv/www/tmp/maintenance.html; python manage.py maintenanceoff
    maint-page during -o text --start "$1" --wait --verify http://127.0.0.1/ -- sh "$0" behind-the-page

    step 'The visitors have the site again'
    # before: (a look with the browser)
    maint-page verify -o text --off http://127.0.0.1/ http://127.0.0.1/images/
    check-reqs -o text --tag open

    step 'Where everything is logged, and whether each log is healthy'
    # before: ls /srv/www/log /var/log/nginx
    log-paths -o text --check
}

# --- 2. Behind the page ----------------------------------------------------------------------------------------------------------------

behind_the_page() {
    step 'Stop gunicorn and the celery programs, update, start them'
    # before: cd /cnhome; supervisorctl -c config/supervisor.conf stop gunicorn; … stop celeryworker; … stop celerybeat; (the update);
    #         supervisorctl -c config/supervisor.conf start gunicorn; … start celeryworker; … start celerybeat
    svc-cycle cycle -o text -- sh "$0" while-stopped

    step 'Check a couple of pages'
    # before: (the browser, past the page)
    check-reqs -o text -f pages.toml --wait 30s
    check-reqs -o text --tag after
}

# --- 3. While nothing runs the code ----------------------------------------------------------------------------------------------------

while_stopped() {
    code=$(as_coralnet git -C /cnhome/coralnet rev-parse HEAD)
    release=$(basename "$(readlink -f /cnhome/venv)")
    trap go_back EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    step 'The new code'
    # before: git checkout master; git rebase origin/master
    as_coralnet git -C /cnhome/coralnet merge -q --ff-only origin/main
    as_coralnet git -C /cnhome/coralnet --no-pager log --oneline -1

    step 'The packages that it asks for'
    # before: pip install -U -r ../requirements/<name>.txt
    venv-sync apply -o text

    step 'Does it find its settings, the secret ones too?'
    # before: (specify new secret settings in secrets.json, if one knew of them)
    manage check

    step 'Static files'
    # before: python manage.py collectstatic
    manage collectstatic --no-input

    step 'Migrations'
    # before: python manage.py migrate
    manage migrate
}

go_back() {
    failed=$?
    trap '' INT TERM HUP
    if [ "$failed" -ne 0 ]; then
        step 'That failed: back to the code and the environment of before'
        # before: (git reset by hand, and pip install of what one remembers)
        as_coralnet git -C /cnhome/coralnet reset -q --hard "$code"
        venv-sync rollback -o text --to "$release"
        manage collectstatic --no-input
    fi
    exit "$failed"
}

case ${1-} in
behind-the-page) behind_the_page ;;
while-stopped) while_stopped ;;
*) announce "${1:-+15m}" ;;
esac
