#!/usr/bin/env python3
"""Runs the product over every pair of the planted checkpoints, read from its own mock Hub, and compares what it writes with the
figures of the reference: p, verdicts, signs and maps equal, other numbers within 1e-9 * max(1, |x|), a bound at most .01 above.
Every file and every line is the same on one, two and seven threads.
usage: check.py BINARY ZOO GOLDENS.json WORK"""
import csv
import json
import os
import re
import subprocess
import sys


def near(x, y, scale=0.0):
    return abs(x - y) <= 1e-9 * max(1.0, abs(y), scale)


class Check:
    def __init__(self):
        self.wrong, self.figures = [], 0

    def same(self, what, got, want):
        self.figures += 1
        if got != want:
            self.wrong.append(f"{what}: {got} expected {want}")

    def near(self, what, got, want, scale=0.0):
        self.figures += 1
        if got in ("", None) or not near(float(got), want, scale):
            self.wrong.append(f"{what}: {got} expected {want}")

    def bound(self, what, got, want):
        self.figures += 1
        if got == "" or not -1e-6 <= float(got) - want <= 0.01:
            self.wrong.append(f"{what}: {got} expected {want}")


def rows(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def evidence(check, what, got, want):
    """A row of `lineage.csv` beside the figures of a test."""
    check.near(f"{what} z", got["z"], want["z"])
    check.near(f"{what} p", got["p"], want["p"])
    check.bound(f"{what} bound", got["log10_bound"], want["log10_bound"])
    check.near(f"{what} floor", got["log10_floor"], want["floor"])


def tests(check, golden, table):
    groups = {r["group"]: r for r in table if r["scope"] == "group"}
    layers = {(r["group"], r["layer"]): r for r in table if r["scope"] == "layer"}
    verdict = next(r["sign"] for r in table if r["scope"] == "pair")
    check.same("verdict", verdict, golden["verdict"])
    for name, reason in golden["skipped"].items():
        check.same(f"{name} undefined", groups[name]["undefined"], reason)
    for name, want in golden["groups"].items():
        got = groups[name]
        check.same(f"{name} sign", got["sign"], golden["signs"][name])
        evidence(check, name, got, want)
        check.near(f"{name} detectable", got["rho_detectable"], want["rho_detectable"])
        check.same(f"{name} blocks", got["blocks"], str(want["blocks"]))
        for figure in ("rho", "rho_sd"):
            if figure in want:
                check.near(f"{name} {figure}", got[figure], want[figure])
        for layer, z in (want.get("by_layer") or {}).items():
            check.near(f"{name} layer {layer}", layers[name, layer]["z"], z)


def distances(check, golden, table):
    got = {(r["role"], r["quantity"]): r for r in table if r["layer"] == ""}
    for role, want in golden["distances"].items():
        check.near(f"{role} equal", got[role, "equal_share"]["value"], want["equal"])
        for quantity in ("cosine", "pearson", "rel_l2", "cosine_from_means"):
            figure = want.get(quantity)
            if isinstance(figure, dict):
                for part in ("value", "low", "high"):
                    check.near(f"{role} {quantity} {part}", got[role, quantity][part], figure[part])
            elif figure is not None:
                check.near(f"{role} {quantity}", got[role, quantity]["value"], figure)
    relation = golden.get("relation")
    if relation:
        check.same("kind", got["", "kind"]["text"] if ("", "kind") in got else None, relation["kind"])
        for quantity, name in (("zero_share", "zero"), ("flatness", "flat"), ("kurtosis", "kurtosis")):
            if ("units", quantity) in got:
                check.near(quantity, got["units", quantity]["value"], relation["change"][name])
        deep = [matrix for matrix in relation.get("deep", {}).values() if "rank" in matrix]
        for quantity in ("rank", "rest_over_noise"):
            values = [r["value"] for r in table if r["role"] == "deep" and r["quantity"] == quantity]
            check.same(f"matrices with {quantity}", len(values), len(deep))
            for at, (value, matrix) in enumerate(zip(values, deep)):
                if matrix[quantity] is None:
                    check.same(f"{quantity} {at}", value, "")
                else:
                    # The rest is what is left of the whole change once its large directions are taken off.
                    check.near(f"{quantity} {at}", value, matrix[quantity], matrix["over_noise"])


def layer_map(check, golden, table, names):
    cells = {}
    for r in table:
        if r["model_a"] != r["model_b"]:
            cells[int(r["layer_a"]), int(r["layer_b"])] = r
    swapped = golden["swapped"]
    for i, (zs, ps) in enumerate(zip(golden["z"], golden["p"])):
        for j, (z, p) in enumerate(zip(zs, ps)):
            cell = cells[(j, i) if swapped else (i, j)]
            check.near(f"map z {i} {j}", cell["z"], z)
            check.near(f"map p {i} {j}", cell["p_adjusted"], p)
    got = sorted([list(k) for k, r in cells.items() if r["best"] == "true"])
    check.same("matches", got, sorted(golden["pairs"]))
    first, second = (names[1], names[0]) if swapped else names
    for name, pairs in ((first, golden["repeats_a"]), (second, golden["repeats_b"])):
        own = {(int(r["layer_a"]), int(r["layer_b"])): r["z"] for r in table if r["model_a"] == r["model_b"] == name}
        check.same(f"repeats of {name}", sorted(own), sorted((i, j) for i, j, _ in pairs))
        for i, j, z in pairs:
            check.near(f"repeat {i} {j}", own.get((i, j)), z)


def merge(check, golden, table, names):
    """The third model between the first two."""
    a, b, c = names
    got = {r["quantity"]: r for r in table if [r["model_a"], r["model_b"], r["text"]] == [a, c, b]}
    check.same("merge tested", sorted(got), ["merge_explained", "merge_weight"])
    if not got:
        return
    for part in ("weight", "low", "high"):
        check.near(f"merge {part}", got["merge_weight"]["value" if part == "weight" else part], golden[part])
    if golden["explained"] is None:
        check.same("merge explained", got["merge_explained"]["value"], "")
    else:
        check.near("merge explained", got["merge_explained"]["value"], golden["explained"])


def disguise(check, golden, table):
    """Matched units, matched basis and both, of a run with --disguised."""
    groups = {r["group"]: r for r in table if r["scope"] == "group"}
    for name in ("units", "basis", "both"):
        want, got = golden[name], groups[f"matched {name}"]
        if "undefined" in want:
            check.same(f"matched {name} undefined", got["undefined"], want["undefined"])
            continue
        if got["undefined"]:
            check.same(f"matched {name} undefined", got["undefined"], "")
            continue
        evidence(check, f"matched {name}", got, want)
        check.near(f"matched {name} rho", got["rho"], want["rho"])
        check.same(f"matched {name} rows", got["rows"], str(want["rows"]))
        check.same(f"matched {name} width", got["width"], str(want["coordinates" if name == "basis" else "width"]))
        check.same(f"matched {name} exact", got["exact"], str(want["exact"]).lower())
        check.near(f"matched {name} same index", got["matched_same_index"], want["same_index"])
        for figure in ("rho_sd", "rho_detectable"):
            if figure in want:
                check.near(f"matched {name} {figure}", got[figure], want[figure])
        if "blocks" in want:
            check.same(f"matched {name} blocks", got["blocks"], str(want["blocks"]))
            layers = {r["layer"]: r["z"] for r in table if r["scope"] == "layer" and r["group"] == f"matched {name}"}
            check.same(f"matched {name} layers", sorted(layers), sorted(want["by_layer"]))
            for layer, z in want["by_layer"].items():
                check.near(f"matched {name} layer {layer}", layers.get(layer), z)


def contents(out, done):
    """What a run gave: what it said and every file."""
    given = {"": done.stdout}
    for name in sorted(os.listdir(out)) if os.path.isdir(out) else []:
        with open(os.path.join(out, name), "rb") as f:
            given[name] = f.read()
    return given


def main():
    binary, zoo, goldens, work = sys.argv[1:5]
    hub = subprocess.Popen([binary, "serve", zoo], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = None
        while url is None:
            line = hub.stdout.readline()
            if not line:
                sys.exit("serve did not start: " + hub.stderr.read())
            found = re.search(r"http://\S+", line)
            url = found and found.group(0)
        failed = figures = pairs = 0
        with open(goldens, encoding="utf-8") as f:
            cases = json.load(f)["cases"]
        for case in cases:
            names = case["models"]
            pairs += 1
            check = Check()
            run = [binary, "lineage", *names, "-q", "--no-hf-cache", "--cache-dir", os.path.join(work, "cache")]
            environment = {**os.environ, "HF_ENDPOINT": url}
            equal = case.get("map") and len(case["map"]["z"]) == len(case["map"]["z"][0])
            run += ["--layer-map"] if equal else []
            given = {}
            for threads in (1, 2, 7):
                out = os.path.join(work, f"out-{pairs}-{threads}")
                command = [*run, "--formats", "csv,md,html,svg", "-o", out, "--threads", str(threads)]
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
                given[threads] = contents(out, done)
                check.same(f"same on {threads} threads", sorted(n for n in given[1] if given[1][n] != given[threads].get(n)), [])
            status = 1 if case.get("verdict") == "not comparable" else 0
            check.same("status", done.returncode, status)
            if done.returncode == status:
                if "merge" in case:
                    merge(check, case["merge"], rows(os.path.join(out, "relation.csv")), names)
                    said = "lies on the line between" in done.stdout
                    check.same("merge said", said, case["merge"]["printed"])
            if done.returncode == status and "verdict" in case:
                tests(check, case, rows(os.path.join(out, "lineage.csv")))
                distances(check, case, rows(os.path.join(out, "relation.csv")))
                if case.get("map"):
                    layer_map(check, case["map"], rows(os.path.join(out, "layer_map.csv")), names)
            if "disguise" in case:
                hidden = os.path.join(work, f"out-{pairs}-disguised")
                command = [*run, "--disguised", "--formats", "csv", "-o", hidden]
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
                check.same("status with --disguised", done.returncode, status)
                if done.returncode == status:
                    disguise(check, case["disguise"], rows(os.path.join(hidden, "lineage.csv")))
            figures += check.figures
            if check.wrong:
                failed += 1
                print("WRONG", *names, case["planted"], done.stderr)
                for line in check.wrong[:12]:
                    print("   ", line)
        print(f"{pairs} pairs, {figures} figures, {failed} pairs not as expected")
        sys.exit(1 if failed else 0)
    finally:
        hub.terminate()
        hub.wait()


if __name__ == "__main__":
    main()
