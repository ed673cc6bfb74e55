# A host with another crontab(1): $CRONTAB, a program of its own or busybox. $TOOL is cron-render. In a namespace, as root.
set -eu
cp -L "$CRONTAB" /usr/bin/crontab.new
chmod 755 /usr/bin/crontab.new
mv /usr/bin/crontab.new /usr/bin/crontab
mkdir -p /var/spool/cron/crontabs
printf '5 4 * * * /bin/true\n' >/root/schedule
state() { find /var/spool/cron /etc/cron.d -type f -exec md5sum {} + | sort; }
before=$(state)
for format in crontab cron.d; do
    code=0
    "$TOOL" install /root/schedule --name site --user root --format $format >/dev/null 2>/root/err || code=$?
    echo "install $code $(tr '\n' ' ' </root/err)"
done
[ "$before" = "$(state)" ] && echo nothing was written
for verb in render explain next lint; do
    code=0
    "$TOOL" $verb /root/schedule >/dev/null 2>/root/err || code=$?
    echo "$verb $code$(head -n 1 /root/err)"
done
