#!/usr/bin/env python3
"""How often a layer map finds a match between unrelated models: 64 strangers of two depths with structured weights, all 2,016 pairs
mapped; the share of pairs whose smallest adjusted p is at most .05 and .01, and the same of the exact test of a path. Neither may be
above its level by more than three standard errors. usage: false_positives.py BINARY WORK [MODELS]"""
import csv
import json
import os
import subprocess
import sys
import time

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "lineage"))
import synth

WIDTH, INNER, DEPTHS = 128, 256, (6, 8)
LEVELS = (0.05, 0.01)


def write(folder, number):
    rng = np.random.default_rng(number)
    basis, depth, tensors = synth.Basis(rng, WIDTH), DEPTHS[number % 2], {}
    norms = synth.norms(rng, basis, depth)
    for layer in range(depth):
        at = f"model.layers.{layer}"
        tensors[f"{at}.mlp.up_proj.weight"] = 0.02 * synth.rows(rng, basis, INNER)
        tensors[f"{at}.input_layernorm.weight"] = norms[layer]
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=depth,
                  num_attention_heads=4, num_key_value_heads=4, torch_dtype="bfloat16")
    os.makedirs(folder)
    save_file({name: values.astype(ml_dtypes.bfloat16) for name, values in tensors.items()}, os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)


def smallest(path, wanted, column):
    """For each pair its smallest value in a column."""
    found = {}
    with open(path, newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if row["model_a"] != row["model_b"] and row[column] and wanted(row):
                pair = row["model_a"], row["model_b"]
                found[pair] = min(found.get(pair, 1.0), float(row[column]))
    return list(found.values())


def main():
    binary, work = sys.argv[1:3]
    count, folders = int(sys.argv[3]) if len(sys.argv) > 3 else 64, []
    for number in range(count):
        folders.append(os.path.join(work, "strangers", f"s{number:02}"))
        if not os.path.isdir(folders[-1]):
            write(folders[-1], number)
    listed, out, began = os.path.join(work, "strangers.txt"), os.path.join(work, "maps"), time.monotonic()
    with open(listed, "w", encoding="utf-8") as f:
        f.writelines(f"file:{folder}\n" for folder in folders)
    subprocess.run([binary, "lineage", "--models", listed, "--group", "mlp", "--layer-map", "-o", out, "--formats", "csv", "-q", "--offline"],
                   check=True, stdout=subprocess.DEVNULL)
    maps = smallest(os.path.join(out, "layer_map.csv"), lambda row: True, "p_adjusted")
    paths = smallest(os.path.join(out, "lineage.csv"), lambda row: row["scope"] == "group", "p")
    failed = len(maps) != count * (count - 1) // 2
    for what, p in (("a match in the map", maps), ("the test of units or of a path", paths)):
        rates = [np.mean(np.array(p) <= level) for level in LEVELS]
        failed |= any(rate > level + 3 * np.sqrt(level * (1 - level) / len(p)) for rate, level in zip(rates, LEVELS))
        print(f"{len(p)} unrelated pairs, {what}: {rates[0]:.4f} at .05, {rates[1]:.4f} at .01")
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
