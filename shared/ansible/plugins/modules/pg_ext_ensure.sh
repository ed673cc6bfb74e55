#!/bin/sh
# WANT_JSON
# Hands its options to pg-ext-ensure, which has to be installed, and pg-ext-ensure's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v pg-ext-ensure >/dev/null || {
  printf '{"schema":2,"tool":"pg-ext-ensure","version":"0.2.0","status":"failed","changed":false,"failed":true,"rc":127,"dry_run":false,"msg":"pg-ext-ensure is not installed on this host","comment":"pg-ext-ensure is not installed on this host","warnings":[],"error":{"kind":"not_found","message":"pg-ext-ensure is not installed on this host","hint":"install the package pg-ext-ensure"},"started_at":"%s","elapsed_ms":0}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  exit 127
}
exec pg-ext-ensure --ansible-args "$1"
