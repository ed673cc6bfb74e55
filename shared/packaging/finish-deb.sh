#!/bin/sh
# finish-deb.sh PACKAGE.deb...
#
# What cargo-deb leaves out of a package and a distribution asks for: the source package it comes from, `Architecture: all` where nothing
# in it is of an architecture, the checksums, and binaries without the compiler's remarks (as dh_strip has them). Each package is opened
# and closed again by dpkg-deb, with SOURCE_DATE_EPOCH for a date: the same in, the same out.
set -eu
umask 022
: "${SOURCE_DATE_EPOCH:?}"

for package; do
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    dpkg-deb --raw-extract "$package" "$root"
    chmod 755 "$root"
    arch=all
    for binary in "$root"/usr/bin/*; do
        [ -e "$binary" ] || continue
        "${STRIP:-strip}" --remove-section=.comment --remove-section=.note "$binary"
        arch=$(sed -n 's/^Architecture: //p' "$root/DEBIAN/control")
    done
    # The description's last line is an empty one, which stands for nothing.
    sed -i -e "/^Package:/a Source: runbook-tools" -e "s/^Architecture: .*/Architecture: $arch/" -e '/^Depends: *$/d' -e '${/^ *$/d}' "$root/DEBIAN/control"
    case ${package##*/} in
    runbook-tools_*) sed -i '/^Source:/d' "$root/DEBIAN/control" ;;
    # All packages of one crate would have its synopsis.
    ansible-*) sed -i 's/^Description: .*/Description: Ansible modules for the runbook-tools/' "$root/DEBIAN/control" ;;
    esac
    (cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    chmod 644 "$root/DEBIAN/md5sums"
    find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Zxz --threads-max=1 --build "$root" "$root.deb" >/dev/null
    rm -f "$package"
    mv "$root.deb" "${package%_*}_$arch.deb"
    rm -rf "$root"
    trap - EXIT
done
