#!/bin/sh
# WANT_JSON
# Hands its options to cron-render, which has to be installed, and cron-render's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v cron-render >/dev/null || {
  printf '{"schema":2,"tool":"cron-render","version":"0.2.0","status":"failed","changed":false,"failed":true,"rc":127,"dry_run":false,"msg":"cron-render is not installed on this host","comment":"cron-render is not installed on this host","warnings":[],"error":{"kind":"not_found","message":"cron-render is not installed on this host","hint":"install the package cron-render"},"started_at":"%s","elapsed_ms":0}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  exit 127
}
exec cron-render --ansible-args "$1"
