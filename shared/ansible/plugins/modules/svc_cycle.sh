#!/bin/sh
# WANT_JSON
# Hands its options to svc-cycle, which has to be installed, and svc-cycle's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v svc-cycle >/dev/null || {
  printf '%s\n' '{"failed":true,"changed":false,"rc":127,"msg":"svc-cycle is not installed on this host"}'
  exit 127
}
exec svc-cycle --ansible-args "$1"
