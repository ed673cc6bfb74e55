#!/bin/sh
# WANT_JSON
# Hands its options to check-reqs, which has to be installed, and check-reqs's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v check-reqs >/dev/null || {
  printf '%s\n' '{"failed":true,"changed":false,"rc":127,"msg":"check-reqs is not installed on this host"}'
  exit 127
}
exec check-reqs --ansible-args "$1"
