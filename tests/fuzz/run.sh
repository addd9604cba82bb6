#!/usr/bin/env bash
# Feeds every parser with hostile bytes: tests/fuzz/run.sh [SECONDS [TARGET...]]
#
# Each target runs for SECONDS (60 unless told otherwise), two at a time, from the files of fixtures/malformed; a crash, a hang of 10 s
# or 1 GB of memory fails the script, which then names the input. What `cargo fuzz` asks of a nightly compiler is its sanitizers;
# there is no unsafe code here for one to watch, so any compiler will do. Without a C++ compiler, which libFuzzer itself needs, it
# says "skipped", with status 0.
set -u
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift
read -ra targets <<<"${*:-$(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' tests/fuzz/Cargo.toml | tr '\n' ' ')}"
build=${CARGO_TARGET_DIR:-target}/fuzz
mkdir -p "$build"
build=$(realpath "$build")

skip() {
    echo "fuzz: skipped: $*"
    exit 0
}
command -v c++ >/dev/null || skip "no C++ compiler"
# Built as the tests are, so that dependencies are not built again (but for what stands on ring: libFuzzer's own build asks more of cc). This
# crate is, for what the fuzzer wants to know of it.
export RUSTC_WORKSPACE_WRAPPER=$PWD/tests/fuzz/rustc
built=$(cargo test --no-run --locked -p hub-audit -p hub-audit-fuzz "${targets[@]/#/--bin=}" \
    --message-format=json-render-diagnostics) || exit 1
declare -A binaries
while read -r name executable; do
    binaries[$name]=$executable
done < <(sed -n 's/.*"kind":\["bin"\].*"name":"\([a-z_]*\)","src_path".*"executable":"\([^"]*\)".*/\1 \2/p' <<<"$built")

failed=0
run() {
    local target=$1 corpus=$build/corpus/$1 found=$build/found/$1 log=$build/$1.log
    mkdir -p "$corpus" "$found"
    "${binaries[$target]}" "$corpus" "$(seeds "$target")" -artifact_prefix="$found/" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 >"$log" 2>&1
    local status=$?
    echo "fuzz: $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s, status $status"
    if [ $status != 0 ]; then
        grep -m 3 -E 'panicked|ERROR|^[^#]*assert' "$log"
        tail -n 3 "$log"
    fi
    return $status
}

# Where a target's first inputs are.
seeds() {
    case $1 in
    header | index | config) echo "fixtures/malformed/$1" ;;
    *) echo "tests/fuzz/seeds/$1" ;;
    esac
}

running=()
for target in "${targets[@]}"; do
    run "$target" &
    running+=($!)
    if [ ${#running[@]} = 2 ]; then
        wait "${running[0]}" || failed=1
        running=("${running[@]:1}")
    fi
done
for pid in "${running[@]}"; do
    wait "$pid" || failed=1
done
[ $failed = 0 ] && echo "fuzz: ${#targets[@]} targets, nothing found"
exit $failed
