#!/bin/sh
# WANT_JSON
# Hands its options to log-paths, which has to be installed, and log-paths's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v log-paths >/dev/null || {
  printf '{"schema":2,"tool":"log-paths","version":"0.2.0","status":"failed","changed":false,"failed":true,"rc":127,"dry_run":false,"msg":"log-paths is not installed on this host","comment":"log-paths is not installed on this host","warnings":[],"error":{"kind":"not_found","message":"log-paths is not installed on this host","hint":"install the package log-paths"},"started_at":"%s","elapsed_ms":0}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  exit 127
}
exec log-paths --ansible-args "$1"
