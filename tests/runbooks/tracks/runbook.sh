#!/bin/sh
# The redirector: nginx and uwsgi under init scripts, PostgreSQL. Installs it on a host
# that has the system packages and brings it up to date later. Run as root, as often as
# you like.
#
#     sh /root/tracks/runbook.sh                  install, or update
#     sh /root/tracks/runbook.sh copy DATABASE    a copy of production's data to try things on
#
# "before" is what the notes of this server have. update.sh, beside this file, is what
# happens while the services are stopped.
set -eu
# Ctrl-C is meant for the step that runs; the runbook ends with it.
trap 'exit 130' INT

cd /root/tracks
# User, directories, options and journal of every tool.
export RUNBOOK_SITE=/root/tracks/site.toml
upstream=git://192.0.2.10/tracks
code=/microarray/tracks
venv=/home/deployer/venv

[ "${1-}" != copy ] || exec sh copy.sh "$2"

step() { printf '\n-- %s\n' "$*"; }
manage() { runuser -u deployer -- env -i -C $code PRODUCTION=1 $venv/bin/python manage.py "$@"; }

# put FILE TARGET MODE: true if that changed anything.
put() {
    cmp -s "$1" "$2" && return 1
    install -D -m "$3" "$1" "$2"
}

step 'What an interrupted night has left is put right first'
# before: ps -eaf | grep nginx, and see
svc-cycle recover

step 'What the system administrator has to have installed'
# before: yum install python; sudo yum -y install nginx postgresql; pip install uwsgi
check-reqs --tag system

step 'The code'
# before: cd /microarray; git clone https://…@github.com/metalhelix/tracks.git
install -d /microarray
[ -d $code ] || git clone -q $upstream $code
git -C $code fetch -q
[ -s /home/deployer/secret_key ] || (umask 077 && openssl rand -hex 40 >/home/deployer/secret_key)
chown deployer: /home/deployer/secret_key

step 'Configuration: nginx, the init script, logrotate, robots.txt'
# before: mkdir -p /etc/nginx/{sites-enabled,sites-available}; chown deployer sites-enabled sites-available; edit nginx.conf, sites-available/tracks, /etc/init.d/uwsgi
# before: modify log rotation to create new log as user deployer
# before: /microarray/robots/robots.txt: User-agent: * Disallow: /
changed=
put nginx.conf /etc/nginx/nginx.conf 644 && changed=yes
put tracks.nginx /etc/nginx/sites-available/tracks 644 && changed=yes
ln -sfn ../sites-available/tracks /etc/nginx/sites-enabled/tracks
# The directories stay root's: nginx opens its logs as root, and log-paths makes no directory that another user's configuration names.
put uwsgi.init /etc/init.d/uwsgi 755 && changed=yes
put tracks.logrotate /etc/logrotate.d/tracks 644 || :
put robots.txt /microarray/robots/robots.txt 644 || :

step 'The directories that the logs need'
# before: mkdir -p /etc/nginx/logs/nginx/tracks/log /etc/nginx/logs/nginx/log /etc/nginx/logs/domains/tracks/log/
log-paths --config-only --create-dirs nginx
[ -e /var/log/uwsgi.log ] || install -o deployer -g deployer -m 640 /dev/null /var/log/uwsgi.log

step 'The extension that the migrations need'
# before: sudo -u postgres -s; psql tracks; CREATE EXTENSION pg_trgm
pg-ext-ensure pg_trgm

step 'Is the environment what requirements.txt says, and are code and schema up to date?'
# before: sudo /sbin/service nginx stop; sudo /sbin/service uwsgi stop
# before: git pull
# before: source venv/bin/activate; pip install -r requirements.txt
# before: PRODUCTION=1 python manage.py syncdb
# before: sudo /sbin/service uwsgi start; sudo /sbin/service nginx start
if [ "$(git -C $code rev-parse HEAD)" != "$(git -C $code rev-parse origin/main)" ] ||
    ! venv-sync check ||
    ! manage migrate --check >/dev/null 2>&1; then
    svc-cycle cycle -- sh update.sh
    changed=
fi

step 'Everything runs, with PRODUCTION and as deployer'
# before: sudo /sbin/service nginx start; sudo /sbin/service uwsgi start
# before: ps -eaf | grep nginx; DAEMON_OPTS+=" --env PRODUCTION=1"  # this had been missing
[ -z "$changed" ] || svc-cycle restart
svc-cycle start
svc-cycle check

step 'The data of the previous server, once'
# before: cat tracks_redirect.json | sed 's/redirect.redirecthit/roasted.redirecthit/g' | sed 's/redirect.target/roasted.target/g' > new_tracks.json
# before: python manage.py loaddata ../new_tracks.json
if [ "$(psql service=tracks -Atc 'SELECT count(*) FROM roasted_target')" -eq 0 ]; then
    sed 's/"redirect\.\(target\|redirecthit\)"/"roasted.\1"/' tracks_redirect.json | manage loaddata --format json -
fi

step 'The site as a visitor and a spider see it'
# before: look at it
check-reqs --tag running

step 'Logs, and what will become of them'
# before: TRKLOGS=' /var/run/uwsgi/uwsgi.pid /var/log/nginx/*.log /var/log/uwsgi.log /etc/nginx/logs/domains/tracks/log/*.log'; tail -f ${TRKLOGS}
log-paths --check
printf '\nTo watch them: log-paths -0 nginx uwsgi | xargs -0r tail -F\n'
