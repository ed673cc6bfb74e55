# A daemon under a clock of its own: $LIBRARY is virtual.c, $TABLE the crontab, $DAEMON the command.
# Prints a line for each start. Runs in a namespace of its own, as root.
set -eu
rm -f /run/crond.pid /run/crond.reboot /run/cron.reboot
mount -t tmpfs none /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
rm -f /etc/cron.d/*
: >/etc/crontab
for spool in /var/spool/cron/crontabs /var/spool/cron; do
    install -m 600 "$TABLE" $spool/root
done
# What the clock library sees, a job's environment would not.
VIRTUAL_LOG=/var/spool/starts LD_PRELOAD="$LIBRARY" timeout 300 $DAEMON >/dev/null 2>/root/virtual.err </dev/null ||
    { echo "the daemon exits $?"; cat /root/virtual.err; }
cat /var/spool/starts
