#!/bin/sh
# Updating the site. As an administrator would type it, step by step; it stops at
# the first step that fails, with the maintenance page left up. The site file, which
# RUNBOOK_SITE in etc/env.sh names, holds what the commands would repeat.
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
report check-reqs --as-site -f etc/host.toml

step 'The extensions that the new version needs'
report pg-ext-ensure

step 'Announce the maintenance, wait until it begins, put up the page'
report maint-page on --start +4s --for 10m --wait \
    --message 'Reef watch is being updated. Back in a moment.' --verify "$web/"

step 'Stop gunicorn and the worker; redis does not run our code and stays'
report svc-cycle stop

step 'The new code'
git -C site pull -q --ff-only
git -C site log --oneline -1

step 'The packages that its requirements.txt asks for'
report venv-sync apply

step 'Migrations and static files'
(cd site && "$python" manage.py migrate && "$python" manage.py collectstatic --no-input)

step 'Start, and wait until it really is ready'
report svc-cycle start

step 'A couple of pages, asked of gunicorn behind the maintenance page'
report check-reqs -f etc/pages.toml

step 'Take the page down, and see that it is gone'
report maint-page off
report maint-page verify --off "$web/" "$web/about/"

step 'The crontab: what it says here, and whether cron would take it so'
report cron-render lint --spread 15m
report cron-render render --spread 15m

step 'Where everything is logged'
# 3 says that other users' servers run here too, whose open files only root may see.
report log-paths || [ $? -eq 3 ]

step 'The evening in short'
jq -r '[(.tool + "              ")[:14], .status, (.changed | if . then "changed  " else "unchanged" end), "\(.elapsed_ms) ms", .msg] | join("  ")' "$journal"
