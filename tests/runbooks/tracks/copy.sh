#!/bin/sh
# A copy of production's data in another database of this server, made anew each time.
#
#     sh /root/tracks/runbook.sh copy tracks_try
set -eu
trap 'exit 130' INT

cd /root/tracks
journal=/var/log/tracks-runbook.jsonl
database=$1
dump=$(mktemp /var/tmp/tracks.XXXXXX)
trap 'rm -f "$dump"' EXIT

step() { printf '\n-- %s\n' "$*"; }

step 'Dump'
# before: PRODUCTION=1 python manage.py dumpdata --indent 1 > dumpdata_PRODUCTION.json
pg_dump --format custom --dbname service=tracks --file "$dump"

step 'A fresh database, with the extensions that the dump names'
# before: PRODUCTION= python manage.py syncdb
dropdb --if-exists --maintenance-db service=admin "$database"
createdb --maintenance-db service=admin "$database"
psql -q "service=admin dbname=$database" -c 'GRANT USAGE, CREATE ON SCHEMA public TO deployer'
# Lines of pg_restore's list such as "2; 3079 16420 EXTENSION - pg_trgm".
pg_restore --list "$dump" | sed -n 's/^[0-9]*; [0-9]* [0-9]* EXTENSION - \([^ ]*\).*/\1/p' |
    xargs -r pg-ext-ensure -d "service=tracks dbname=$database" --admin service=admin --journal $journal

step 'Load'
# before: PRODUCTION=  python manage.py loaddata dumpdata_PRODUCTION.json
pg_restore --no-owner --no-comments --single-transaction --exit-on-error --dbname "service=tracks dbname=$database" "$dump"
psql "service=tracks dbname=$database" -Atc 'SELECT count(*) FROM roasted_target'
