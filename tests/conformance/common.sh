# Sourced by the conformance scripts: a Python environment, the served folder, and a server that is stopped at the end.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../python.sh"
work=$(mktemp -d)
started=()

finish() {
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap finish EXIT

# Serves the checks' folder, with more options if there are some; the endpoint is in $endpoint then.
serve() {
    [ -d "$work/hub" ] || python3 "$here/make_hub.py" "$work/hub"
    : >"$work/url"
    "$1" serve "$work/hub" --port 0 "${@:2}" >"$work/url" 2>"$work/serve.log" &
    started+=($!)
    for _ in $(seq 100); do
        endpoint=$(head -n 1 "$work/url")
        [ -n "$endpoint" ] && return
        kill -0 "${started[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "conformance: FAILED: \`$1 serve\` printed no address"
    cat "$work/serve.log"
    exit 1
}

export HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HOME="$work/home"
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
unset HF_TOKEN HF_ENDPOINT HUGGING_FACE_HUB_TOKEN HF_HUB_OFFLINE
