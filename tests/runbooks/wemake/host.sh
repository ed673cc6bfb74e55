#!/bin/sh
# A node as it is before the runbook: version 1 of the site, installed by hand some time ago, and running.
set -eu
cd /root/wemake
echo '10.77.0.1 db.wemake.internal git.wemake.internal pypi.wemake.internal' >>/etc/hosts
echo '127.0.0.1 wemake.example.org' >>/etc/hosts
echo 'db.wemake.internal:5432:wemake:wemake:teal' >/root/.pgpass
chmod 600 /root/.pgpass

useradd --system --home-dir /code --shell /bin/bash web
mkdir -p /code /var/www/django /var/log/wemake
install -d -o web -g web -m 755 /var/www/django/static /var/www/django/media
chown web: /code
setpriv --reuid web --regid web --init-groups env -C /code HOME=/code DJANGO_ENV=production sh -euc '
git clone -q git://git.wemake.internal/wemake .
umask 027
cat >config/.env <<ENV
DOMAIN_NAME=wemake.example.org
DJANGO_SECRET_KEY=$(od -An -v -tx1 -N 40 /dev/urandom | tr -d " \n")
DJANGO_DATABASE_HOST=db.wemake.internal
DJANGO_DATABASE_PORT=5432
POSTGRES_DB=wemake
POSTGRES_USER=wemake
POSTGRES_PASSWORD=teal
ENV
umask 022
venv-sync apply /code/.venv -r requirements.txt --python /usr/bin/python3
.venv/bin/python manage.py migrate --verbosity 0
.venv/bin/python manage.py collectstatic --no-input --verbosity 0'

cp etc/wemake.service /etc/systemd/system/
ln -sf /code/docker/caddy/Caddyfile /etc/caddy/Caddyfile
install -d -o caddy -g caddy /var/log/caddy
systemctl daemon-reload
svc-cycle start -f services.toml
