#!/bin/sh
# WANT_JSON
# Hands its options to log-paths, which has to be installed, and log-paths's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v log-paths >/dev/null || {
  printf '%s\n' '{"failed":true,"changed":false,"rc":127,"msg":"log-paths is not installed on this host"}'
  exit 127
}
exec log-paths --ansible-args "$1"
