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
source "$here/../python.sh"
install browser selenium==4.38.0 || exit 0
"$venv/bin/python" "$here/check.py" "$@"
