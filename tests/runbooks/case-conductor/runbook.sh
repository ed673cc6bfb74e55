#!/bin/sh
# Case Conductor under Apache, from its vendor library: from a host with Debian's
# packages, a database, a mail server and a certificate to a running site; and again
# for every update. Run as root, as often as you like: what is so already is left
# alone.
#
#     sh /root/case-conductor/runbook.sh
#
# "before" is what the guide would have you type. update.sh, beside this file, is
# what happens behind the maintenance page. If that fails the page stays, with the
# reason on your terminal; the next run goes on from there.
set -eu
trap 'exit 130' INT

cd /root/case-conductor
# User, directories, options and journal of every tool.
export RUNBOOK_SITE=/root/case-conductor/site.toml
journal=/var/log/case-conductor-runbook.jsonl
upstream=git://192.0.2.10/case-conductor
site=/srv/case-conductor

step() { printf '\n-- %s\n' "$*"; }

# put FILE TARGET; true if that changed anything.
put() {
    cmp -s "$1" "$2" && return 1
    install -D -m 644 "$1" "$2"
}

step 'Is the host fit for it: compiled packages, mail, database, certificate?'
# before: the package manager; telnet localhost 25
check-reqs --tag before

step 'The code; should it not be there, visitors keep the version they have'
# before: git clone; git pull
[ -d $site ] || git clone -q $upstream $site
git -C $site fetch -q

step 'The settings of this host'
# before: cp cc/settings/local.sample.py cc/settings/local.py, and an editor
install -d -m 750 -g cc /etc/case-conductor
[ -s /etc/case-conductor/secret_key ] || (umask 027 && openssl rand -hex 40 >/etc/case-conductor/secret_key)
chgrp cc /etc/case-conductor/secret_key
settings=
put local.py $site/cc/settings/local.py && settings=changed

step 'Directories, and a Python without packages of its own'
# before: bin/install-reqs, or nothing: cc/deploy/vendor_wsgi.py adds the vendor library
install -d $site/maintenance
install -d -o cc -g cc $site/collected-assets
[ -d $site/venv ] || /usr/bin/python3 -m venv --system-site-packages --without-pip $site/venv

step 'Apache: HTTPS, mod_wsgi, and the maintenance page'
# before: the documentation of Apache and of mod_wsgi
a2enmod -q ssl rewrite headers wsgi
maint-page snippet apache >maintenance.conf
apache=
put maintenance.conf /etc/apache2/case-conductor-maintenance.conf && apache=changed
put apache/case-conductor.conf /etc/apache2/sites-available/case-conductor.conf && apache=changed
a2ensite -q case-conductor
if [ -n "$apache" ] && systemctl -q is-active apache2; then
    svc-cycle reload
fi
svc-cycle start

step 'The new version, if there is one, behind the page'
# before: python manage.py collectstatic
# before: python manage.py compress
# before: python manage.py syncdb --migrate
if [ -n "$settings" ] || [ "$(git -C $site rev-parse -q --verify refs/deployed)" != "$(git -C $site rev-parse origin/main)" ]; then
    maint-page during -- sh -e update.sh
fi

step 'The site as a visitor sees it: HTTPS only, secure cookies, every asset host'
# before: python manage.py checksecure
check-reqs --tag running --wait 20s

step 'Where it logs'
# before: nothing
log-paths -o text || [ $? -eq 3 ]

step 'The evening in short'
# before: nothing
jq -r '[.started_at, .tool, .status, (if .changed then "changed" else "unchanged" end), .msg] | join("  ")' $journal
