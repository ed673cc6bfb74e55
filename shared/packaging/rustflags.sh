#!/bin/sh
# The compiler's flags for a build that says nothing of the machine it was made on, as cargo reads them from CARGO_ENCODED_RUSTFLAGS:
# those of whoever builds (RUSTFLAGS), and then this source tree and the crates under names that are the same everywhere, wherever the
# crates came from: a registry, or vendor/ (made with `cargo vendor --versioned-dirs vendor`).
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
cargo_home=${CARGO_HOME:-$HOME/.cargo}

# One flag after another, as words; of several prefixes that fit, rustc takes the last. Cargo has called crates.io's directory the same
# on every machine since 1.85; a mirror's has a name of its own.
# RUSTFLAGS is a list of words.
# shellcheck disable=SC2086
set -- ${RUSTFLAGS-} "--remap-path-prefix=$cargo_home=/cargo" "--remap-path-prefix=$top=/runbook-tools" "--remap-path-prefix=$top/vendor=/crates"
for registry in "$cargo_home/registry/src/index.crates.io-1949cf8c6b5b557f" "$cargo_home"/registry/src/*; do
    case $registry in
    */\*) continue ;;
    esac
    case " $* " in
    *" --remap-path-prefix=$registry=/crates "*) ;;
    *) set -- "$@" "--remap-path-prefix=$registry=/crates" ;;
    esac
done
separator=
for flag; do
    printf '%s%s' "$separator" "$flag"
    separator=$(printf '\037')
done
