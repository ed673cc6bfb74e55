#!/bin/sh
# A host as it was yesterday: PostgreSQL, redis, gunicorn and a worker under
# supervisor, nginx in front, version 1 of the site. Then the evening: visitors
# keep asking (client.py) while runbook.sh brings version 2. Then the verdict.
#
# run.sh calls it, as an ordinary user, in that user's empty home directory. With
# --hold it stops short of the evening and stands until standard input ends.
set -eu

demo=$HOME/demo
client=
began=$(date +%s)

say() { printf '\n== %s\n' "$*"; }
fail() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

free_ports() {
    python3 - <<'PYTHON'
import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(s.getsockname()[1] for s in taken))
PYTHON
}

configure() {
    # shellcheck disable=SC2046
    set -- $(free_ports)
    WEB_PORT=$1 APP_PORT=$2 PG_PORT=$3 REDIS_PORT=$4
    mkdir -p etc run log redis static media maintenance
    chmod 755 "$HOME" maintenance
    for template in "$demo"/etc/*.in; do
        name=${template##*/}
        sed -e "s|@HOME@|$HOME|g" -e "s|@WEB_PORT@|$WEB_PORT|g" -e "s|@APP_PORT@|$APP_PORT|g" \
            -e "s|@PG_PORT@|$PG_PORT|g" -e "s|@REDIS_PORT@|$REDIS_PORT|g" \
            -e "s|@REDIS_URL@|redis://127.0.0.1:$REDIS_PORT/0|g" -e "s|@USER@|$USER|g" "$template" >"etc/${name%.in}"
    done
    mv etc/pg_service.conf .pg_service.conf
    password=$(random_hex 16)
    (
        umask 077
        printf '{"secret_key": "%s"}\n' "$(random_hex 40)" >etc/secrets.json
        chmod 600 etc/reef.env
        printf '127.0.0.1:%s:*:reef:%s\n' "$PG_PORT" "$password" >.pgpass
    )
    . "$HOME/etc/env.sh"
}

random_hex() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

# Version 1 in a repository, version 2 pushed to it afterwards.
publish() {
    export GIT_AUTHOR_NAME=reef GIT_AUTHOR_EMAIL=reef@example.org
    export GIT_COMMITTER_NAME=reef GIT_COMMITTER_EMAIL=reef@example.org
    cp -R "$demo/site" upstream
    git -C upstream init -q -b main
    git -C upstream add -A
    git -C upstream commit -q -m 'Version 1'
    git clone -q upstream site
    cp -R "$demo/update/." upstream/
    git -C upstream add -A
    git -C upstream commit -q -m 'Version 2: labels'
}

database_up() {
    bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    "$bin/initdb" -D postgres -U postgres -E UTF8 --locale=C --no-sync \
        --auth-local=trust --auth-host=scram-sha-256 >log/initdb.log
    cat >>postgres/postgresql.conf <<CONF
port = $PG_PORT
listen_addresses = '127.0.0.1'
unix_socket_directories = '$HOME/run'
logging_collector = on
log_directory = '$HOME/log'
log_filename = 'postgresql.log'
CONF
    "$bin/pg_ctl" -D postgres -w -s -l log/pg_ctl.log start
    psql -q 'service=admin dbname=postgres' <<SQL
CREATE ROLE reef LOGIN PASSWORD '$password';
CREATE DATABASE reef;
\connect reef
GRANT USAGE, CREATE ON SCHEMA public TO reef;
SQL
}

site_up() {
    redis-server etc/redis.conf
    venv-sync apply -o text
    (
        cd site
        ../venv/bin/python manage.py migrate --verbosity 0
        ../venv/bin/python manage.py collectstatic --no-input --verbosity 0
    )
    maint-page snippet nginx >etc/maintenance.conf
    supervisord -c etc/supervisord.conf
    nginx -e log/nginx-error.log -p "$HOME/" -c etc/nginx.conf
    curl -fsS -o /dev/null --retry 50 --retry-delay 1 --retry-all-errors --max-time 30 "$web/healthz" 2>log/curl.log ||
        fail 'the site did not come up'
}

# Everything down, in the opposite order; whatever has not come up is passed over.
down() {
    rc=$?
    trap '' HUP INT TERM
    set +e
    [ -z "$client" ] || kill "$client" 2>/dev/null
    [ "$rc" -eq 0 ] || tail -n 15 log/*.log >&2
    [ ! -e run/nginx.pid ] || nginx -e log/nginx-error.log -p "$HOME/" -c etc/nginx.conf -s quit
    [ ! -S run/supervisor.sock ] || supervisorctl -c etc/supervisord.conf shutdown >/dev/null
    [ ! -e run/redis.pid ] || redis-cli -u "$REEF_REDIS" shutdown nosave
    [ ! -e postgres/postmaster.pid ] || "$bin/pg_ctl" -D postgres -m fast -w -s stop
    # The three that were only asked: gone when their pid files are.
    waited=0
    while [ -e run/nginx.pid ] || [ -e run/supervisord.pid ] || [ -e run/redis.pid ]; do
        waited=$((waited + 1))
        [ "$waited" -le 300 ] || break
        sleep 0.1
    done
    exit "$rc"
}

# What visitors reported while the site was down has to be written down too.
every_report_kept() {
    queued=$(jq '.["report queued"] // 0' log/client.json)
    waited=0
    until [ "$(curl -fsS "$web/observations.json" | jq .count)" -eq "$queued" ]; do
        waited=$((waited + 1))
        [ "$waited" -le 100 ] || fail "of $queued reports queued, not all were written down"
        sleep 0.1
    done
}

verdict() {
    jq -r 'to_entries[] | "\(.value)\t\(.key)"' log/client.json
    jq -e 'all(keys[]; startswith("wrong") | not)' log/client.json >/dev/null ||
        fail 'some answers were neither the site nor the whole maintenance page'
    jq -e '.site > 0 and .["site, with the notice"] > 0 and .["maintenance page"] > 0' log/client.json >/dev/null ||
        fail 'the visitors should have seen the site, the notice and the maintenance page'
    every_report_kept
    echo 'every answer was the site or the whole page; every report was kept'
}

cd "$HOME"
trap down EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

[ "${1-}" = --hold ] || say 'A site as it was yesterday'
configure
publish
database_up
site_up >&2
if [ "${1-}" = --hold ]; then
    printf 'ready %s %s\n' "$HOME" "$USER"
    cat >/dev/null
    exit 0
fi
echo "up: $web/, version $(curl -fsS "$web/healthz" | jq .version), in $HOME"

say 'Visitors keep asking while the runbook runs'
python3 "$demo/client.py" "$WEB_PORT" log/client.json &
client=$!
sh "$demo/runbook.sh"

say 'What the visitors were told'
kill -TERM "$client"
wait "$client" || fail 'the visitors ended badly'
client=
verdict
took=$(($(date +%s) - began))
say "Done in $took s"
