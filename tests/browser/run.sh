#!/usr/bin/env bash
# Opens report.html files from disk in headless Chromium and checks what a reader needs. Usage: run.sh REPORT.html...
# Installs Debian's chromium and chromium-driver where they are missing; where that is impossible the check says "skipped".
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium chromium-driver; } >"$work/apt.log" 2>&1; then
    echo "browser: skipped: Chromium cannot be installed: $(tail -n 1 "$work/apt.log")"
    exit 0
  fi
fi
if ! { python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q --disable-pip-version-check selenium==4.38.0; } >"$work/pip.log" 2>&1; then
  echo "browser: skipped: selenium cannot be installed: $(tail -n 1 "$work/pip.log")"
  exit 0
fi
"$work/venv/bin/python" "$here/check.py" "$@"
