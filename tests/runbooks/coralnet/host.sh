#!/bin/sh
# CoralNet's server as it is before the runbook: version 1 of the site, installed by hand some time ago, and running.
# Of the world around it: GitHub (a git server on loopback) and the package index (a directory of wheels, served by HTTP).
#
#     host.sh [MAP_KEY]      the secret setting that version 2 asks for, where somebody has written it down already
set -eu
cd /root/coralnet

git daemon --detach --reuseaddr --listen=127.0.0.1 --export-all --base-path=/srv/git --pid-file=/run/github.pid
python3 - <<'PYTHON'
import os, re
for wheel in os.listdir("/srv/wheels"):
    project = "/srv/index/simple/" + re.sub("[-_.]+", "-", wheel.split("-")[0]).lower()
    os.makedirs(project, exist_ok=True)
    os.symlink(f"/srv/wheels/{wheel}", f"{project}/{wheel}")
PYTHON
sh index.sh start
mkdir -p /etc/uv
echo 'index-url = "http://127.0.0.1:3141/simple/"' >/etc/uv/uv.toml

useradd --system --home-dir /cnhome --shell /bin/bash coralnet
mkdir -p /cnhome/run /srv/www/static /srv/www/log /srv/www/tmp /var/log/coralnet
cp -R cnhome/. /cnhome/
chown coralnet: /cnhome /cnhome/run /srv/www/static /srv/www/log
git -C /cnhome clone -q git://127.0.0.1/coralnet
chown -R coralnet: /cnhome/coralnet

postgres=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
pg_createcluster "$postgres" coralnet --port 5432 -- --no-sync --auth-local=peer --auth-host=scram-sha-256 >/dev/null
pg_ctlcluster "$postgres" coralnet start
setpriv --reuid postgres --regid postgres --init-groups psql -q -d postgres <<'SQL'
CREATE ROLE coralnet LOGIN PASSWORD 'staghorn';
CREATE DATABASE coralnet OWNER coralnet;
SQL
python3 - ${1+"$1"} <<'PYTHON' | install -o coralnet -m 600 /dev/stdin /cnhome/coralnet/project/config/settings/secrets.json
import json, secrets, sys
known = {"SECRET_KEY": secrets.token_urlsafe(48), "DATABASE_PASSWORD": "staghorn"}
print(json.dumps(known | ({"MAP_KEY": sys.argv[1]} if sys.argv[1:] else {})))
PYTHON

setpriv --reuid coralnet --regid coralnet --init-groups env HOME=/cnhome sh -euc '
venv-sync apply /cnhome/venv -r /cnhome/coralnet/requirements/production.txt --python /usr/bin/python3
cd /cnhome/coralnet/project
export DJANGO_SETTINGS_MODULE=config.settings.production
/cnhome/venv/bin/python manage.py migrate --verbosity 0
/cnhome/venv/bin/python manage.py collectstatic --no-input --verbosity 0'

maint-page snippet nginx --dir /srv/www/tmp >/etc/nginx/snippets/maintenance.conf
rm -f /etc/nginx/sites-enabled/default
cp nginx/coralnet /etc/nginx/sites-available/coralnet
ln -s ../sites-available/coralnet /etc/nginx/sites-enabled/coralnet
cp logrotate.d/coralnet /etc/logrotate.d/
service nginx start
# logrotate runs from cron.daily.
service cron start
install -d -o redis -g redis /run/redis
svc-cycle start -f services.toml redis
supervisord -c /cnhome/config/supervisor.conf
svc-cycle start -f services.toml
