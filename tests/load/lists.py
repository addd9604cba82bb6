#!/usr/bin/env python3
"""Makes COUNT model folders with random norms below FOLDER and a list of them; needs nothing but Python.

    lists.py FOLDER COUNT [WIDTH,... [LAYERS]]

With several widths the models take turns. Then: hub-audit survey --models FOLDER/list.txt --layers 0 -o OUT
"""
import json
import pathlib
import random
import struct
import sys


def bf16(values):
    return b"".join(struct.pack("<f", value)[2:] for value in values)


def main(folder, count, widths="64", layers="1"):
    folder, widths, layers = pathlib.Path(folder), [int(width) for width in widths.split(",")], int(layers)
    lines = []
    for number in range(int(count)):
        width, draw = widths[number % len(widths)], random.Random(number)
        header, data = {}, b""
        names = [f"model.layers.{layer}.{norm}_layernorm.weight" for layer in range(layers) for norm in ("input", "post_attention")]
        for name in [*names, "model.norm.weight"]:
            values = bf16(draw.gauss(1.0, 0.1) for _ in range(width))
            header[name] = {"dtype": "BF16", "shape": [width], "data_offsets": [len(data), len(data) + len(values)]}
            data += values
        text = json.dumps(header).encode()
        model = folder / f"model-{number:04}"
        model.mkdir(parents=True, exist_ok=True)
        (model / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
        config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width, "num_hidden_layers": layers}
        (model / "config.json").write_text(json.dumps(config))
        lines.append(f"{model.resolve()} label=m{number:04}\n")
    (folder / "list.txt").write_text("".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
