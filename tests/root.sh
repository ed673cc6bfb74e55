#!/bin/sh
# A fresh Debian of the project's own: debootstrap's minbase with git, make and a Rust toolchain.
#
#   tests/root.sh make SUITE             make target/roots/SUITE, once
#   tests/root.sh run SUITE COMMAND...   run COMMAND in a clone of the last commit, in a copy of
#                                        that root which is removed afterwards
#   tests/root.sh keep SUITE COMMAND...  the same, in a copy that stays: for a second run
#
# SUITE is bookworm or trixie. trixie has its own compiler, Rust 1.85, the oldest that is supported;
# bookworm has the toolchain of the caller (rustup's), read-only. The downloads of cargo and apt are
# kept in target/roots, the built files in target/roots/SUITE.target.
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:$HOME/.cargo/bin
roots=$top/target/roots
bundle=/etc/ssl/certs/ca-certificates.crt

say() { printf '%s\n' "root: $*" >&2; }
die() {
    say "$1"
    [ -z "${2-}" ] || printf '%s\n' "hint: $2" >&2
    exit 3
}

mirror() {
    found=
    if command -v apt-get >/dev/null 2>&1; then
        found=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
            sed -n 's,^\(.*/debian/\) main$,\1,p' | head -n 1)
    fi
    printf '%s\n' "${found:-http://deb.debian.org/debian}"
}

# Packages of the root beside minbase.
included() {
    case $1 in
    bookworm) echo git make ca-certificates ;;
    trixie) echo git make ca-certificates cargo rustc ;;
    esac
}

make_root() {
    suite=$1
    base=$roots/$suite
    [ ! -d "$base" ] || return 0
    command -v debootstrap >/dev/null 2>&1 || sh "$top/tests/setup.sh" --packages
    mkdir -p "$roots"
    # One at a time; the directory itself is the lock.
    exec 8<"$roots"
    flock 8
    [ ! -d "$base" ] || return 0
    rm -rf "$base.new"
    say "debootstrap $suite"
    debootstrap --variant=minbase "$suite" "$base.new" "$(mirror)" >"$roots/$suite.log" 2>&1 ||
        die "debootstrap $suite failed: $(tail -n 1 "$roots/$suite.log")" "read $roots/$suite.log"
    # Nothing in the root starts by itself.
    printf '#!/bin/sh\nexit 101\n' >"$base.new/usr/sbin/policy-rc.d"
    chmod 755 "$base.new/usr/sbin/policy-rc.d"
    # shellcheck disable=SC2046
    chroot "$base.new" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 sh -ec '
        apt-get -q update
        apt-get -q -y --no-install-recommends install "$@"
        apt-get clean' sh $(included "$suite") >>"$roots/$suite.log" 2>&1 ||
        die "apt-get in the $suite root failed: $(tail -n 1 "$roots/$suite.log")" "read $roots/$suite.log"
    rm "$base.new/usr/sbin/policy-rc.d"
    mv "$base.new" "$base"
    exec 8<&-
}

# Inside the new mount namespace; "$@" is the command.
enter() {
    suite=$1 root=$2
    shift 2
    mount --make-rprivate /
    # Over an overlay (a container's root) there is no second one: a whole copy is the same, and slower.
    if ! mount -t overlay overlay -o "lowerdir=$roots/$suite,upperdir=$root.up/upper,workdir=$root.up/work" "$root"; then
        say "no overlay here: the root is copied"
        [ -e "$root/etc/debian_version" ] || cp -a "$roots/$suite/." "$root/"
        mount --bind "$root" "$root"
    fi
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
    mount -t tmpfs -o mode=1777 tmp "$root/tmp"
    mount -t tmpfs -o mode=755 run "$root/run"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    cp "$bundle" "$root$bundle"
    mkdir -p "$roots/apt" "$root/var/cache/apt/archives" "$roots/cargo/registry" "$root/root/.cargo/registry"
    mount --bind "$roots/apt" "$root/var/cache/apt/archives"
    mkdir -p "$root/var/cache/apt/archives/partial"
    mount --bind "$roots/cargo/registry" "$root/root/.cargo/registry"
    if [ "$suite" = bookworm ]; then
        mkdir -p "$root/root/.rustup" "$root/root/.cargo/bin"
        mount --bind "${RUSTUP_HOME:-$HOME/.rustup}" "$root/root/.rustup"
        mount --bind "${CARGO_HOME:-$HOME/.cargo}/bin" "$root/root/.cargo/bin"
        mount -o remount,bind,ro "$root/root/.rustup"
        mount -o remount,bind,ro "$root/root/.cargo/bin"
    fi
    mkdir -p "$roots/$suite.target"
    # A kept copy gets the files that changed and no others: cargo builds again what is newer.
    clone=$root/root/runbook-tools
    if [ -d "$clone/.git" ]; then
        git -C "$clone" fetch -q origin HEAD
        git -C "$clone" checkout -q --force --detach FETCH_HEAD
    else
        git clone -q --no-hardlinks "$top" "$clone"
    fi
    # What cargo built is kept, outside of the source tree: a mount there would hide the tests' own files in
    # target/ from the machines that they make of this root.
    built=
    if [ -z "${ROOT_FRESH_TARGET-}" ]; then
        built=/built
        mkdir -p "$root$built"
        mount --bind "$roots/$suite.target" "$root$built"
    fi
    # An overlay of a root that is an overlay itself has no upper layer: nspawn's tests want a plain /var/tmp.
    mkdir -p "$root.up/scratch"
    mount --bind "$root.up/scratch" "$root/var/tmp"
    chmod 1777 "$root/var/tmp"
    # Not a chroot alone: what makes machines of this root, nspawn, wants the root to be its namespace's.
    cd "$root"
    pivot_root . .
    umount -l .
    exec chroot . env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" USER=root LOGNAME=root \
        CI="${CI-}" CARGO_TERM_COLOR=never ${built:+CARGO_TARGET_DIR="$built"} \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/root/.cargo/bin \
        sh -c 'cd /root/runbook-tools && exec "$@"' sh "$@"
}

run() {
    keep=$1 suite=$2
    shift 2
    [ "$(id -u)" -eq 0 ] || die "a root needs root" "sudo make ${MAKECMDGOALS-}"
    unshare --mount --pid --uts --ipc --fork sh -c 'mount --make-rprivate / && mount -t tmpfs none /mnt' ||
        die "this machine does not let root make namespaces and mounts" \
            "run it where root may: a virtual machine, or a container with CAP_SYS_ADMIN"
    make_root "$suite"
    if [ "$keep" = keep ]; then
        root=$roots/$suite.kept
    else
        root=$(mktemp -d "$roots/$suite.XXXXXX")
        trap 'rm -rf "$root" "$root.up"' EXIT
    fi
    mkdir -p "$root" "$root.up/upper" "$root.up/work"
    rc=0
    unshare --mount --pid --uts --ipc --fork --kill-child \
        sh "$0" enter "$suite" "$root" "$@" || rc=$?
    return "$rc"
}

case ${1-} in
make) make_root "${2:?SUITE}" ;;
run | keep)
    [ $# -ge 3 ] || die "a suite and a command are needed" "tests/root.sh run trixie make test"
    how=$1
    shift
    run "$how" "$@"
    ;;
enter)
    shift
    enter "$@"
    ;;
*)
    printf '%s\n' 'usage: tests/root.sh make SUITE | run SUITE COMMAND... | keep SUITE COMMAND...' >&2
    exit 2
    ;;
esac
