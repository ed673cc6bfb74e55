#!/bin/sh
# WANT_JSON
# Hands its options to cron-render, which has to be installed, and cron-render's report back.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v cron-render >/dev/null || {
  printf '%s\n' '{"failed":true,"changed":false,"rc":127,"msg":"cron-render is not installed on this host"}'
  exit 127
}
exec cron-render --ansible-args "$1"
