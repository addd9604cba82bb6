#!/usr/bin/env python3
"""How much of truly equal tensors `hash --chunks` finds by terms and by fingerprints: shares.py BINARY DIR

DIR is what make_pairs.py wrote. What is equal is found by reading the files; a claim of equality that is not so ends the script. Prints a
Markdown table.
"""

import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from make_pairs import PAIRS

binary, root = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])


def tensors(path):
    """Each tensor's bytes, as a view of the file."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    length = int(data[:8].view("<u8")[0])
    header = json.loads(bytes(data[8 : 8 + length]))
    header.pop("__metadata__")
    places = {name: entry["data_offsets"] for name, entry in header.items()}
    return {name: data[8 + length + start : 8 + length + end] for name, (start, end) in places.items()}


def rows(pair, packing, words):
    """The rows of `hash --chunks` for a pair that is served, and what it says of its cost."""
    with tempfile.TemporaryDirectory() as home:
        serve = subprocess.Popen([binary, "serve", root / pair, "--xet", packing], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = serve.stdout.readline().strip()
            command = [binary, "hash", "--chunks", "o/base", "o/other", "--format", "csv", "--endpoint", url, "--no-token", *words]
            environment = {"HOME": home, "HUB_AUDIT_CACHE": f"{home}/cache", "PATH": os.environ["PATH"]}
            run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        finally:
            serve.terminate()
            serve.wait()
    cost = next(line for line in run.stderr.splitlines() if "CAS request" in line)
    return list(csv.DictReader(run.stdout.splitlines())), cost.split(";")[0]


def share(pair, packing, words):
    base, other = (tensors(root / pair / "o" / name / "model.safetensors") for name in ("base", "other"))
    equal = {name for name in base if np.array_equal(base[name], other[name])}
    found, cost = rows(pair, packing, words)
    claimed = {row["tensor_b"]: row["tensor_a"] for row in found if row["verdict"] == "identical"}
    for name, beside in claimed.items():
        if not np.array_equal(base[beside], other[name]):
            sys.exit(f"{pair}: {name} is not {beside}")
    same = {row["tensor_b"]: int(row["same"]) for row in found}
    for name in base:
        places = int((np.asarray(base[name]) == np.asarray(other[name])).sum())
        if same[name] > places:
            sys.exit(f"{pair}: {same[name]} bytes of {name} are said to be equal, and {places} are")
    total = sum(base[name].nbytes for name in equal)
    proven = sum(same[name] for name in equal)
    left = sorted(base[name].nbytes - same[name] for name in equal if same[name] < base[name].nbytes)
    median = f"{left[len(left) // 2] / 1000:.0f} kB in {len(left)}" if left else "nothing"
    share = f"{100 * proven / total:.1f} %" if total else "none is equal"
    return f"{len(equal)} | {len(claimed)} | {share} | {median} | {cost}"


print("| pair | storage | by | equal | found whole | of their bytes | left a tensor (median) | cost |")
print("|---|---|---|--:|--:|--:|--:|---|")
for pair in PAIRS:
    for packing in ("shared", "indexed", "separate"):
        print(f"| {pair} | {packing} | terms | {share(pair, packing, [])} |", flush=True)
    print(f"| {pair} | separate | fingerprints | {share(pair, 'separate', ['--fingerprints'])} |", flush=True)
