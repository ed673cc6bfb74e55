#!/bin/sh
# WANT_JSON
# Hands its options to svc-cycle, which has to be installed, and svc-cycle's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v svc-cycle >/dev/null || {
  printf '{"schema":2,"tool":"svc-cycle","version":"0.2.0","status":"failed","changed":false,"failed":true,"rc":127,"dry_run":false,"msg":"svc-cycle is not installed on this host","comment":"svc-cycle is not installed on this host","warnings":[],"error":{"kind":"not_found","message":"svc-cycle is not installed on this host","hint":"install the package svc-cycle"},"started_at":"%s","elapsed_ms":0}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  exit 127
}
exec svc-cycle --ansible-args "$1"
