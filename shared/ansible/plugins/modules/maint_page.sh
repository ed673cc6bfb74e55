#!/bin/sh
# WANT_JSON
# Hands its options to maint-page, which has to be installed, and maint-page's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v maint-page >/dev/null || {
  printf '{"schema":2,"tool":"maint-page","version":"0.2.0","status":"failed","changed":false,"failed":true,"rc":127,"dry_run":false,"msg":"maint-page is not installed on this host","comment":"maint-page is not installed on this host","warnings":[],"error":{"kind":"not_found","message":"maint-page is not installed on this host","hint":"install the package maint-page"},"started_at":"%s","elapsed_ms":0}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  exit 127
}
exec maint-page --ansible-args "$1"
