"""Holds layers.csv and pairs.csv of `layers` against the zoo's truth: mean and standard deviation of every first norm, and
cosine and Pearson of layer 0 with the later layers and of each layer with the next.

    within.py truth.json DIR
"""
import csv
import json
import os
import sys

TOLERANCE = 1e-6  # the truth is rounded to six decimals


def read(folder, name):
    with open(os.path.join(folder, name), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main(truth_path, folder):
    with open(truth_path, encoding="utf-8") as file:
        truth = json.load(file)["within"]
    layers = {(row["model"], int(row["layer"])): row for row in read(folder, "layers.csv")}
    pairs = {(row["model_a"], int(row["layer_a"]), int(row["layer_b"])): row for row in read(folder, "pairs.csv")}
    assert all(row["model_a"] == row["model_b"] for row in pairs.values())
    checked = 0

    def hold(row, column, expected, what):
        nonlocal checked
        got = float(row[column])
        assert abs(expected - got) <= TOLERANCE, (what, column, expected, got)
        checked += 1

    for model in sorted({model for model, _ in layers}):
        (expected,) = truth[model].values()
        count = len(expected["mean"])
        assert sum(name == model for name, _ in layers) == count, model
        assert sum(name == model for name, _, _ in pairs) == count * (count - 1) // 2, model
        for layer in range(count):
            hold(layers[model, layer], "mean", expected["mean"][layer], (model, layer))
            hold(layers[model, layer], "sd", expected["std"][layer], (model, layer))
        for name, column in (("cosine", "cos_sim"), ("pearson", "pearson")):
            for layer in range(count - 1):
                baseline = expected[f"layer0_vs_others_{name}"][layer]
                hold(pairs[model, 0, layer + 1], column, baseline, (model, 0, layer + 1))
                adjacent = expected[f"adjacent_{name}"][layer]
                hold(pairs[model, layer, layer + 1], column, adjacent, (model, layer, layer + 1))
    assert checked > 200, f"only {checked} numbers could be checked"
    print(f"zoo: {checked} numbers between layers of one model within {TOLERANCE} of NumPy")


if __name__ == "__main__":
    main(*sys.argv[1:])
