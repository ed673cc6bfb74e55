# One job run by a real daemon, and by `try`: in a namespace of its own, as root.
# $TOOL is cron-render, $FORMAT the place, $DAEMON the command; $BIN may hold another cron's `daemon`
# and `crontab`, and `version` of Debian's package.
set -eu
rm -f /run/crond.pid /run/crond.reboot /run/cron.reboot /etc/cron.allow /etc/cron.deny
mount -t tmpfs none /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
rm -f /etc/cron.d/* /etc/cron.daily/*
: >/etc/crontab
: >/etc/cron.deny
mkdir -m 1777 /var/mail/trial
printf '#!/bin/sh\ncat >/var/mail/trial/$$.part\nmv /var/mail/trial/$$.part /var/mail/trial/$$.mail\n' >/usr/sbin/sendmail
chmod 755 /usr/sbin/sendmail
if [ -n "${BIN-}" ]; then
    cp "$BIN/daemon" "/usr/sbin/${DAEMON%% *}.new"
    chmod 755 "/usr/sbin/${DAEMON%% *}.new"
    mv "/usr/sbin/${DAEMON%% *}.new" "/usr/sbin/${DAEMON%% *}"
    cp "$BIN/crontab" /usr/bin/crontab.new
    chmod 755 /usr/bin/crontab.new
    mv /usr/bin/crontab.new /usr/bin/crontab
    if [ -f "$BIN/version" ]; then
        sed -i "/^Package: cron$/,/^$/s/^Version: .*/Version: $(cat "$BIN/version")/" /var/lib/dpkg/status
    fi
fi
useradd --create-home --shell /bin/bash trial 2>/dev/null
printf 'FOO=bar baz # note\nexport Q="a b"\nPATH=/opt/etc:/usr/bin:/bin\nLAYER=pam\nBAD KEY=1\n' >/etc/environment
echo 'LANG=C.UTF-8' >/etc/default/locale
printf 'SECRET_KEY=%s\n' "sesame-$$-open" >/etc/trial.env
chown trial /etc/trial.env
chmod 600 /etc/trial.env
cat >/root/trial.txt <<'T'
CONTENT_TRANSFER_ENCODING=8bit
LAYER=crontab
OWN=a  b
@reboot trap 'echo exit $?' EXIT; env | grep -v ^SECRET | sort; umask; pwd; id; tty; [ -p /dev/stdin ] && echo pipe; cat; echo err >&2; ps -o sid= -p $$ | grep -qx " *$$" && echo session; echo $SECRET_KEY | md5sum; grep -al $SECRET_KEY /proc/[0-9]*/cmdline /var/spool/cron/* /etc/cron.d/* 2>/dev/null; nosuchprogram; exit 7%one\%x%two
T
words="--name site --user trial --format $FORMAT --env-file /etc/trial.env"
"$TOOL" install /root/trial.txt $words >/dev/null
cd /
LEAK=1 LC_TIME=C $DAEMON >/dev/null 2>&1 &
daemon=$!
for i in $(seq 100); do
    ls /var/mail/trial/*.mail >/dev/null 2>&1 && break
    sleep 0.1
done
echo "=== mail"
sed '1,/^$/d' /var/mail/trial/*.mail
for how in /root/trial.txt ''; do
    echo "=== try"
    "$TOOL" try trap $how $words && true
    echo "=== exit $?"
done
kill $daemon
