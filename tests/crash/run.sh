#!/usr/bin/env bash
# Kills the program 200 times at varied moments of a fetch; `cargo test` does so 30 times.
set -euo pipefail
cd "$(dirname "$0")/../.."
HUB_AUDIT_KILLS="${1:-200}" cargo test --test stories -- \
    whenever_it_is_killed_the_next_run_gives_the_same_files_and_pays_for_the_rest_alone
