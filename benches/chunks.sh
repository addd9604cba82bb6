#!/usr/bin/env bash
# Requests, bytes, seconds and peak memory of `hash --chunks` on two models of 60 shards each, the second with other metadata and 10
# other shards, through `serve` with 50 ms added to each request. Usage: benches/chunks.sh [BINARY] [PYTHON]. Prints a Markdown table.
set -euo pipefail

binary=$(realpath "${1:-target/release/hub-audit}")
python=${2:-python3}
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

"$python" - "$work/hub" <<'PYTHON'
import json, pathlib, random, sys

SHARDS, ROWS, WIDTH = 60, 2048, 512
root = pathlib.Path(sys.argv[1])
for name, written_by, other in (("base", "one", range(0)), ("tuned", "another one", range(50, 60))):
    folder = root / "o" / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "num_hidden_layers": SHARDS, "hidden_size": WIDTH}))
    for shard in range(SHARDS):
        data = random.Random(shard + (1000 if shard in other else 0)).randbytes(2 * ROWS * WIDTH)
        tensor = {"dtype": "BF16", "shape": [ROWS, WIDTH], "data_offsets": [0, len(data)]}
        header = {"__metadata__": {"written_by": written_by}, f"model.layers.{shard}.mlp.up_proj.weight": tensor}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path = folder / f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)
PYTHON

"$binary" serve "$work/hub" --latency 50 >"$work/url" 2>/dev/null &
server=$!
for _ in $(seq 100); do [ -s "$work/url" ] && break; sleep 0.05; done
url=$(cat "$work/url")

measure() { # label, options...
  local label=$1
  shift
  /usr/bin/time -f '%e %M' -o "$work/time" "$binary" hash --chunks o/base o/tuned --format csv --endpoint "$url" --no-token \
    --cache-dir "$work/cache" "$@" >"$work/out.csv" 2>"$work/log"
  local asked moved seconds memory same
  asked=$(sed -n 's/^\([0-9]*\) tokens\?, \([0-9]*\) CAS requests\?, \([^;]*\);.*/\1 | \2 | \3/p' "$work/log")
  moved=$(sed -n 's/^moved \(.*\) in \([0-9]*\) requests\{0,1\},.*/\1 | \2/p' "$work/log")
  same=$(awk -F, 'NR > 1 { size += $11; same += $12 } END { printf "%.1f", 100 * same / size }' "$work/out.csv")
  read -r seconds memory <"$work/time"
  echo "| $label | $asked | $moved | $seconds | $((memory / 1024)) | $same % |"
}

echo "| run | tokens | CAS requests | CAS bytes | moved in all | requests in all | seconds | peak MiB | same bytes |"
echo "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
# The Hub cuts files when it is first asked; that is not the client's time.
"$binary" hash --chunks o/base o/tuned --endpoint "$url" --no-token --cache-dir "$work/first" >/dev/null 2>&1
measure "nothing kept"
measure "listings and headers kept"
measure "the same, fingerprints" --fingerprints
