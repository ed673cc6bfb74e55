#!/bin/sh
# What the nodes share, on a machine of its own at 10.77.0.1: PostgreSQL, the git server and the package index.
set -eu
git daemon --detach --reuseaddr --listen=10.77.0.1 --export-all --base-path=/srv/git
python3 - <<'PYTHON'
import os, re
for wheel in os.listdir("/srv/wheels"):
    project = "/srv/index/simple/" + re.sub("[-_.]+", "-", wheel.split("-")[0]).lower()
    os.makedirs(project, exist_ok=True)
    os.symlink(f"/srv/wheels/{wheel}", f"{project}/{wheel}")
PYTHON
setsid python3 -m http.server --bind 10.77.0.1 --directory /srv/index 3141 </dev/null >/dev/null 2>&1 &

postgres=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
pg_createcluster "$postgres" wemake --port 5432 -- --no-sync --auth-local=peer --auth-host=scram-sha-256 >/dev/null
cd "/etc/postgresql/$postgres/wemake"
echo 'host all all 10.77.0.0/24 scram-sha-256' >>pg_hba.conf
# A node that is gone is noticed within seconds, and with its session ends its lock on the migrations.
cat >>postgresql.conf <<'CONF'
listen_addresses = '*'
tcp_keepalives_idle = 3
tcp_keepalives_interval = 2
tcp_keepalives_count = 2
client_connection_check_interval = '1s'
CONF
pg_ctlcluster "$postgres" wemake start
cd /
setpriv --reuid postgres --regid postgres --init-groups psql -q -d postgres <<'SQL'
CREATE ROLE wemake LOGIN PASSWORD 'teal';
CREATE DATABASE wemake OWNER wemake;
SQL
until curl -fs -o /dev/null http://10.77.0.1:3141/simple/; do sleep 0.05; done
