#!/bin/sh
# Updating the site. As an administrator would type it, step by step; it stops at
# the first step that fails, with the maintenance page left up.
set -eu

cd "$HOME"
. etc/env.sh
journal=log/runbook.jsonl
python=$HOME/venv/bin/python

step() { printf '\n-- %s\n' "$*"; }

# Shows the command and its report, and keeps the report for the end.
report() {
    printf '$ %s\n' "$*"
    "$@" -o text --journal "$journal"
}

step 'Is the host fit for it?'
report check-reqs -f etc/host.toml

step 'The extensions that the new version needs'
report pg-ext-ensure -d service=reef --admin service=admin btree_gin hstore

step 'Announce the maintenance, wait until it begins, put up the page'
report maint-page on --dir maintenance --start +4s --for 10m --wait \
    --message 'Reef watch is being updated. Back in a moment.' --verify "$web/"

step 'Stop gunicorn and the worker; redis does not run our code and stays'
report svc-cycle stop -f etc/services.toml

step 'The new code'
git -C site pull -q --ff-only
git -C site log --oneline -1

step 'The packages that its requirements.txt asks for'
report venv-sync apply venv -r site/requirements.txt --installer pip

step 'Migrations and static files'
(cd site && "$python" manage.py migrate && "$python" manage.py collectstatic --no-input)

step 'Start, and wait until it really is ready'
report svc-cycle start -f etc/services.toml

step 'A couple of pages, asked of gunicorn behind the maintenance page'
report check-reqs -f etc/pages.toml

step 'Take the page down, and see that it is gone'
report maint-page off --dir maintenance
report maint-page verify --off "$web/" "$web/about/"

step 'The crontab: what it says here, and whether cron would take it so'
set -- site/crontab.txt --name reef --dir "$HOME/site" --venv "$HOME/venv" --log-dir "$HOME/log" --spread 15m
report cron-render lint "$@"
report cron-render render "$@"

step 'Where everything is logged'
# 3 says that other users' servers run here too, whose open files only root may see.
report log-paths --conf nginx=etc/nginx.conf --conf supervisor=etc/supervisord.conf \
    --conf gunicorn=etc/gunicorn.conf.py --conf postgresql=postgres/postgresql.conf || [ $? -eq 3 ]

step 'The evening in short'
jq -r '[(.tool + "              ")[:14], .status, (.changed | if . then "changed  " else "unchanged" end), "\(.elapsed_ms) ms", .msg] | join("  ")' "$journal"
