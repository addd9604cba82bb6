#!/usr/bin/env python3
"""The test of up-projections of Zhu et al. (2025, "Independence tests for language models", statistic phi_U) in NumPy and SciPy: rows of both
matrices are assigned to each other by their cosine, and Spearman's coefficient tells whether units kept their order.

    lineage_phi.py generate DIR RHO [LAYERS]   writes DIR/a and, of the same shapes, DIR/b whose weights have correlation RHO with those of a
    lineage_phi.py test DIR [BYTES]            tests whole up-projections, of all layers or as many rows of the first as BYTES hold
"""

import json
import pathlib
import struct
import sys
import time

import numpy as np
import scipy.optimize
import scipy.stats

HIDDEN, INNER, HEAD, KEY_HEADS = 2048, 5632, 64, 4


def shapes(layers):
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        yield f"{prefix}input_layernorm.weight", (HIDDEN,)
        yield f"{prefix}self_attn.q_proj.weight", (HIDDEN, HIDDEN)
        yield f"{prefix}self_attn.k_proj.weight", (HEAD * KEY_HEADS, HIDDEN)
        yield f"{prefix}self_attn.v_proj.weight", (HEAD * KEY_HEADS, HIDDEN)
        yield f"{prefix}self_attn.o_proj.weight", (HIDDEN, HIDDEN)
        yield f"{prefix}post_attention_layernorm.weight", (HIDDEN,)
        yield f"{prefix}mlp.gate_proj.weight", (INNER, HIDDEN)
        yield f"{prefix}mlp.up_proj.weight", (INNER, HIDDEN)
        yield f"{prefix}mlp.down_proj.weight", (HIDDEN, INNER)
    yield "model.norm.weight", (HIDDEN,)


def bf16(values):
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def generate(directory, rho, layers):
    named = list(shapes(layers))
    for side in "ab":
        folder = pathlib.Path(directory) / side
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": HIDDEN, "intermediate_size": INNER,
            "num_hidden_layers": layers, "num_attention_heads": HIDDEN // HEAD, "num_key_value_heads": KEY_HEADS, "head_dim": HEAD,
            "_synthetic": "generated for a benchmark",
        }
        (folder / "config.json").write_text(json.dumps(config))
        header, end = {}, 0
        for name, shape in named:
            length = 2 * int(np.prod(shape))
            header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + length]}
            end += length
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(folder / "model.safetensors", "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for number, (_, shape) in enumerate(named):
                values = np.random.default_rng([number, 0]).standard_normal(shape, dtype=np.float32)
                if side == "b":
                    own = np.random.default_rng([number, 1]).standard_normal(shape, dtype=np.float32)
                    values = rho * values + np.sqrt(1 - rho * rho, dtype=np.float32) * own
                values = 1 + 0.1 * values if len(shape) == 1 else 0.02 * values
                out.write(bf16(values).tobytes())


def up_projections(folder, limit):
    with open(folder / "model.safetensors", "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
        for name, entry in header.items():
            if not name.endswith("up_proj.weight"):
                continue
            start, end = entry["data_offsets"]
            rows = INNER if limit is None else min(INNER, limit // (2 * HIDDEN))
            file.seek(8 + length + start)
            bits = np.frombuffer(file.read(2 * HIDDEN * rows), dtype=np.uint16)
            yield (bits.astype(np.uint32) << 16).view(np.float32).reshape(rows, HIDDEN)
            if limit is not None:
                return


def test(directory, limit):
    start = time.perf_counter()
    folders = [pathlib.Path(directory) / side for side in "ab"]
    log_p, read = 0.0, 0
    smallest = 0.0
    for a, b in zip(*(up_projections(folder, limit) for folder in folders)):
        read += 2 * a.size
        a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (a, b))
        rows, columns = scipy.optimize.linear_sum_assignment(a @ b.T, maximize=True)
        r = scipy.stats.spearmanr(rows, columns).statistic
        # Of Student's t, whose logarithm does not underflow.
        n = len(rows)
        t = r * np.sqrt((n - 2) / max(1e-300, 1 - r * r))
        log_p += scipy.stats.t.logsf(t, n - 2) / np.log(10)
        smallest = min(smallest, scipy.stats.t.logsf(t, n - 2) / np.log(10))
    print(f"{read / 1e6:.1f} MB a model, {time.perf_counter() - start:.2f} s, smallest log10 p of a layer {smallest:.1f}, sum {log_p:.1f}")


if __name__ == "__main__":
    if sys.argv[1] == "generate":
        generate(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 11)
    else:
        test(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
