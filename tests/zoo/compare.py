"""Holds pairs.csv of comparisons against float64 NumPy and SciPy on the tensors' own bytes.

    compare.py ZOO pairs.csv...

Reads each tensor from its safetensors file with nothing but json and NumPy, and computes every metric by the functions that
make the golden values.
"""
import csv
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "fixtures"))
from metric_goldens import metrics  # noqa: E402

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "|i1", "I32": "<i4", "I64": "<i8", "U8": "|u1"}
MOST = 1 << 20  # elements; extended precision takes its time
EXACT = ("spearman", "q01_abs_diff", "q05_abs_diff", "q50_abs_diff", "q95_abs_diff", "q99_abs_diff", "abs_value_q99_gap")


def tensors(folder):
    raw = (pathlib.Path(folder) / "model.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    found = {}
    for name, info in header.items():
        start, end = (8 + length + offset for offset in info["data_offsets"])
        if info["dtype"] in DTYPES:
            found[name] = np.frombuffer(raw[start:end], DTYPES[info["dtype"]]).reshape(info["shape"])
    return found


def axes(folder):
    """The axes along which vectors of scales lie in matrices of which they fit one only."""
    found = set()
    for name, values in folder.items():
        scale = folder.get(f"{name}_scale")
        if values.dtype == np.int8 and values.ndim == 2 and scale is not None and scale.ndim == 1:
            fits = [at for at, extent in enumerate(values.shape) if extent == scale.size]
            found.update(fits if len(fits) == 1 else [])
    return found


def effective(folder, name):
    """The values that act: those of one byte times their scale, along the one axis that it fits."""
    values = folder[name].astype(np.float64)
    scale = folder.get(f"{name}_scale")
    if scale is not None and folder[name].dtype == np.int8:
        zero = folder.get(f"{name}_zero_point", np.zeros(scale.shape))
        fits = [at for at, extent in enumerate(values.shape) if extent == scale.size and scale.ndim == 1]
        if len(fits) > 1:  # the matrices that are not square show the axis
            fits = [at for at in fits if at in axes(folder)]
        shape = [scale.size if at in fits else 1 for at in range(values.ndim)]
        scale, zero = (side.astype(np.float64).reshape(shape if side.ndim == 1 else side.shape) for side in (scale, zero))
        values = ((values - zero) * scale).astype(np.float32).astype(np.float64)
    return values


def is_codes(folder, name):
    """Integers of more than one byte with scales beside them: codes, whose values no public rule gives."""
    return folder[name].dtype in (np.int32, np.int64) and f"{name}_scale" in folder


def main(zoo, paths):
    numbers = pairs = 0
    worst = {}
    for path in paths:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        name = lambda model: "/".join(model.rstrip("/").split("/")[-2:])
        sides = [tensors(pathlib.Path(zoo) / name(rows[0][side])) for side in ("model_a", "model_b")]
        for row in rows:
            if not row["numel"] or int(row["numel"]) > MOST or "fit more than one of its axes" in row["undefined"]:
                continue
            if is_codes(sides[0], row["tensor_a"]) or is_codes(sides[1], row["tensor_b"]):
                assert not row["pearson"] and "scales elements of type" in row["undefined"], row
                continue
            a, b = (effective(side, row[column]) for side, column in zip(sides, ("tensor_a", "tensor_b")))
            expected = metrics(a.ravel(), b.ravel())
            reasons = dict(part.split(":", 1) for part in row["undefined"].split(";") if part)
            pairs += 1
            for metric, value in expected.items():
                where = (path, row["tensor_a"], metric, row[metric], value)
                if isinstance(value, str):
                    assert row[metric] == "" and reasons.get(metric, reasons.get("all")) == value, where
                    continue
                got, value = float(row[metric]), float(value)
                tolerance = 1e-12 if metric in EXACT else 1e-9
                # The golden residual is made from the cosine, whose last bit is worth 1e-9 where sides are equal.
                floor = 1.0 if metric.startswith("residual") else 1e-3
                error = abs(got - value) / max(abs(value), floor)
                assert error <= tolerance, (error, *where)
                worst[metric] = max(worst.get(metric, 0.0), error)
                numbers += 1
    assert numbers > 1000, f"only {numbers} numbers could be checked"
    metric, error = max(worst.items(), key=lambda item: item[1])
    print(f"zoo: compare: {numbers} metrics of {pairs} pairs of tensors as NumPy and SciPy have them; worst {metric} {error:.1e}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
