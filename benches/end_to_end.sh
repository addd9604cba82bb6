#!/usr/bin/env bash
# Requests, bytes, seconds and peak memory of the survey of nine synthetic models: cold, warm and dry, without and with 50 ms
# added to each request. Usage: benches/end_to_end.sh [BINARY]. Prints a Markdown table.
set -euo pipefail

binary=$(realpath "${1:-target/release/hub-audit}")
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

models="upstage/Solar-Open-100B zai-org/GLM-4.5-Air microsoft/Phi-3.5-MoE-instruct mistralai/Mixtral-8x7B-Instruct-v0.1
  mistralai/Mistral-7B-Instruct-v0.3 01-ai/Yi-1.5-6B-Chat 01-ai/Yi-1.5-9B-Chat internlm/internlm2-chat-7b Qwen/Qwen1.5-7B-Chat"

measure() { # label, latency, options...
  local label=$1 latency=$2
  shift 2
  # shellcheck disable=SC2086 # the list of models is meant to be split
  /usr/bin/time -f '%e %M' -o "$work/time" "$binary" survey $models --endpoint "$url" --no-token "$@" \
    >/dev/null 2>"$work/log"
  local moved seconds memory
  moved=$(sed -n 's/^moved \(.*\) in \([0-9]*\) requests\{0,1\},.*/\1 | \2/p' "$work/log")
  read -r seconds memory <"$work/time"
  echo "| $label | $latency ms | $moved | $seconds | $((memory / 1024)) |"
}

echo "| run | latency | moved | requests | seconds | peak MiB |"
echo "|---|--:|--:|--:|--:|--:|"
for latency in 0 50; do
  "$binary" serve --demo --latency "$latency" >"$work/url" 2>/dev/null &
  server=$!
  for _ in $(seq 100); do [ -s "$work/url" ] && break; sleep 0.05; done
  url=$(cat "$work/url")
  for question in "layer 10:--layers 10" "all layers, two norms:--layers all --role input_layernorm,post_attention_layernorm"; do
    name=${question%%:*}
    read -r -a options <<<"${question#*:}"
    cache="$work/cache-$latency-${name// /-}"
    measure "$name, dry run" "$latency" "${options[@]}" --cache-dir "$cache-dry" --dry-run
    measure "$name, cold" "$latency" "${options[@]}" --cache-dir "$cache"
    measure "$name, warm" "$latency" "${options[@]}" --cache-dir "$cache"
    measure "$name, warm, report" "$latency" "${options[@]}" --cache-dir "$cache" -o "$work/report"
  done
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=
  : >"$work/url"
done
