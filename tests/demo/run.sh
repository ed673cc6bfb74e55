#!/bin/sh
# `make demo`: one evening's update of a small real site, from start to finish.
#
# Installs what is missing (and says so), builds the tools, then lets host.sh put
# a site into a temporary directory, update it by runbook.sh under the eyes of
# client.py, and take everything away again. Root is used for the installation
# only: the site belongs to whoever called sudo, or to nobody.
#
#   RUNBOOK_TOOLS=DIR   use the tools in DIR and build nothing (make demo sets it)
#   RUNBOOK_KEEP=1      leave the directory for a look around
#   run.sh --hold       only the site as it was yesterday: prints "ready DIRECTORY USER"
#                       and stands until standard input ends (the tests use it)
set -eu

demo=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH='' cd -- "$demo/../.." && pwd)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:$HOME/.cargo/bin
the_seven='check-reqs pg-ext-ensure venv-sync maint-page svc-cycle cron-render log-paths'

sh "$top/tests/setup.sh" --demo
tools=${RUNBOOK_TOOLS-}
if [ -z "$tools" ]; then
    make -C "$top" build
    tools=${CARGO_TARGET_DIR:-$top/target}/release
fi

# Nothing of the demo may be left: a process that works in its directory, has a
# file of it open or names it on its command line.
left_running() {
    for process in /proc/[0-9]*; do
        [ "${process#/proc/}" != $$ ] || continue
        case $(readlink "$process/cwd" "$process/exe" "$process"/fd/* 2>/dev/null;
            tr '\0' ' ' 2>/dev/null <"$process/cmdline") in
        *"$home"*) printf '%s %s\n' "${process#/proc/}" "$(tr '\0' ' ' <"$process/cmdline")" ;;
        esac
    done
}

finish() {
    rc=$?
    trap '' HUP INT TERM
    cd /
    # A server may take its pid file away a moment before it ends.
    waited=0
    left=$(left_running)
    while [ -n "$left" ] && [ "$waited" -lt 50 ]; do
        waited=$((waited + 1))
        sleep 0.1
        left=$(left_running)
    done
    if [ -n "$left" ]; then
        printf 'demo: left running, ended now:\n%s\n' "$left" >&2
        printf '%s\n' "$left" | while read -r pid _; do kill -KILL "$pid" 2>/dev/null || :; done
        [ "$rc" -ne 0 ] || rc=1
    fi
    if [ -n "${RUNBOOK_KEEP-}" ]; then
        printf 'demo: kept: %s\n' "$home" >&2
    else
        rm -rf "$home"
    fi
    exit "$rc"
}

# PostgreSQL's socket has to fit into 107 bytes.
base=${TMPDIR:-/tmp}
[ ${#base} -le 70 ] || base=/tmp
home=$(mktemp -d "$base/reef.XXXXXX")
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir "$home/bin"
for tool in $the_seven; do
    cp "$tools/$tool" "$home/bin/"
done
cp -R "$demo" "$home/demo"

as_user=
if [ "$(id -u)" -eq 0 ]; then
    user=${SUDO_USER:-nobody}
    [ "$user" != root ] || user=nobody
    chown -R "$user:$(id -g "$user")" "$home"
    as_user="setpriv --reuid=$user --regid=$(id -g "$user") --init-groups --inh-caps=-all --no-new-privs"
    printf 'demo: from here on as %s\n' "$user" >&2
else
    user=$(id -un)
fi

# $as_user is a command and its options.
# shellcheck disable=SC2086
cd "$home" && $as_user env HOME="$home" USER="$user" LOGNAME="$user" PATH="$home/bin:$PATH" \
    sh "$home/demo/host.sh" "$@"
