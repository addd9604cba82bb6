#!/usr/bin/env bash
# Reports as a user of jq and pandas reads them: every CSV loads, every column of it is in the JSON under its name with the same values,
# and the JSON is what docs/report.schema.json says, by a validator that is not ours. PDFs hold the text of the SVGs, by a reader that is
# not ours.
# usage: run.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/../.."

binary=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HUB_AUDIT_CACHE=$work/cache

source tests/python.sh
install outputs pandas jsonschema pypdf

run() {
  name=$1
  shift
  "$binary" "$@" --demo -q -o "$work/$name" --formats csv,json,svg,pdf >/dev/null
}
run survey survey --layers 5,10 --trials 5
run layers layers
run compare compare mistralai/Mixtral-8x7B-Instruct-v0.1 mistralai/Mistral-7B-Instruct-v0.3 --role norms
run critique critique
run embeddings embeddings --tokens 100
run lineage lineage

# Where jq is not there and cannot be installed, pandas alone reads.
command -v jq >/dev/null || { apt-get update -q && apt-get install -yq jq; } >/dev/null 2>&1 || true
command -v jq >/dev/null || { echo "outputs: jq: skipped: it cannot be installed"; jq() { :; }; }
jq -e '.pairs[0].pearson | numbers' "$work/survey/report.json" >/dev/null
jq -e '[.pairs[] | select(.pearson > 0.5) | .model_a] | length > 0' "$work/survey/report.json" >/dev/null
jq -e '.verdicts[] | select(.verdict == "linked") | .model_b' "$work/lineage/report.json" >/dev/null
jq -e '.provenance | .endpoint, .platform, .features[0] | strings' "$work/compare/report.json" >/dev/null
"$venv/bin/python" tests/outputs/read.py docs/report.schema.json "$work"/{survey,layers,compare,critique,embeddings,lineage}
"$venv/bin/python" tests/outputs/pages.py "$work"/{survey,layers,compare,critique,embeddings,lineage}
