#!/bin/sh
# The crons of other distributions, for the long sweeps: Debian 11's and 13's packages, unpacked, and
# cronie 1.5.2, 1.5.7 and 1.7.2, built from the project's repository (CRONIE_GIT names another), and
# the crontab of Debian 12's systemd-cron.
#
#   tests/crons.sh DIR      DIR/NAME/daemon, DIR/NAME/crontab, and DIR/NAME/version for Debian's
set -eu

dir=$1
git=${CRONIE_GIT:-https://github.com/cronie-crond/cronie}
mkdir -p "$dir"
dir=$(CDPATH='' cd -- "$dir" && pwd -P)
mirror=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's,^\(.*/debian/\) main$,\1,p' | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian/}

# debian NAME SUITE PACKAGE
debian() {
    to=$dir/$1 suite=$2 package=$3
    [ ! -e "$to/crontab" ] || return 0
    work=$to.work
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$to"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/sources.list"
    set -- -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/nonexistent \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o Dir::State::status=/dev/null
    apt-get "$@" -qq update
    (cd "$work" && apt-get "$@" -qq download "$package" 2>/dev/null)
    dpkg-deb -x "$work/$package"_*.deb "$work/x"
    dpkg-deb -f "$work/$package"_*.deb Version >"$to/version"
    [ ! -e "$work/x/usr/sbin/cron" ] || cp "$work/x/usr/sbin/cron" "$to/daemon"
    cp "$work/x/usr/bin/crontab" "$to/crontab"
    chmod 755 "$to/crontab"
    rm -rf "$work"
}

# cronie VERSION
cronie() {
    [ ! -e "$dir/cronie-$1/daemon" ] || return 0
    work=$dir/cronie-$1.work
    rm -rf "$work"
    mkdir -p "$dir/cronie-$1" "$work"
    [ -d "$dir/cronie.git" ] || git clone -q --bare "$git" "$dir/cronie.git"
    git -C "$dir/cronie.git" archive "cronie-$1" | tar -x -C "$work"
    (
        cd "$work"
        autoreconf -fi
        ./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var --disable-anacron \
            --without-pam --without-selinux --without-audit SPOOL_DIR=/var/spool/cron
        make
    ) >"$dir/cronie-$1/log" 2>&1
    cp "$work/src/crontab" "$dir/cronie-$1/crontab"
    cp "$work/src/crond" "$dir/cronie-$1/daemon"
    rm -rf "$work"
}

debian debian-11 bullseye cron
debian debian-13 trixie cron
debian systemd-cron bookworm systemd-cron
for version in 1.5.2 1.5.7 1.7.2; do
    cronie $version
done
