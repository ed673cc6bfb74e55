#!/bin/sh
# WANT_JSON
# Hands its options to maint-page, which has to be installed, and maint-page's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v maint-page >/dev/null || {
  printf '%s\n' '{"failed":true,"changed":false,"rc":127,"msg":"maint-page is not installed on this host"}'
  exit 127
}
exec maint-page --ansible-args "$1"
