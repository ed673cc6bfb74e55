#!/bin/sh
# WANT_JSON
# Hands its options to pg-ext-ensure, which has to be installed, and pg-ext-ensure's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v pg-ext-ensure >/dev/null || {
  printf '%s\n' '{"failed":true,"changed":false,"rc":127,"msg":"pg-ext-ensure is not installed on this host"}'
  exit 127
}
exec pg-ext-ensure --ansible-args "$1"
