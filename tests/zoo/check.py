"""Holds pairs.csv of a survey against the zoo's truth: cosine, Pearson and relative L2 of every norm of every pair.

    check.py truth.json over-hub/pairs.csv over-folders/pairs.csv
"""
import csv
import json
import sys

TOLERANCE = 1e-6  # the truth is rounded to six decimals


def read(path):
    """(a, b, layer) -> row, by the last two parts of the model's name, so that a folder and a repository agree."""
    rows = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["tensor_a"] and row["tensor_b"]:
                name = lambda side: "/".join(row[side].rstrip("/").split("/")[-2:])
                rows[name("model_a"), name("model_b"), int(row["layer_a"])] = row
    return rows


def main(truth_path, hub_path, folder_path):
    with open(truth_path, encoding="utf-8") as file:
        truth = json.load(file)
    over_hub, over_folders = read(hub_path), read(folder_path)
    present = {name for pair in over_hub for name in pair[:2]}
    checked = 0
    for pair in truth["pairs"]:
        a, b = pair["a"], pair["b"]
        if a not in present or b not in present:
            continue
        for layers in pair["norm"].values():
            for layer in range(len(layers["cosine"])):
                for rows in (over_hub, over_folders):
                    forward = (a, b, layer) in rows
                    row = rows[(a, b, layer) if forward else (b, a, layer)]
                    # The truth divides by the norm of the second-named model.
                    rel_l2 = "rel_l2_err_b" if forward else "rel_l2_err"
                    for metric, column in (("cosine", "cos_sim"), ("pearson", "pearson"), ("rel_l2", rel_l2)):
                        expected, got = layers[metric][layer], float(row[column])
                        assert abs(expected - got) <= TOLERANCE, (a, b, layer, metric, expected, got)
                        checked += 1
    assert checked > 500, f"only {checked} numbers could be checked"
    metrics = [name for name in next(iter(over_hub.values())) if not name.startswith(("model_", "commit_"))]
    assert over_hub.keys() == over_folders.keys()
    for key, row in over_hub.items():
        for name in metrics:
            assert row[name] == over_folders[key][name], (key, name, row[name], over_folders[key][name])
    print(f"zoo: {checked} numbers within {TOLERANCE} of NumPy, {len(over_hub)} pairs equal from Hub and folders")


if __name__ == "__main__":
    main(*sys.argv[1:])
