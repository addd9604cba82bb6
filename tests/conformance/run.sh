#!/usr/bin/env bash
# The official Python client against `BINARY serve`: tests/conformance/run.sh BINARY
#
# The client is huggingface_hub from PyPI; without PyPI the check is skipped, with a notice and status 0.
set -u
binary=$(realpath "${1:?usage: run.sh BINARY}")
source "$(dirname "$0")/common.sh"
install conformance huggingface_hub==2.4.0 hf_xet==1.8.0 || exit 0
serve "$binary"
# As its users set it: the client then asks this server for its registry of agents as well.
HF_ENDPOINT=$endpoint "$venv/bin/python" "$here/hub_client.py" "$endpoint" "$work/hub" || exit 1
# The same client as it reads large files where nobody tells it otherwise, with tokens that it has to renew.
for version in 2 1; do
    serve "$binary" --xet "v$version,token=5"
    env -u HF_HUB_DISABLE_XET HF_ENDPOINT="$endpoint" HF_HOME="$work/home-$version" \
        "$venv/bin/python" "$here/xet.py" "$endpoint" "$work/hub" "$version" || exit 1
done
