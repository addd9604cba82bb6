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
# As `cargo fuzz build --sanitizer none` calls the compiler. A target is named so that build scripts are left as they are.
coverage="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=" -Cllvm-args=-sanitizer-coverage-$option"
done
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="--cfg fuzzing $coverage" \
    cargo build --release --locked --manifest-path tests/fuzz/Cargo.toml --target-dir "$build" --target "$host" || exit 1

binaries=$build/$host/release
failed=0
run() {
    local target=$1 corpus=$build/corpus/$1 found=$build/found/$1 log=$build/$1.log
    mkdir -p "$corpus" "$found"
    "$binaries/$target" "$corpus" "$(seeds "$target")" -artifact_prefix="$found/" -max_total_time="$seconds" -timeout=10 \
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
