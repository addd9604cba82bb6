#!/usr/bin/env bash
# Feeds every parser with hostile bytes: tests/fuzz/run.sh [SECONDS [TARGET...]]
#
# Each target runs for SECONDS (60 unless told otherwise), two at a time, from the files of fixtures/malformed; a crash, a hang of 10 s
# or 1 GB of memory fails the script, which then names the input. Without a nightly toolchain or cargo-fuzz it says "skipped", with
# status 0. No sanitizer: there is no unsafe code here for one to watch.
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
cargo +nightly --version >/dev/null 2>&1 || skip "no nightly toolchain (rustup toolchain install nightly)"
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked --quiet || skip "cargo-fuzz cannot be installed"
cargo +nightly fetch --quiet --manifest-path tests/fuzz/Cargo.toml || skip "its dependencies cannot be fetched"
cargo +nightly fuzz build --fuzz-dir tests/fuzz --sanitizer none --target-dir "$build" || exit 1

# The binaries are run as they are: `cargo fuzz run` would lock the build folder and run one at a time.
binaries=$(dirname "$(find "$build" -type f -name "${targets[0]}" -path '*/release/*' -perm -u+x | head -n 1)")
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
