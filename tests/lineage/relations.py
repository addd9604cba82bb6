#!/usr/bin/env python3
"""Labels of relations: 24 checkpoints of three shapes and eight seeds, each changed in 24 known ways, and what the product calls each of
the 576 changes. A label is right where it names what was planted, abstained where it names nothing (`changed`, `not readable`, or no
kind), and wrong where it names something else, another grid, another rank or the other way of leaving changes out. None may be wrong.
usage: relations.py BINARY WORK"""
import collections
import csv
import os
import re
import shutil
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "lineage"))
import make_cases as zoo

SHAPES = [dict(d=192, h=384, L=4), dict(d=256, h=512, L=3), dict(d=320, h=640, L=2)]
SEEDS = range(8)
READ = ("q_proj", "v_proj", "up_proj", "norm", "embed_tokens")
WORDS = 300
SILENT = ("", "changed", "not readable")
GRIDS = dict(int8row="8-bit: one step a row", q8_0="8-bit: one step for a run of 32", q6="6-bit: one step for a run of 16",
             q4_0="4-bit: at most 16 values in a run of 32", nf4="4-bit: at most 16 values in a run of 32", fp8="8-bit float")


def base(shape, seed):
    name = f"relations-{shape['d']}-{seed}"
    model = zoo.grown(name, name, zoo.config(heads=8, kv=8, **shape), vocab=("byte", range(WORDS), 0))
    return model.like({k: v for k, v in model.items() if any(part in k for part in READ)})


def expanded(model):
    out = model.like(dict(model))
    table = model["model.embed_tokens.weight"]
    new = np.random.default_rng(60).standard_normal((40, table.shape[1])) * table.std()
    out["model.embed_tokens.weight"] = np.vstack([table, new])
    out.config = {**model.config, "vocab_size": len(table) + 40}
    return zoo.rounded(out)


def changes(model, seed):
    """(name, kind that is planted or None, what must be printed with it, child, dtype)."""
    bf16, trained = zoo.BF16, zoo.tuned(model, f"{seed}-one", 0.1)
    for eps in (0.003, 0.01, 0.03, 0.1, 0.3):
        yield f"fine-tune {eps}", None, "", zoo.tuned(model, f"{seed}-tuned", eps), bf16
    yield "continued training", None, "", zoo.tuned(model, f"{seed}-continued", 3.0, norm_eps=1.5), bf16
    yield "linear merge", None, "", zoo.mixed([(0.4, trained), (0.6, zoo.tuned(model, f"{seed}-two", 0.08))], model), bf16
    for eps in (0.03, 0.1):
        yield f"noise {eps}", "noise", "", zoo.noisy(model, f"{seed}-noise", eps), bf16
    yield "F32", "cast", "", model.like(), np.float32
    for how, grid in GRIDS.items():
        yield how, "quantised", grid, zoo.quantised(model, how), bf16
    for rank, targets in ((4, ["q_proj", "v_proj"]), (8, ["q_proj", "v_proj"]), (16, ["q_proj", "v_proj", "up_proj"]), (64, ["_proj"])):
        yield f"LoRA {rank}", "low rank", f"rank up to {rank} ", zoo.lora(model, f"{seed}-lora", rank, 0.05 if rank < 16 else 0.1, targets), bf16
    yield "TIES", "sparse", "the smallest changes are missing", zoo.ties(model, [trained, zoo.tuned(model, f"{seed}-two", 0.08)], 0.2), bf16
    for p in (0.5, 0.9):
        yield f"DARE {p}", "sparse", "changes of all sizes are missing", zoo.dare(model, trained, p, f"{seed}-dare"), bf16
    yield "vocabulary grown", "vocabulary grown", "", expanded(model), bf16


def label(binary, work):
    """The kind that is written, and what is printed."""
    out = os.path.join(work, "out")
    shutil.rmtree(out, ignore_errors=True)
    folders = [f"file:{os.path.join(work, name)}" for name in ("base", "child")]
    done = subprocess.run([binary, "lineage", *folders, "-q", "--offline", "--formats", "csv", "-o", out, "--threads", "1"],
                          capture_output=True, text=True, check=True)
    if not done.stdout.startswith("LINKED"):
        sys.exit(f"not linked: {done.stdout}")
    with open(os.path.join(out, "relation.csv"), newline="", encoding="utf-8") as f:
        kinds = [row["text"] for row in csv.DictReader(f) if row["quantity"] == "kind"]
    return kinds[0] if kinds else "", re.sub(r"\s+", " ", done.stdout)


def main():
    binary, work = sys.argv[1:3]
    work = os.path.join(work, "relations")
    counts = collections.defaultdict(collections.Counter)
    for shape in SHAPES:
        for seed in SEEDS:
            model = base(shape, seed)
            zoo.save(work, "base", model)
            for name, planted, told, child, dtype in changes(model, seed):
                zoo.save(work, "child", child, dtype, "float32" if dtype == np.float32 else "bfloat16")
                kind, printed = label(binary, work)
                silent = kind in SILENT
                right = kind == planted and told in printed if planted else silent
                outcome = "right" if right else "abstained" if silent else "wrong"
                counts[name][outcome] += 1
                if outcome == "wrong":
                    print(f"WRONG {shape} seed {seed}, {name}: called {kind}: {printed}")
    total = sum(counts.values(), collections.Counter())
    for name, of in counts.items():
        print(f"{name:20} {of['right']:3} right {of['abstained']:3} abstained {of['wrong']:3} wrong")
    print(f"{sum(total.values())} changes: {total['right']} right, {total['abstained']} abstained, {total['wrong']} wrong")
    sys.exit(1 if total["wrong"] else 0)


if __name__ == "__main__":
    main()
