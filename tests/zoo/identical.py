"""Holds the groups of `hash --matches` against the zoo's truth: which tensors are equal byte for byte, and of what kind.

    identical.py truth.json matches.csv...
"""
import csv
import json
import sys


def kind(trivial):
    """The truth's word for what the tool calls trivial. The truth knows no tiny tensors."""
    if not trivial:
        return "learned"
    return trivial.split(":")[0]


def main(truth_path, *paths):
    with open(truth_path, encoding="utf-8") as file:
        truth = json.load(file)["identical"]
    found_by_path = []
    for path in paths:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["kind"] == "bytes"]
        found = {}
        for row in rows:
            model = "/".join(row["model"].split("@")[0].rstrip("/").split("/")[-2:])
            kinds, members = found.setdefault(row["sha256"], (set(), set()))
            kinds.add(kind(row["trivial"]))
            members.add((model, row["tensor"]))
        found_by_path.append(found)
    present = {model for found in found_by_path for _, members in found.values() for model, _ in members}
    # Groups that lie within one model are not in the truth, and models that were not built are not in the zoo.
    expected = {}
    for digest, group in truth.items():
        members = {(model, tensor) for model, tensor in group["where"] if model in present}
        if len({model for model, _ in members}) > 1:
            expected[digest] = ({group["kind"]}, members)
    assert len(expected) > 30, f"only {len(expected)} groups could be checked"
    for path, found in zip(paths, found_by_path):
        across = {digest: group for digest, group in found.items() if len({model for model, _ in group[1]}) > 1}
        assert across.keys() == expected.keys(), (path, across.keys() ^ expected.keys())
        for digest, group in expected.items():
            assert across[digest] == group, (path, digest, across[digest], group)
    tensors = sum(len(members) for _, members in expected.values())
    print(f"zoo: {len(expected)} groups of {tensors} equal tensors found, all of the right kind, {len(paths)} times over")


if __name__ == "__main__":
    main(*sys.argv[1:])
