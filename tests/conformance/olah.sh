#!/usr/bin/env bash
# A survey through a mirror equals a survey without it: tests/conformance/olah.sh BINARY
#
# olah, a caching proxy of the Hub, stands between BINARY and `BINARY serve`. It serves large files itself instead of redirecting,
# and it is a third reader of our server. Without PyPI the check is skipped, with a notice and status 0.
set -u
binary=$(realpath "${1:?usage: olah.sh BINARY}")
source "$(dirname "$0")/common.sh"
install olah==0.5.4
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
port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
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
(cd "$work" && exec "$venv/bin/olah-cli" --config olah.toml --log-path "$work/logs") >"$work/olah.log" 2>&1 &
started+=($!)
for attempt in $(seq 100); do
    "$venv/bin/python" -c "import urllib.request as r; r.urlopen('$mirror/api/models/acme/tiny/revision/main')" 2>/dev/null && break
    if [ "$attempt" = 100 ]; then
        echo "conformance: FAILED: olah does not answer"
        tail -n 5 "$work/olah.log"
        exit 1
    fi
    sleep 0.2
done

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
