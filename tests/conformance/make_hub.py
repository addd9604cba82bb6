#!/usr/bin/env python3
"""Writes the folder that the conformance checks are run against: python3 make_hub.py DIR

Only the standard library: the checkpoints are made here byte by byte, so that the judge of the server shares no code with it.
"""

import json
import pathlib
import random
import struct
import sys

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAMES = ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"] + [
    f"model.layers.{layer}.{name}.weight"
    for layer in range(4)
    for name in ("input_layernorm", "post_attention_layernorm", "self_attn.q_proj", "mlp.up_proj")
]


def bf16(random_numbers, count, mean, spread):
    """Little-endian BF16 (the upper half of a float) of `count` normal numbers."""
    floats = (random_numbers.gauss(mean, spread) for _ in range(count))
    return b"".join(struct.pack("<f", value)[2:] for value in floats)


def safetensors(names, seed):
    numbers = random.Random(seed)
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(names):
        norm = "norm" in name
        shape = [64] if norm else [128, 64]
        count = 64 if norm else 128 * 64
        bytes_of = bf16(numbers, count, 0.5 if norm else 0.0, 0.05)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [len(data), len(data) + len(bytes_of)]}
        data += bytes_of
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def heavy():
    """One matrix of 12 MB, which is more than is read of a server that sends whole files for ranges."""
    count = 6 * 1024 * 1024
    header = {"model.embed_tokens.weight": {"dtype": "BF16", "shape": [count // 64, 64], "data_offsets": [0, 2 * count]}}
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + bytes(2 * count)


def chunks():
    """Content that is cut in every way: too small, random, constant, repeated, edited, and more than a block holds."""
    numbers = random.Random(4)
    some, more = numbers.randbytes(3_000_000), numbers.randbytes(400_000)
    edited = bytearray(some)
    for place in range(100_000, len(edited), 100_000):
        edited[place] ^= 1
    return {
        "byte.safetensors": b"\0",
        "words.safetensors": b"hello world",
        "smallest.safetensors": some[:8192],
        "smallest-1.safetensors": some[:8191],
        "smallest+1.safetensors": some[:8193],
        "largest.safetensors": some[:131072],
        "largest+1.safetensors": some[:131073],
        "random.safetensors": some,
        "zeros.safetensors": bytes(1_000_000),
        "constant.safetensors": b";" * 1_000_000,
        "twice.safetensors": more * 2,
        "blocks.safetensors": numbers.randbytes(70 << 20),
    }, {
        "edited.safetensors": bytes(edited),
        "inserted.safetensors": some[:1_000_000] + more + some[1_000_000:],
        "reordered.safetensors": some[2_000_000:] + some[1_000_000:2_000_000] + more + some[:1_000_000],
    }


def write(root, repo, files, part=None):
    for path, content in files.items():
        target = root / repo / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else json.dumps(content, indent=2).encode())
    if part is not None:
        (root / repo / ".hub.json").write_text(json.dumps(part))


def main():
    root = pathlib.Path(sys.argv[1])
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4,
              "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 128}
    whole = {"config.json": config, "README.md": b"# tiny\n", "model.safetensors": safetensors(NAMES, 1)}
    half = len(NAMES) // 2
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    weight_map = {name: shards[index >= half] for index, name in enumerate(NAMES)}
    sharded = {
        "config.json": config,
        "model.safetensors.index.json": {"metadata": {"total_size": 0}, "weight_map": weight_map},
        shards[0]: safetensors(NAMES[:half], 2),
        shards[1]: safetensors(NAMES[half:], 3),
        "onnx/sub/empty.txt": b"",
        "onnx/a b.txt": b"a name with a space",
    }
    pinned = {"refs": {"main": COMMIT, "refs/pr/1": ""}}
    write(root, "acme/tiny", whole, pinned)
    write(root, "acme/sharded", sharded, pinned | {"renamed_from": ["acme/before"], "tags": ["license:mit"]})
    write(root, "acme/gated", whole, pinned | {"gated": "manual"})
    write(root, "acme/private", whole, pinned | {"private": True})
    write(root, "acme/many", {f"file-{n:04}.txt": b"" for n in range(1100)}, pinned)
    write(root, "acme/disabled", whole, {"disabled": True})
    write(root, "legacy", whole, pinned)
    first, again = chunks()
    write(root, "acme/chunks", {"config.json": config} | first, pinned)
    write(root, "acme/again", {"config.json": config} | again, pinned)
    write(root, "acme/heavy", {"config.json": config, "model.safetensors": heavy()}, pinned)


if __name__ == "__main__":
    main()
