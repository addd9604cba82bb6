#!/usr/bin/env python3
"""The official client with hf_xet as the judge of `serve`'s Xet storage: xet.py ENDPOINT DIR VERSION

DIR is what make_hub.py wrote. Every hash that is listed is compared with that of hf_xet, and every large file is downloaded through
Xet storage, never as a whole, with reconstructions of VERSION (1 or 2). Run it without HF_HUB_DISABLE_XET and with an empty HF_HOME.
"""

import hashlib
import json
import pathlib
import sys
import tempfile
import urllib.error
import urllib.request

import hf_xet
from huggingface_hub import HfApi, file_download, hf_hub_download

endpoint, root, version = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
checks = 0


def check(condition, what):
    global checks
    if not condition:
        sys.exit(f"conformance: FAILED: {what}")
    checks += 1


through_storage = []
official = file_download.xet_get


def counted(**arguments):
    through_storage.append(arguments["displayed_filename"])
    return official(**arguments)


def not_as_a_whole(url, *_, **__):
    sys.exit(f"conformance: FAILED: {url} was read as a whole")


def large(repo):
    return sorted((root / repo).glob("*.safetensors"))


def hashes():
    count = 0
    for repo in ("acme/chunks", "acme/again", "acme/sharded"):
        listed = {entry.path: entry.xet_hash for entry in HfApi(endpoint=endpoint, token=False).list_repo_tree(repo) if hasattr(entry, "xet_hash")}
        files = large(repo)
        for path, info in zip(files, hf_xet.hash_files([str(path) for path in files])):
            check(listed[path.name] == info.hash, f"hash of {repo}/{path.name}: {listed[path.name]}, and {info.hash} by hf_xet")
            count += 1
    check(count >= 14, f"{count} files")


def downloads():
    file_download.xet_get = counted
    file_download.http_get = not_as_a_whole
    for repo, token in (("acme/chunks", False), ("acme/again", False), ("acme/gated", "hf_test"), ("acme/private", "hf_test")):
        for path in large(repo):
            with tempfile.TemporaryDirectory() as cache:
                got = hf_hub_download(repo, path.name, endpoint=endpoint, token=token, cache_dir=cache)
                digest = hashlib.sha256(pathlib.Path(got).read_bytes()).hexdigest()
            check(digest == hashlib.sha256(path.read_bytes()).hexdigest(), f"{repo}/{path.name} through Xet storage")
    check(len(through_storage) >= 14, f"{len(through_storage)} files through Xet storage")


def versions():
    with urllib.request.urlopen(f"{endpoint}/api/models/acme/chunks/xet-read-token/main") as answer:
        token = json.load(answer)
    name = large("acme/chunks")[0]
    info = next(iter(HfApi(endpoint=endpoint, token=False).get_paths_info("acme/chunks", [name.name])))
    for asked in ("1", "2"):
        url = f"{token['casUrl']}/v{asked}/reconstructions/{info.xet_hash}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token['accessToken']}"})
        try:
            status = urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            status = error.code
        check(status == (404 if asked > version else 200), f"reconstruction of version {asked}: {status}")


for part in (hashes, versions, downloads):
    part()
print(f"conformance: {checks} checks of Xet storage passed, reconstructions of version {version}")
