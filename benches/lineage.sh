#!/usr/bin/env bash
# `lineage` of two local BF16 checkpoints of 1 GB whose weights have a known correlation, and the peer's test of up-projections on the same
# pair: whole, and on as many bytes as `lineage` reads of one group. Usage: benches/lineage.sh [BINARY] [PYTHON]. Prints a Markdown table.
set -euo pipefail

binary=$(realpath "${1:-target/release/hub-audit}")
python=${2:-python3}
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "| correlation | run | seconds | peak MiB | outcome |"
echo "|--:|---|--:|--:|---|"
for rho in 0.5 0.1 0.05 0.02 0.01; do
  "$python" "$here/lineage_phi.py" generate "$work" "$rho"
  cat "$work"/{a,b}/model.safetensors >/dev/null
  /usr/bin/time -f '%e %M' -o "$work/time" "$binary" lineage "$work/a" "$work/b" --group mlp,heads --no-deep --threads 1 \
    --cache-dir "$work/cache" >"$work/out" 2>/dev/null
  read -r seconds memory <"$work/time"
  echo "| $rho | \`lineage --group mlp,heads\` | $seconds | $((memory / 1024)) | $(head -1 "$work/out") |"
  for limit in "" 2097152; do
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 /usr/bin/time -f '%e %M' -o "$work/time" \
      "$python" "$here/lineage_phi.py" test "$work" $limit >"$work/out"
    read -r seconds memory <"$work/time"
    echo "| $rho | assignment and Spearman | $seconds | $((memory / 1024)) | $(cat "$work/out") |"
  done
done
