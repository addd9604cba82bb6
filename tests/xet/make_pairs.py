#!/usr/bin/env python3
"""Writes pairs of checkpoints of 98 tensors and 227 MB as folders that `hub-audit serve` takes: make_pairs.py DIR

Each pair is a folder DIR/NAME with o/base and o/other; two who upload them share storage only as far as the index of all uploads tells
(`serve --xet indexed`).

- metadata: the same tensors in the same order behind other metadata
- tuned: 4 of 12 layers are others, so that 66 tensors are equal
- reordered: the same tensors in another order
- bit: one byte of each tensor is another, so that none is equal
"""

import json
import os
import pathlib
import sys

import numpy as np

LAYERS, WIDTH, INNER, ROWS = 12, 768, 3072, 36_900


def bf16(rng, shape, mean=0.0):
    """Normal numbers, cut to the upper half of a float32."""
    values = rng.standard_normal(shape, dtype=np.float32) * np.float32(0.02) + np.float32(mean)
    return (values.view(np.uint32) >> 16).astype("<u2")


def layer(number, seed):
    rng = np.random.default_rng([seed, number])
    parts = [(f"self_attn.{part}_proj", (WIDTH, WIDTH)) for part in "qkvo"]
    parts += [("mlp.up_proj", (INNER, WIDTH)), ("mlp.down_proj", (WIDTH, INNER))]
    tensors = {f"model.layers.{number}.{part}.weight": bf16(rng, shape) for part, shape in parts}
    for norm in ("input_layernorm", "post_attention_layernorm"):
        tensors[f"model.layers.{number}.{norm}.weight"] = bf16(rng, (WIDTH,), 1.0)
    return tensors


def base(changed=()):
    rng = np.random.default_rng(0)
    tensors = {"model.embed_tokens.weight": bf16(rng, (ROWS, WIDTH))}
    for number in range(LAYERS):
        tensors |= layer(number, 2 if number in changed else 1)
    tensors["model.norm.weight"] = bf16(rng, (WIDTH,), 1.0)
    return tensors


def reordered(tensors):
    names = list(tensors)
    np.random.default_rng(3).shuffle(names)
    return {name: tensors[name] for name in names}


def with_one_byte_each(tensors):
    rng = np.random.default_rng(4)
    for values in tensors.values():
        flat = values.reshape(-1)
        flat[rng.integers(flat.size)] ^= 1
    return tensors


def write(folder, tensors, metadata):
    folder.mkdir(parents=True, exist_ok=True)
    header, end = {"__metadata__": metadata}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [end, end + values.nbytes]}
        end += values.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in tensors.values():
            file.write(values.tobytes())
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": LAYERS, "hidden_size": WIDTH}
    (folder / "config.json").write_text(json.dumps(config))


PAIRS = {
    "metadata": lambda: (base(), {"format": "pt", "written_by": "another"}),
    "tuned": lambda: (base(changed=(2, 5, 8, 11)), {"format": "pt"}),
    "reordered": lambda: (reordered(base()), {"format": "pt"}),
    "bit": lambda: (with_one_byte_each(base()), {"format": "pt"}),
}


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    write(root / "base", base(), {"format": "pt"})
    for name, make in PAIRS.items():
        write(root / name / "o/other", *make())
        (root / name / "o/base").mkdir(parents=True, exist_ok=True)
        for file in ("model.safetensors", "config.json"):
            link = root / name / "o/base" / file
            link.unlink(missing_ok=True)
            os.link(root / "base" / file, link)
