#!/usr/bin/env python3
"""Reads reports with pandas and a JSON Schema validator, and compares each CSV with the table of its name in the JSON.
usage: read.py SCHEMA FOLDER..."""
import json
import os
import sys

import jsonschema
import numpy as np
import pandas as pd


def same(of_csv, of_json):
    """Whether a column holds the same in both: numbers as numbers, text as text, what is absent absent."""
    if len(of_csv) != len(of_json):
        return False
    for a, b in zip(of_csv, of_json):
        if isinstance(b, dict):
            b = ";".join(f"{name}:{reason}" for name, reason in b.items())
        if pd.isna(a) or b is None:
            if not (pd.isna(a) and b is None):
                return False
        elif isinstance(b, (int, float)) and not isinstance(b, bool):
            if float(a) != float(b):
                return False
        elif str(a).lstrip("'") != str(b).lstrip("'"):
            return False
    return True


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        validator = jsonschema.Draft202012Validator(json.load(f))
    files = columns = 0
    for folder in sys.argv[2:]:
        with open(os.path.join(folder, "report.json"), encoding="utf-8") as f:
            report = json.load(f)
        fault = jsonschema.exceptions.best_match(validator.iter_errors(report))
        if fault:
            sys.exit(f"{folder}: {fault.json_path}: {fault.message[:300]}")
        for name in sorted(name for name in os.listdir(folder) if name.endswith(".csv")):
            files += 1
            stem = name.removesuffix(".csv")
            if name.startswith("matrix_"):
                matrix = report["matrices"][stem]
                read = pd.read_csv(os.path.join(folder, name), index_col=0, float_precision="round_trip")
                values = np.array([row["values"] for row in matrix["rows"]], dtype=float)
                if not np.array_equal(read.to_numpy(dtype=float), values, equal_nan=True):
                    sys.exit(f"{folder}/{name} is not the matrix of the JSON")
                continue
            # A model may be called `None` or `NA`.
            read = pd.read_csv(os.path.join(folder, name), keep_default_na=False, na_values=[""], float_precision="round_trip")
            table = report[stem]
            # A survey's JSON has pairs of unequal shapes by model alone.
            if stem == "pairs" and "not_compared" in report:
                read = read[~read["undefined"].fillna("").str.startswith("all:")]
            for column in read.columns:
                columns += 1
                if not same(read[column].tolist(), [row.get(column) for row in table]):
                    sys.exit(f"{folder}/{name}: column {column} is not that of the JSON")
    print(f"{len(sys.argv) - 2} reports, {files} CSV files, {columns} columns: as the schema says, and the same in CSV and JSON")


if __name__ == "__main__":
    main()
