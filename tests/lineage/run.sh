#!/usr/bin/env bash
# The product against the reference: planted checkpoints are generated, tested pair by pair, and every figure is compared.
# usage: run.sh BINARY [tiny|full]
# With full also the labels of 576 planted relations, the spread of `matched both` on 276 unrelated pairs, a list of 200 models, and the
# false positives of the layer map on 2,016 unrelated pairs; that takes about twenty minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."

binary=$(realpath "$1")
zoo=${2:-tiny}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

source tests/python.sh
install lineage numpy scipy ml_dtypes safetensors
export OMP_NUM_THREADS=1
"$venv/bin/python" fixtures/lineage/make_cases.py "$work/zoo" "$zoo" >/dev/null
"$venv/bin/python" fixtures/lineage/run_all.py "$work/zoo" "$work/goldens.json"
"$venv/bin/python" tests/lineage/check.py "$binary" "$work/zoo" "$work/goldens.json" "$work"
if [ "$zoo" = full ]; then
  "$venv/bin/python" tests/lineage/relations.py "$binary" "$work"
  "$venv/bin/python" tests/lineage/calibration.py "$binary" "$work"
  "$venv/bin/python" tests/lineage/list.py "$binary" "$work"
  "$venv/bin/python" tests/lineage/false_positives.py "$binary" "$work"
fi
