"""Holds tokens.csv of `embeddings --same-id` against float64 NumPy on the tables' own bytes, over the Hub and from folders.

    embeddings.py FOLDER_A FOLDER_B TENSOR hub/tokens.csv folder/tokens.csv
"""
import csv
import sys

import numpy as np

from compare import tensors

TOLERANCE = 1e-12


def numbers(a, b):
    """Cosine, its mean and deviation under permuted channels, Pearson's r and its z, row by row."""
    n = a.shape[1]
    mean_a, mean_b, sd_a, sd_b = a.mean(1), b.mean(1), a.std(1), b.std(1)
    scale = np.sqrt((a * a).mean(1) * (b * b).mean(1))
    r = ((a - mean_a[:, None]) * (b - mean_b[:, None])).mean(1) / (sd_a * sd_b)
    return {
        "cos_sim": (a * b).mean(1) / scale,
        "cos_null": mean_a * mean_b / scale,
        "cos_null_sd": sd_a * sd_b / (scale * np.sqrt(n - 1)),
        "pearson": r,
        "z_perm": r * np.sqrt(n - 1),
    }


def main(folder_a, folder_b, tensor, over_hub, over_folder):
    with open(over_hub, "rb") as hub, open(over_folder, "rb") as folder:
        assert hub.read() == folder.read(), "the Hub and the folders give different tokens"
    a, b = (tensors(folder)[tensor].astype("f8") for folder in (folder_a, folder_b))
    with open(over_folder, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def column(name):
        return np.array([float(row[name]) for row in rows])

    def at(name):
        return column(name).astype("i8")

    checked = 0
    for prefix, row_b in (("", "row_b"), ("random_", "random_row_b")):
        for name, expected in numbers(a[at("row_a")], b[at(row_b)]).items():
            if prefix + name in rows[0]:
                error = np.abs(column(prefix + name) - expected).max()
                assert error <= TOLERANCE * (20 if name == "z_perm" else 1), (prefix + name, error)
                checked += len(rows)
    assert sorted(at("random_row_b")) == sorted(at("row_b")) and (at("random_row_b") != at("row_b")).all()
    print(f"zoo: embeddings: {checked} numbers of {len(rows)} pairs of rows agree, mean cosine {column('cos_sim').mean():.6f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
