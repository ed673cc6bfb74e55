#!/bin/sh
# WANT_JSON
# Hands its options to check-reqs, which has to be installed, and check-reqs's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v check-reqs >/dev/null || {
  printf '{"schema":2,"tool":"check-reqs","version":"0.2.0","status":"failed","changed":false,"failed":true,"rc":127,"dry_run":false,"msg":"check-reqs is not installed on this host","comment":"check-reqs is not installed on this host","warnings":[],"error":{"kind":"not_found","message":"check-reqs is not installed on this host","hint":"install the package check-reqs"},"started_at":"%s","elapsed_ms":0}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  exit 127
}
exec check-reqs --ansible-args "$1"
