#!/bin/sh
# The package index, which belongs to the world and not to the site: index.sh start|stop
set -eu
case $1 in
start)
    setsid python3 -m http.server --bind 127.0.0.1 --directory /srv/index 3141 </dev/null >/dev/null 2>&1 &
    echo $! >/run/index.pid
    until curl -fs -o /dev/null http://127.0.0.1:3141/simple/; do sleep 0.05; done
    ;;
stop) kill "$(cat /run/index.pid)" ;;
esac
