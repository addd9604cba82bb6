#!/usr/bin/env python3
"""The metrics of `hub-audit compare` in NumPy and SciPy, as notebooks compute them: one tensor after the other, in float32, with
quantiles and Spearman's rank correlation from a sample of a million elements.

    numpy_compare.py generate DIR [BYTES]   writes two BF16 checkpoints, DIR/a and DIR/b, the second a tuned copy of the first
    numpy_compare.py compare DIR            compares them and prints one line of CSV per tensor
"""

import json
import pathlib
import struct
import sys

import numpy as np

SAMPLE = 1_000_000
HIDDEN, INNER, KEYS, VOCABULARY = 4096, 14336, 1024, 16384


def shapes(size):
    """Names and shapes as a Llama-like model has them, until there are `size` bytes."""
    yield "model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    held = 2 * VOCABULARY * HIDDEN
    layer = 0
    while held < size:
        prefix = f"model.layers.{layer}."
        for name, shape in [
            ("input_layernorm", (HIDDEN,)),
            ("self_attn.q_proj", (HIDDEN, HIDDEN)),
            ("self_attn.k_proj", (KEYS, HIDDEN)),
            ("self_attn.v_proj", (KEYS, HIDDEN)),
            ("self_attn.o_proj", (HIDDEN, HIDDEN)),
            ("post_attention_layernorm", (HIDDEN,)),
            ("mlp.gate_proj", (INNER, HIDDEN)),
            ("mlp.up_proj", (INNER, HIDDEN)),
            ("mlp.down_proj", (HIDDEN, INNER)),
        ]:
            yield f"{prefix}{name}.weight", shape
            held += 2 * int(np.prod(shape))
        layer += 1


def to_bf16(values):
    """Rounded to nearest, ties to even."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def generate(folder, size):
    tensors = list(shapes(size))
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        end = at + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    config = {"model_type": "llama", "hidden_size": HIDDEN, "num_hidden_layers": sum("q_proj" in n for n, _ in tensors)}
    files = []
    for side in "ab":
        path = folder / side
        path.mkdir(parents=True, exist_ok=True)
        (path / "config.json").write_text(json.dumps(config))
        files.append(open(path / "model.safetensors", "wb"))
        files[-1].write(struct.pack("<Q", len(text)) + text)
    random = np.random.default_rng(0)
    for name, shape in tensors:
        mean, sd = (1.0, 0.1) if len(shape) == 1 else (0.0, 0.02)
        for _ in range(shape[0] if len(shape) > 1 else 1):
            row = random.normal(mean, sd, shape[-1])
            tuned = row + random.normal(0.0, 0.05 * sd, row.shape)
            files[0].write(to_bf16(row).tobytes())
            files[1].write(to_bf16(tuned).tobytes())
    for file in files:
        file.close()


def tensors_of(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    data = np.memmap(path, np.uint8, "r", 8 + length)
    return {name: data[slice(*entry["data_offsets"])].view("<u2") for name, entry in header.items()}


def metrics(a, b, random):
    from scipy.stats import spearmanr

    a, b = from_bf16(a), from_bf16(b)
    gap = np.abs(a - b)
    size = np.maximum(np.abs(a), np.abs(b))
    held = size > 0
    norm_a, norm_b, distance = np.linalg.norm(a), np.linalg.norm(b), np.linalg.norm(a - b)
    centred_a, centred_b = a - a.mean(), b - b.mean()
    relative = gap[held] / size[held]
    result = {
        "cos_sim": np.dot(a, b) / (norm_a * norm_b),
        "pearson": np.dot(centred_a, centred_b) / (np.linalg.norm(centred_a) * np.linalg.norm(centred_b)),
        "rel_l2_err": distance / norm_a,
        "mean_abs_diff": gap.mean(),
        "max_abs_diff": gap.max(),
        "mean_rel_diff": relative.mean(),
        "max_rel_diff": relative.max(),
        "norm_ratio": norm_b / norm_a,
        "mean_ratio": b.mean() / a.mean(),
        "std_ratio": b.std() / a.std(),
        "zero_frac_a": np.mean(a == 0),
        "zero_frac_b": np.mean(b == 0),
        "changed_frac": np.mean(a != b),
    }
    if a.size > SAMPLE:
        sample = random.integers(0, a.size, SAMPLE)
        a, b, gap = a[sample], b[sample], gap[sample]
    result |= {f"q{q:02}_abs_diff": v for q, v in zip((1, 5, 50, 95, 99), np.quantile(gap, (0.01, 0.05, 0.5, 0.95, 0.99)))}
    result["spearman"] = spearmanr(a, b).statistic
    return result


def compare(folder):
    a, b = (tensors_of(folder / side / "model.safetensors") for side in "ab")
    random = np.random.default_rng(0)
    for index, name in enumerate(a):
        found = metrics(a[name], b[name], random)
        if index == 0:
            print("tensor", *found, sep=",")
        print(name, *found.values(), sep=",")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["generate", folder, *size]:
            generate(pathlib.Path(folder), int(size[0]) if size else 1_000_000_000)
        case ["compare", folder]:
            compare(pathlib.Path(folder))
        case _:
            sys.exit(__doc__)
