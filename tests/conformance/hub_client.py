#!/usr/bin/env python3
"""The official Python client as the judge of `serve`: hub_client.py ENDPOINT DIR

DIR is what make_hub.py wrote. Every answer is compared with the files themselves, every failure with the exception class that
the client raises for the real Hub. Run it with HF_HUB_DISABLE_XET=1 and an empty HF_HOME.
"""

import hashlib
import pathlib
import struct
import sys
import tempfile
import urllib.request

from huggingface_hub import HfApi, HfFileSystem, hf_hub_download
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MEMBER, STRANGER, UNKNOWN = "hf_test", "hf_stranger", "hf_wrong"

endpoint, root = sys.argv[1], pathlib.Path(sys.argv[2])
checks = 0


def check(condition, what):
    global checks
    if not condition:
        sys.exit(f"conformance: FAILED: {what}")
    checks += 1


def raises(kind, call, what):
    try:
        call()
    except Exception as error:
        check(type(error) is kind or isinstance(error, kind), f"{what}: {type(error).__name__}: {error}")
        return error
    sys.exit(f"conformance: FAILED: {what}: no {kind.__name__}")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def api(token=False):
    return HfApi(endpoint=endpoint, token=token)


def download(repo, path, token=False, **options):
    with tempfile.TemporaryDirectory() as cache:
        got = hf_hub_download(repo, path, endpoint=endpoint, token=token, cache_dir=cache, **options)
        return pathlib.Path(got).read_bytes()


def what_the_api_says():
    info = api().model_info("acme/tiny", files_metadata=True)
    check((info.id, info.sha, info.private, info.gated) == ("acme/tiny", COMMIT, False, False), "model_info")
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings}
    files = {path.name: path.stat().st_size for path in (root / "acme/tiny").iterdir() if path.name != ".hub.json"}
    check(sizes == files, f"siblings {sizes}")
    weights = next(sibling for sibling in info.siblings if sibling.rfilename == "model.safetensors")
    check(weights.lfs.sha256 == sha256(root / "acme/tiny/model.safetensors"), "sha256 of a large file")
    check(info.safetensors.parameters == {"BF16": info.safetensors.total}, "parameters")
    expanded = api().model_info("acme/sharded", expand=["sha", "tags", "gated"])
    check(expanded.sha == COMMIT and "license:mit" in expanded.tags and expanded.siblings is None, "expand")
    check(api().model_info("acme/tiny", revision="refs/pr/1").sha == COMMIT, "a pull request as revision")
    check(api().model_info("acme/tiny", revision=COMMIT).sha == COMMIT, "a commit as revision")
    check(api().model_info("legacy").sha == COMMIT, "a bare name")
    check(api().model_info("acme/before").id == "acme/sharded", "a renamed repository")
    check(api().model_info("ACME/Tiny").id == "acme/tiny", "wrong letter case")
    listed = {model.id for model in api().list_models(author="acme")}
    check({"acme/tiny", "acme/sharded"} <= listed and "acme/private" not in listed, f"list_models {listed}")
    check("acme/private" in {model.id for model in api(MEMBER).list_models(author="acme")}, "private in the list of a member")
    refs = api().list_repo_refs("acme/tiny", include_pull_requests=True)
    check(refs.branches[0].target_commit == COMMIT and refs.pull_requests[0].ref == "refs/pr/1", "refs")


def listings():
    tree = {entry.path: entry for entry in api().list_repo_tree("acme/sharded", recursive=True)}
    folder = root / "acme/sharded"
    expected = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != ".hub.json"}
    check(set(tree) == expected, f"all pages of the tree: {sorted(tree)}")
    for path, entry in tree.items():
        if (folder / path).is_file():
            check(entry.size == (folder / path).stat().st_size, f"size of {path}")
            if path.endswith(".safetensors"):
                check(entry.lfs.sha256 == sha256(folder / path), f"sha256 of {path}")
    many = [entry.path for entry in api().list_repo_tree("acme/many", recursive=True)]
    check(many == [f"file-{n:04}.txt" for n in range(1100)], f"{len(many)} entries over two pages")
    below = {entry.path for entry in api().list_repo_tree("acme/sharded", path_in_repo="onnx")}
    check(below == {"onnx/sub", "onnx/a b.txt"}, f"one folder: {below}")
    infos = api().get_paths_info("acme/sharded", ["config.json", "absent", "onnx"])
    check([info.path for info in infos] == ["config.json", "onnx"], "paths-info leaves out what is absent")
    check(api().file_exists("acme/tiny", "config.json"), "file_exists")
    check(not api().file_exists("acme/tiny", "absent"), "file_exists of an absent file")


def bytes_of_files():
    for repo in ("acme/tiny", "acme/sharded", "legacy"):
        for path in (root / repo).rglob("*"):
            if path.is_file() and path.name != ".hub.json":
                name = str(path.relative_to(root / repo))
                check(download(repo, name) == path.read_bytes(), f"{repo}/{name}")
    whole = (root / "acme/tiny/model.safetensors").read_bytes()
    check(download("acme/tiny", "model.safetensors", revision=COMMIT) == whole, "a download at a commit")
    check(download("acme/gated", "model.safetensors", MEMBER) == whole, "a gated file with a token")
    check(download("acme/private", "config.json", MEMBER)[:1] == b"{", "a private file with a token")
    files = HfFileSystem(endpoint=endpoint, token=False)
    for start, end in [(0, 8), (100, 1100), (len(whole) - 50, len(whole)), (5000, 5001)]:
        with files.open("acme/tiny/model.safetensors", block_size=4096) as file:
            file.seek(start)
            check(file.read(end - start) == whole[start:end], f"bytes {start}..{end} through HfFileSystem")
    check(files.cat_file("acme/tiny/config.json", start=2, end=9) == (root / "acme/tiny/config.json").read_bytes()[2:9], "cat_file")


def headers_of_shards():
    for repo in ("acme/tiny", "acme/sharded"):
        metadata = api().get_safetensors_metadata(repo)
        check(metadata.sharded == (repo == "acme/sharded"), f"{repo} sharded")
        for name, shard in metadata.files_metadata.items():
            raw = (root / repo / name).read_bytes()
            length = struct.unpack("<Q", raw[:8])[0]
            last = max(tensor.data_offsets[1] for tensor in shard.tensors.values())
            check(8 + length + last == len(raw), f"header of {repo}/{name}")
    check(len(metadata.weight_map) == 19, "weight map")


def refusals():
    small, large = "config.json", "model.safetensors"
    raises(RepositoryNotFoundError, lambda: api().model_info("acme/absent"), "an absent repository")
    raises(RepositoryNotFoundError, lambda: api(STRANGER).model_info("acme/absent"), "the same with a token")
    raises(RepositoryNotFoundError, lambda: api().model_info("acme/private"), "a private repository")
    raises(RepositoryNotFoundError, lambda: api(STRANGER).model_info("acme/private"), "the same to a stranger")
    raises(RepositoryNotFoundError, lambda: download("acme/absent", large), "a file of an absent repository")
    raises(RevisionNotFoundError, lambda: api().model_info("acme/tiny", revision="absent"), "an absent revision")
    raises(RevisionNotFoundError, lambda: download("acme/tiny", small, revision="absent"), "a file of an absent revision")
    raises(EntryNotFoundError, lambda: download("acme/tiny", "absent"), "an absent file")
    raises(EntryNotFoundError, lambda: list(api().list_repo_tree("acme/tiny", path_in_repo="absent")), "an absent folder")
    for path in (small, large):
        anonymous = raises(GatedRepoError, lambda: download("acme/gated", path), "a gated file")
        check(anonymous.response.status_code == 401, "401 to the anonymous")
        stranger = raises(GatedRepoError, lambda: download("acme/gated", path, STRANGER), "a gated file to a stranger")
        check(stranger.response.status_code == 403, "403 to a stranger")
    raises(DisabledRepoError, lambda: api(MEMBER).model_info("acme/disabled"), "a disabled repository")
    wrong = raises(HfHubHTTPError, lambda: api(UNKNOWN).model_info("acme/tiny"), "a token that is not known")
    check(not isinstance(wrong, RepositoryNotFoundError) and wrong.response.status_code == 401, "which is not a missing repository")


def limits():
    with urllib.request.urlopen(f"{endpoint}/api/models/acme/tiny") as answer:
        check(answer.headers["RateLimit"].startswith('"api";r='), "RateLimit")
        check('"fixed window";"api";q=500;w=300' == answer.headers["RateLimit-Policy"], "RateLimit-Policy")


for part in (what_the_api_says, listings, bytes_of_files, headers_of_shards, refusals, limits):
    part()
print(f"conformance: {checks} checks passed")
