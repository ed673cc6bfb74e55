#!/bin/sh
# A forum: from a host with Debian's packages, a database and a system user to a
# running site; and again for every update. Run as root, as often as you like: what
# is so already is left alone.
#
#     sh /root/misago/runbook.sh
#
# "before" is what the guide would have you type. update.sh, beside this file, is
# what happens while the forum is stopped.
set -eu
# Ctrl-C is meant for the step that runs; the runbook ends with it.
trap 'exit 130' INT

cd /root/misago
# User, directories, options and journal of every tool.
export RUNBOOK_SITE=/root/misago/site.toml
journal=/var/log/misago-runbook.jsonl
upstream=git://192.0.2.10/misagoforumorg
site=/srv/misago
code=$site/site

step() { printf '\n-- %s\n' "$*"; }
manage() { runuser -u misago -- env -C $code HOME=$site ../venv/bin/python manage.py "$@"; }

# install FILE TARGET, which says whether that changed anything.
put() {
    cmp -s "$1" "$2" && return 1
    install -D -m 644 "$1" "$2"
}

step 'What an interrupted night has left is put right first'
# before: nothing; the role stayed a superuser and the forum down until somebody saw it
svc-cycle recover
pg-ext-ensure recover

step 'Does the host grant what the forum needs?'
# before: python --version; psql --version; free -m; ls /usr/share/postgresql/*/extension; crontab -l
check-reqs --tag before

step 'Directories of the forum, and its secret'
# before: mkdir media static; open settings.py in your code editor of choice
install -d $site $site/maintenance /etc/misago
install -d -o misago -g misago $site/media $site/static /var/log/misago
[ -s /etc/misago/secret_key ] || (umask 027 && openssl rand -hex 40 >/etc/misago/secret_key)
chgrp misago /etc/misago/secret_key

step 'The code'
# before: misago-start.py misagoforumorg
[ -d $code ] || git clone -q $upstream $code
git -C $code fetch -q

step 'The extensions that its migrations need'
# before: sudo apt-get install postgresql-contrib
# before: sudo -u postgres psql postgres
# before: alter role misago superuser;
# before: … and after the installation: alter role misago nosuperuser;
git -C $code show origin/main:extensions.toml | pg-ext-ensure --spec -

step 'The web server and the WSGI server'
# before: the tutorial of the WSGI server's own documentation
reload=
maint-page snippet nginx >/etc/nginx/snippets/misago-maintenance.new
put /etc/nginx/snippets/misago-maintenance.new /etc/nginx/snippets/misago-maintenance.conf && reload=yes
rm /etc/nginx/snippets/misago-maintenance.new
put nginx.conf /etc/nginx/sites-available/misago && reload=yes
ln -sfn ../sites-available/misago /etc/nginx/sites-enabled/misago
put gunicorn.conf.py /etc/misago/gunicorn.conf.py || :
put misago.service /etc/systemd/system/misago.service && systemctl daemon-reload
if [ -n "$reload" ] && systemctl -q is-active nginx; then
    svc-cycle reload nginx
fi

step 'The new version, if there is one'
# before: source venv/bin/activate
# before: pip install misago
# before: python manage.py migrate
if [ "$(git -C $code rev-parse HEAD)" != "$(git -C $code rev-parse origin/main)" ] ||
    ! venv-sync check -q >/dev/null 2>&1 ||
    ! manage migrate --check >/dev/null 2>&1; then
    maint-page during -- svc-cycle cycle misago -- sh update.sh
fi

step 'Everything that should run does'
# before: python manage.py runserver
svc-cycle start

step 'Its first administrator'
# before: python manage.py createsuperuser
if [ "$(psql service=misago -Atc 'SELECT count(*) FROM auth_user WHERE is_superuser')" -eq 0 ]; then
    (umask 077 && openssl rand -base64 18 >first-password)
    DJANGO_SUPERUSER_PASSWORD=$(cat first-password)
    export DJANGO_SUPERUSER_PASSWORD
    manage createsuperuser --no-input --username admin --email admin@misago-forum.org
fi

step 'The site as a visitor sees it; MEDIA_ROOT is not listed'
# before: disable indexing of this directory in your HTTP server's settings, or …
check-reqs --tag running

step 'Maintenance tasks'
# before: crontab -e, and six lines of cron.txt edited: 10 0 * * * cd /home/myforumorg/ && venv/bin/python manage.py prunecategories
cron-render lint
cron-render install

step 'The evening in short'
# before: nothing
jq -r '[.started_at, .tool, .status, (if .changed then "changed" else "unchanged" end), .msg] | join("  ")' $journal
