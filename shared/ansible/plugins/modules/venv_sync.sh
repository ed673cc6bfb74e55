#!/bin/sh
# WANT_JSON
# Hands its options to venv-sync, which has to be installed, and venv-sync's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v venv-sync >/dev/null || {
  printf '%s\n' '{"failed":true,"changed":false,"rc":127,"msg":"venv-sync is not installed on this host"}'
  exit 127
}
exec venv-sync --ansible-args "$1"
