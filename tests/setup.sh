#!/bin/sh
# What `make test` and `make demo` need on a fresh Debian with a Rust toolchain:
# says what is missing, installs that and nothing else, and starts nothing.
#
#   tests/setup.sh              everything the tests need, and target/test-venv
#   tests/setup.sh --demo       the demo's smaller set, no Python environment
#   tests/setup.sh --build      what a build needs, no servers
#   tests/setup.sh --quick      what the cli and contract tests need, and target/test-venv
#   tests/setup.sh --packages   what makes and reads packages, no servers
#
# It refuses to replace what is there already: a program found on PATH is good,
# whichever package it came from. Rerun, it looks and is done.
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:$HOME/.cargo/bin
policy=/usr/sbin/policy-rc.d
policy_before=$policy.before-runbook-tools
policy_mark='# Put here by runbook-tools, tests/setup.sh, for the length of one install.'
pg_common=/etc/postgresql-common/createcluster.d
venv=${RUNBOOK_TEST_VENV:-$top/target/test-venv}

# how to see it is there    Debian's package
needed_to_build='
cmd:make                    build-essential
cmd:cc                      build-essential
file:/usr/include/stdio.h   build-essential
cmd:pkg-config              pkg-config
file:/usr/include/openssl/ssl.h  libssl-dev
'
needed_by_demo='
file:/etc/ssl/certs/ca-certificates.crt  ca-certificates
cmd:curl                    curl
cmd:git                     git
cmd:jq                      jq
cmd:crontab                 cron
cmd:nginx                   nginx
cmd:ps                      procps
file:/usr/bin/python3       python3
file:/usr/lib/python3*/ensurepip/__init__.py  python3-venv
cmd:redis-server            redis-server
cmd:supervisord             supervisor
file:/usr/lib/postgresql/*/bin/initdb  postgresql
file:/usr/share/postgresql/*/extension/hstore.control  postgresql-contrib
'
needed_by_quick='
file:/etc/ssl/certs/ca-certificates.crt  ca-certificates
cmd:crontab                 cron
cmd:dpkg-deb                dpkg
cmd:faketime                faketime
cmd:fish                    fish
cmd:git                     git
cmd:jq                      jq
cmd:mandoc                  mandoc
cmd:prove                   perl
cmd:ps                      procps
file:/usr/bin/python3       python3
file:/usr/lib/python3*/ensurepip/__init__.py  python3-venv
cmd:rpm                     rpm
cmd:setfacl                 acl
cmd:zsh                     zsh
file:/usr/lib/postgresql/*/bin/initdb  postgresql
file:/usr/share/postgresql/*/extension/hstore.control  postgresql-contrib
'
needed_by_tests='
cmd:apache2                 apache2
file:/usr/lib/apache2/modules/mod_wsgi.so  libapache2-mod-wsgi-py3
cmd:busybox                 busybox
cmd:caddy                   caddy
cmd:chromium                chromium
cmd:dbus-daemon             dbus
cmd:docker                  docker-cli
cmd:dockerd                 docker.io
file:/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf  fonts-droid-fallback
cmd:hyperfine               hyperfine
cmd:ip                      iproute2
cmd:lintian                 lintian
file:/usr/share/i18n/locales/de_DE  locales
cmd:logrotate               logrotate
cmd:lsof                    lsof
cmd:mkfs.btrfs              btrfs-progs
cmd:mkfs.ext4               e2fsprogs
cmd:mkfs.xfs                xfsprogs
cmd:openssl                 openssl
cmd:pgbouncer               pgbouncer
file:/usr/lib/postgresql/*/lib/pg_cron.so  postgresql-N-cron
file:/usr/lib/postgresql/*/lib/pgaudit.so  postgresql-N-pgaudit
file:/usr/lib/postgresql/*/lib/pgextwlist.so  postgresql-N-pgextwlist
file:/usr/share/postgresql/*/extension/postgis.control  postgresql-N-postgis-3
file:/usr/share/postgresql/*/extension/vector.control  postgresql-N-pgvector
file:/usr/lib/python3/dist-packages/pip/__init__.py  python3-pip
file:/usr/lib/python3/dist-packages/psycopg2/__init__.py  python3-psycopg2
file:/usr/lib/python3/dist-packages/rcssmin.py  python3-rcssmin
file:/usr/lib/python3/dist-packages/rjsmin.py  python3-rjsmin
cmd:rsync                   rsync
cmd:ssh                     openssh-client
cmd:sshd                    openssh-server
cmd:strace                  strace
cmd:sudo                    sudo
cmd:systemd-nspawn          systemd-container
cmd:uwsgi                   uwsgi
file:/usr/lib/uwsgi/plugins/python3_plugin.so  uwsgi-plugin-python3
'
needed_by_packages='
file:/etc/ssl/certs/ca-certificates.crt  ca-certificates
cmd:debootstrap             debootstrap
cmd:dpkg-shlibdeps          dpkg-dev
cmd:ip                      iproute2
cmd:lintian                 lintian
file:/usr/lib/rpm/find-requires  rpm
cmd:rpm2archive             rpm2cpio
cmd:xz                      xz-utils
'

# Which of the above start at boot unless told otherwise.
servers='apache2 caddy containerd cron docker nginx pgbouncer postgresql redis-server rsync ssh supervisor uwsgi'

say() { printf '%s\n' "setup: $*" >&2; }
die() {
    say "$1"
    [ -z "${2-}" ] || printf '%s\n' "hint: $2" >&2
    exit 3
}

is_there() {
    case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
    file:*)
        # Unquoted: the pattern is to be expanded.
        for found in ${1#file:}; do
            [ -e "$found" ] && return 0
        done
        return 1
        ;;
    esac
}

release() { sed -n 's/^VERSION_ID="*\([0-9]*\).*/\1/p' /etc/os-release; }

# The release series of PostgreSQL here, or the one this Debian comes with: N in the table.
postgresql_series() {
    series=$(for initdb in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$initdb" ] && initdb=${initdb%/bin/initdb} && printf '%s\n' "${initdb##*/}"
    done | sort -n | tail -n 1)
    [ -n "$series" ] || case $(release) in
    13) series=17 ;;
    *) series=15 ;;
    esac
    printf '%s\n' "$series"
}

# The packages behind everything in the table $1 that isn't there, each once.
missing_from() {
    series=$(postgresql_series)
    printf '%s\n' "$1" | while read -r sign package; do
        [ -n "$sign" ] || continue
        # Debian 12 has no pgvector, and docker.io has the client there.
        case $package/$series in postgresql-N-pgvector/1[0-5]) continue ;; esac
        [ "$package/$(release)" != docker-cli/12 ] || package=docker.io
        is_there "$sign" || printf '%s\n' "$package" | sed "s/^postgresql-N-/postgresql-$series-/"
    done | sort -u | tr '\n' ' '
}

# --- as root -------------------------------------------------------------------

# A run that was killed left its policy behind.
policy_is_ours() { grep -qsF "$policy_mark" "$policy"; }
left_over() { policy_is_ours || [ -e "$policy_before" ]; }

restore_policy() {
    if policy_is_ours; then
        rm -f "$policy"
    fi
    if [ -e "$policy_before" ]; then
        mv -f "$policy_before" "$policy"
    fi
    rm -f "$pg_common/runbook-tools.conf"
}

services_here() {
    for unit in /etc/init.d/* /lib/systemd/system/* /usr/lib/systemd/system/* /etc/systemd/system/*; do
        [ -e "$unit" ] || continue
        unit=${unit##*/}
        printf '%s\n' "${unit%.service}"
    done | sort -u
}

enabled_here() {
    for link in /etc/systemd/system/*.wants/* /etc/rc[2345].d/S*; do
        [ -L "$link" ] || continue
        case $link in
        /etc/rc*) link=${link##*/S[0-9][0-9]} ;;
        *.service) link=${link##*/} link=${link%.service} ;;
        *) continue ;;
        esac
        printf '%s\n' "$link"
    done | sort -u
}

# invoke-rc.d and deb-systemd-invoke ask this script before they start anything.
# Services that were here before get the answer they would have had.
deny_new_services() {
    new=$(mktemp "$policy.XXXXXX")
    {
        printf '#!/bin/sh\n%s\n# enabled before: %s\n' "$policy_mark" "$1"
        printf 'before="%s "\n' "$(services_here | tr '\n' ' ' | sed 's/^/ /')"
        cat <<'POLICY'
for word; do
    case $word in -*) ;; *) break ;; esac
done
name=${word%.service}
case $before in
*" $name "* | *" ${name%%@*}@ "*)
    [ -x "$0.before-runbook-tools" ] || exit 0
    exec "$0.before-runbook-tools" "$@"
    ;;
esac
exit 101
POLICY
    } >"$new"
    chmod 755 "$new"
    if [ -e "$policy" ] || [ -L "$policy" ]; then
        mv "$policy" "$policy_before"
    fi
    mv "$new" "$policy"
    # No cluster of the machine's own comes with the PostgreSQL packages.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p "$pg_common"
        printf '%s\ncreate_main_cluster = false\n' "$policy_mark" >"$pg_common/runbook-tools.conf"
    fi
}

# Servers that the install enabled would start at the next boot.
disable_since() {
    enabled_here | while read -r service; do
        case " $1 " in *" $service "*) continue ;; esac
        case " $servers " in *" $service "*) ;; *) continue ;; esac
        say "$service: installed, left disabled"
        if command -v systemctl >/dev/null 2>&1; then
            systemctl --quiet disable "$service" >/dev/null 2>&1 || :
        fi
        if [ -e "/etc/init.d/$service" ] && command -v update-rc.d >/dev/null 2>&1; then
            update-rc.d "$service" disable >/dev/null 2>&1 || :
        fi
    done
}

install_as_root() {
    # One install at a time: the directory itself is the lock.
    exec 8</var/lib/dpkg
    flock 8
    enabled_before=$(enabled_here | tr '\n' ' ')
    if left_over; then
        say "an earlier run was killed; ending what it began"
        policy_is_ours && enabled_before=$(sed -n 's/^# enabled before: //p' "$policy")
    fi
    restore_policy
    trap 'restore_policy' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    deny_new_services "$enabled_before"
    [ $# -eq 0 ] || install_packages "$@"
    disable_since "$enabled_before"
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q -o DPkg::Lock::Timeout=300 update >&2 ||
        say "apt-get update failed; trying with the package lists there are"
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 --no-install-recommends install "$@" </dev/null >&2 ||
        die "apt-get could not install: $*" "apt-get install --no-install-recommends $*"
}

# --- as whoever called ---------------------------------------------------------

install_missing() {
    [ -n "$1" ] || left_over || return 0
    [ -z "$1" ] || say "to be installed with apt (nothing is started): $1"
    line="apt-get install --no-install-recommends ${1% }"
    command -v apt-get >/dev/null 2>&1 ||
        die "no apt-get here: these are Debian's package names, install their like: $1"
    # $1 is a list of words.
    # shellcheck disable=SC2086
    if [ "$(id -u)" -eq 0 ]; then
        sh "$top/tests/setup.sh" --as-root $1
    elif command -v sudo >/dev/null 2>&1; then
        sudo -E sh "$top/tests/setup.sh" --as-root $1 ||
            die "sudo could not install them" "as root: $line"
    else
        die "not root, and no sudo" "as root: $line"
    fi
}

# Rebuilt only where it is broken; kept up when the pins change.
python_environment() {
    wanted=$top/tests/requirements.txt
    if cmp -s "$wanted" "$venv/.requirements" && [ -x "$venv/bin/python" ]; then
        return 0
    fi
    say "to be installed with pip into $venv: $(tr '\n' ' ' <"$wanted")"
    "$venv/bin/python" -c 'import pip' >/dev/null 2>&1 || {
        rm -rf "$venv"
        mkdir -p "$(dirname "$venv")"
        /usr/bin/python3 -m venv "$venv"
    }
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet install -r "$wanted" >&2 ||
        die "pip could not install what tests/requirements.txt names" \
            "$venv/bin/python -m pip install -r $wanted"
    cp "$wanted" "$venv/.requirements"
}

# docker's compose plugin is a package since Debian 13. On Debian 12 the program of that package, which is linked statically, is
# unpacked into target/ and nothing is installed.
compose_plugin() {
    for place in /usr/libexec /usr/lib /usr/local/libexec /usr/local/lib; do
        [ ! -x "$place/docker/cli-plugins/docker-compose" ] || return 0
    done
    plugin=$top/target/docker-compose
    [ ! -x "$plugin/docker-compose" ] || return 0
    case $(. /etc/os-release && printf '%s' "$ID") in
    ubuntu) install_missing 'docker-compose-v2 ' && return 0 ;;
    esac
    [ "$(release)" = 12 ] || {
        install_missing 'docker-compose '
        return 0
    }
    say "to be fetched from Debian 13 into $plugin: docker-compose"
    work=$(mktemp -d)
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$plugin"
    echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main' >"$work/sources.list"
    (
        cd "$work"
        set -- -q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
            -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root
        apt-get "$@" update >&2 && apt-get "$@" download docker-compose >&2
        dpkg-deb -x docker-compose_*.deb unpacked
        mv unpacked/usr/libexec/docker/cli-plugins/docker-compose "$plugin/"
    ) || {
        rm -rf "$work"
        die "docker's compose plugin could not be fetched" "put the program there: $plugin/docker-compose"
    }
    rm -rf "$work"
}

main() {
    tables=$needed_to_build$needed_by_demo
    case ${1-} in
    --as-root)
        shift
        install_as_root "$@"
        return
        ;;
    --demo) ;;
    --build) tables=$needed_to_build ;;
    --quick) tables=$needed_to_build$needed_by_quick ;;
    --packages) tables=$needed_to_build$needed_by_packages ;;
    '') tables=$tables$needed_by_quick$needed_by_tests ;;
    *)
        printf '%s\n' "setup: $1: no such option" 'hint: tests/setup.sh [--build | --demo | --quick | --packages]' >&2
        exit 2
        ;;
    esac
    command -v cargo >/dev/null 2>&1 ||
        die "no cargo on PATH nor in ~/.cargo/bin" "install the Rust toolchain first: https://rustup.rs"
    missing=$(missing_from "$tables")
    install_missing "$missing"
    still=$(missing_from "$tables")
    [ -z "$still" ] || die "installed, and still not found: $still"
    case ${1-} in
    '' | --quick) python_environment ;;
    esac
    case ${1-} in
    '') compose_plugin ;;
    esac
}

main "$@"
