# What runbook.sh runs behind the maintenance page.
site=/srv/case-conductor
# A migration that cannot have its lock gives up soon, instead of keeping everybody else waiting.
manage() { runuser -u cc -- env -C $site PGOPTIONS='-c lock_timeout=5s' venv/bin/python vendor-manage.py "$@"; }

git -C $site merge -q --ff-only origin/main

venv-sync check

manage collectstatic --no-input --verbosity 0
manage compress --verbosity 0

# Once here, then copied to each host: what they serve is named by its content, so that it can be there before it is needed, and pages
# that are still open keep what they had.
for host in assets1.example.org assets2.example.org; do
    rsync -rt --contimeout=10 $site/collected-assets/ rsync://$host/assets/
done

manage migrate --no-input
svc-cycle reload
git -C $site update-ref refs/deployed HEAD
