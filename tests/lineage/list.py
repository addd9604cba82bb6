#!/usr/bin/env python3
"""A long list: many synthetic models with planted families among strangers, all pairs tested on one core; the families must be the
clusters, and memory is stated beside that of a quarter of the list, since it must not grow with the number of pairs.
usage: list.py BINARY WORK [MODELS]"""
import csv
import json
import os
import resource
import subprocess
import sys
import time
import zlib

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

WIDTH, INNER, LAYERS, WORDS, FAMILY = 256, 512, 6, 600, 5
CONFIG = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
              num_attention_heads=8, num_key_value_heads=4, head_dim=32, vocab_size=WORDS, tie_word_embeddings=True, torch_dtype="bfloat16")


def drawn(model, tensor, shape):
    return np.random.default_rng(zlib.crc32(f"{model}/{tensor}".encode())).standard_normal(shape, np.float32)


def shapes():
    yield "model.embed_tokens.weight", (WORDS, WIDTH)
    yield "model.norm.weight", (WIDTH,)
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        yield f"{at}.mlp.up_proj.weight", (INNER, WIDTH)
        yield f"{at}.self_attn.v_proj.weight", (128, WIDTH)
        yield f"{at}.self_attn.q_proj.weight", (256, WIDTH)
        for norm in ("input", "post_attention"):
            yield f"{at}.{norm}_layernorm.weight", (WIDTH,)


def write(folder, number, first):
    """A model of its own, or one that keeps most of model `first`, the more of it the lower its number."""
    tensors = {}
    for name, shape in shapes():
        values = drawn(number, name, shape)
        if number != first:
            share = 0.95 - 0.1 * (number - first)
            values = share * drawn(first, name, shape) + np.sqrt(1 - share * share) * values
        values = 1 + 0.1 * values if len(shape) == 1 else 0.02 * values
        tensors[name] = values.astype(ml_dtypes.bfloat16)
    os.makedirs(folder)
    save_file(tensors, os.path.join(folder, "model.safetensors"))
    pieces = {f"\u0120word{id}": id for id in range(WORDS)}
    tokenizer = dict(added_tokens=[], pre_tokenizer=dict(type="ByteLevel"), model=dict(type="BPE", vocab=pieces, merges=[]))
    for file, content in (("config.json", CONFIG), ("tokenizer.json", tokenizer)):
        with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
            json.dump(content, f)


def run(binary, work, names):
    """Seconds and peak in MiB of the run over these models, and its folder."""
    listed, out = os.path.join(work, f"list-{len(names)}.txt"), os.path.join(work, f"out-{len(names)}")
    with open(listed, "w", encoding="utf-8") as f:
        f.writelines(f"file:{os.path.join(work, 'models', name)}\n" for name in names)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        command = [binary, "lineage", "--models", listed, "-o", out, "--formats", "csv,json,md", "-q", "--threads", "1", "--offline"]
        os.dup2(os.open(os.path.join(work, "said.txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.execv(command[0], command)
    _, status, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"lineage: status {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime, out


def clusters(out, names):
    """Connected components of linked models, of two or more."""
    group = {name: name for name in names}
    with open(os.path.join(out, "lineage.csv"), newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if row["scope"] == "pair" and row["sign"] == "linked":
                a, b = (group[os.path.basename(row[side])] for side in ("model_a", "model_b"))
                group = {name: min(a, b) if of in (a, b) else of for name, of in group.items()}
    found = [sorted(name for name in names if group[name] == of) for of in set(group.values())]
    return sorted(members for members in found if len(members) > 1)


def main():
    binary, work = os.path.realpath(sys.argv[1]), sys.argv[2]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    names = [f"m{number:03}" for number in range(count)]
    # Every fourth run of models is a family.
    first = {n: n - n % FAMILY if n // FAMILY % 4 == 0 else n for n in range(count)}
    for number, name in enumerate(names):
        if not os.path.isdir(os.path.join(work, "models", name)):
            write(os.path.join(work, "models", name), number, first[number])
    failed = False
    for part in (names[: count // 4], names):
        seconds, peak, cpu, out = run(binary, work, part)
        planted = {}
        for number, name in enumerate(part):
            planted.setdefault(first[number], []).append(name)
        planted = sorted(members for members in planted.values() if len(members) > 1)
        right = clusters(out, part) == planted
        failed |= not right
        pairs = len(part) * (len(part) - 1) // 2
        print(f"{len(part)} models, {pairs} pairs: {seconds:.0f} s, {cpu:.0f} s of processor time, peak {peak:.0f} MiB, "
              f"{len(planted)} families {'are the clusters' if right else 'are NOT the clusters'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
