#!/usr/bin/env bash
# Builds the wheel, installs it into a fresh environment with pip and runs it, there and by uvx. Where the tools cannot be had
# the check says "skipped" and why. The release build that is there already is used again.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

source "$root/tests/python.sh"
install wheel 'maturin>=1.7,<2' uv || exit 0
"$venv/bin/maturin" build --release --locked -q -m "$root/Cargo.toml" --out "$work/wheels"
wheel=$(ls "$work"/wheels/*.whl)

python3 -m venv "$work/fresh"
"$work/fresh/bin/pip" install -q --disable-pip-version-check --no-index "$wheel"
cd "$work"
version=$("$work/fresh/bin/hub-audit" --version)
"$work/fresh/bin/hub-audit" survey --demo --cache-dir "$work/cache" -o "$work/results" >/dev/null
for file in REPORT.md report.html pairs.csv; do
  test -s "$work/results/$file"
done
test "$("$venv/bin/uvx" -q --offline --from "$wheel" hub-audit --version)" = "$version"
echo "wheel: $version, $(stat -c %s "$wheel") bytes, program $(stat -c %s "$work/fresh/bin/hub-audit") bytes; a survey ran from it"
