#!/usr/bin/env bash
# `hub-audit compare` of two generated BF16 checkpoints of 1 GB in the page cache against the same metrics in NumPy and SciPy
# (benches/numpy_compare.py), alternately, on one thread and on two; the best of three runs of each, and beside them what it
# takes to read the files. Usage: benches/compare.sh [BINARY] [PYTHON] [BYTES]. Prints a Markdown table.
set -euo pipefail

binary=$(realpath "${1:-target/release/hub-audit}")
python=${2:-python3}
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" "$here/numpy_compare.py" generate "$work" "${3:-1000000000}"
bytes=$(cat "$work"/{a,b}/model.safetensors | wc -c)

measure() { # file for the figures, command...
  local into=$1
  shift
  /usr/bin/time -f '%e %M' -a -o "$into" "$@" >"$work/out" 2>"$work/err"
}

row() { # label, threads, file with the figures
  sort -g "$3" | head -n 1 | awk -v label="$1" -v threads="$2" -v bytes="$bytes" \
    '{ printf "| %s | %s | %.2f | %.2f | %d |\n", label, threads, $1, bytes / $1 / 1e9, $2 / 1024 }'
}

echo "| run | threads | seconds | GB/s | peak MiB |"
echo "|---|--:|--:|--:|--:|"
for threads in 1 2; do
  for _ in 1 2 3; do
    measure "$work/ours-$threads" "$binary" compare "$work/a" "$work/b" --threads "$threads" -o "$work/report"
    OPENBLAS_NUM_THREADS=$threads OMP_NUM_THREADS=$threads \
      measure "$work/numpy-$threads" "$python" "$here/numpy_compare.py" compare "$work"
  done
  row "hub-audit compare" "$threads" "$work/ours-$threads"
  row "NumPy, SciPy" "$threads" "$work/numpy-$threads"
done
for _ in 1 2 3; do
  measure "$work/read" sh -c 'for file; do dd if="$file" of=/dev/null bs=1M status=none; done' sh \
    "$work/a/model.safetensors" "$work/b/model.safetensors"
done
row "reading alone (dd)" 1 "$work/read"
