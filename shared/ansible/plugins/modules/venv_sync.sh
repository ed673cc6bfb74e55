#!/bin/sh
# WANT_JSON
# Hands its options to venv-sync, which has to be installed, and venv-sync's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v venv-sync >/dev/null || {
  printf '{"schema":2,"tool":"venv-sync","version":"0.2.0","status":"failed","changed":false,"failed":true,"rc":127,"dry_run":false,"msg":"venv-sync is not installed on this host","comment":"venv-sync is not installed on this host","warnings":[],"error":{"kind":"not_found","message":"venv-sync is not installed on this host","hint":"install the package venv-sync"},"started_at":"%s","elapsed_ms":0}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  exit 127
}
exec venv-sync --ansible-args "$1"
