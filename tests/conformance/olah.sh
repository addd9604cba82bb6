#!/usr/bin/env bash
# A survey through a mirror equals a survey without it: tests/conformance/olah.sh BINARY
#
# olah, a caching proxy of the Hub, stands between BINARY and `BINARY serve`. It serves large files itself instead of redirecting,
# and it is a third reader of our server. Then it plays the Hub alone, out of git repositories: that way it knows no ranges and sends
# the whole of each file. Without PyPI the check is skipped, with a notice and status 0.
set -u
binary=$(realpath "${1:?usage: olah.sh BINARY}")
source "$(dirname "$0")/common.sh"
install conformance olah==0.5.4 || exit 0
serve "$binary"

hub=${endpoint#http://}
location=$("$venv/bin/python" - "$endpoint/acme/tiny/resolve/main/model.safetensors" <<'PYTHON'
import http.client, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
connection = http.client.HTTPConnection(url.netloc)
connection.request("HEAD", url.path)
print(urllib.parse.urlsplit(connection.getresponse().headers["location"]).netloc)
PYTHON
)
free_port() {
    "$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# Starts olah with this configuration and waits until it answers for a model at this address.
start() {
    (cd "$work" && exec "$venv/bin/olah-cli" --config "$1" --log-path "$work/logs") >"$work/olah.log" 2>&1 &
    started+=($!)
    for attempt in $(seq 100); do
        "$venv/bin/python" -c "import urllib.request as r; r.urlopen('$2/api/models/acme/tiny/revision/main')" 2>/dev/null && return
        sleep 0.2
    done
    echo "conformance: FAILED: olah does not answer"
    tail -n 5 "$work/olah.log"
    exit 1
}

port=$(free_port)
mirror=http://127.0.0.1:$port
cat >"$work/olah.toml" <<TOML
[basic]
host = "127.0.0.1"
port = $port
repos-path = "$work/mirror"
hf-scheme = "http"
hf-netloc = "$hub"
hf-lfs-netloc = "$location"
mirror-scheme = "http"
mirror-netloc = "127.0.0.1:$port"
mirror-lfs-netloc = "127.0.0.1:$port"
TOML
start olah.toml "$mirror"

for way in direct mirrored; do
    from=$endpoint
    [ "$way" = mirrored ] && from=$mirror
    # Each way has a cache of its own: nothing that one has fetched may answer for the other.
    if ! "$binary" survey acme/tiny acme/sharded --role norms --layers all --endpoint "$from" \
        --cache-dir "$work/cache-$way" -o "$work/$way" -q; then
        echo "conformance: FAILED: the $way survey"
        exit 1
    fi
done
if ! cmp "$work/direct/pairs.csv" "$work/mirrored/pairs.csv"; then
    echo "conformance: FAILED: the mirror changes the results"
    exit 1
fi
echo "conformance: $(($(wc -l <"$work/direct/pairs.csv") - 1)) pairs are the same directly and through olah"

# Without its upstream, out of git repositories.
git_of() {
    git -C "$1" -c init.defaultBranch=main init --quiet &&
        git -C "$1" add --all &&
        git -C "$1" -c user.name=olah -c user.email=olah@example.org -c commit.gpgsign=false commit --quiet --message files
}
for model in tiny sharded heavy; do
    mkdir -p "$work/git/models/acme"
    cp -r "$work/hub/acme/$model" "$work/git/models/acme/$model"
    rm "$work/git/models/acme/$model/.hub.json"
    git_of "$work/git/models/acme/$model" || { echo "conformance: skipped the git mirror: no git"; exit 0; }
done
port=$(free_port)
mirror=http://127.0.0.1:$port
cat >"$work/git.toml" <<TOML
[basic]
host = "127.0.0.1"
port = $port
repos-path = "$work/nothing"
mirrors-path = ["$work/git"]
hf-scheme = "http"
hf-netloc = "127.0.0.1:9"
hf-lfs-netloc = "127.0.0.1:9"
mirror-scheme = "http"
mirror-netloc = "127.0.0.1:$port"
mirror-lfs-netloc = "127.0.0.1:$port"
[accessibility]
offline = true
TOML
start git.toml "$mirror"

# Small files are cut to the ranges; the numbers are those of the direct way.
for way in direct git; do
    from=$endpoint
    [ "$way" = git ] && from=$mirror
    "$binary" survey acme/tiny acme/sharded --role norms --layers all --endpoint "$from" \
        --cache-dir "$work/cache-small-$way" -o "$work/small-$way" -q || {
        echo "conformance: FAILED: the survey of small files, $way"
        exit 1
    }
done
# Git gives each repository a commit of its own.
nameless() { sed -E 's/[0-9a-f]{40}/COMMIT/g' "$work/small-$1/pairs.csv"; }
if [ "$(wc -l <"$work/small-git/pairs.csv")" -lt 2 ] || ! diff <(nameless direct) <(nameless git); then
    echo "conformance: FAILED: a server without ranges changes the results"
    exit 1
fi
# A large one is refused with the reason, and nothing of it is kept.
"$binary" survey acme/heavy --role matrices --layers all --endpoint "$mirror" --cache-dir "$work/cache-heavy" -o "$work/heavy" -q \
    2>"$work/heavy.log"
status=$?
if [ "$status" != 2 ] || ! grep -q "range" "$work/heavy.log" || find "$work/cache-heavy" -name '*.npy' | grep -q .; then
    echo "conformance: FAILED: status $status of a large file from a server without ranges"
    cat "$work/heavy.log"
    exit 1
fi
echo "conformance: a server without ranges gives the same $(($(wc -l <"$work/small-git/pairs.csv") - 1)) pairs of small files, and refuses a large one:"
cat "$work/heavy.log"
