"""Two real nets that were trained apart from one random start: the encoders of `tok2vec` and `ner` in the wheel of spaCy's Spanish pipeline
(MIT licence of spaCy, GPL 3 of the pipeline's data; its weights are read, never stored). `lineage` must link them, and must say that a
shared seed gives that too; the same net against one whose rows are in another order must not be linked by index.

    same_seed.py BINARY WHEEL WORK

Each encoder has four maxout layers W of shape (96, 3, 288), whose 288 rows are written as up-projections under Llama's names, no value
changed: no family names them. The correlation of each layer is worked out in NumPy beside it.
"""
import csv
import io
import json
import os
import subprocess
import sys
import zipfile

import msgpack
import msgpack_numpy
import numpy as np
from safetensors.numpy import save_file


def maxout_layers(model):
    """The weights of every maxout layer that reads its neighbours, (96, 3, 288), in order."""
    for params in msgpack.unpackb(model, object_hook=msgpack_numpy.decode, strict_map_key=False, raw=False)["params"]:
        weight = params.get("W")
        if weight is not None and weight.shape == (96, 3, 288):
            yield np.ascontiguousarray(weight.reshape(288, 288))


def write(folder, layers):
    os.makedirs(folder)
    save_file({f"model.layers.{i}.mlp.up_proj.weight": rows for i, rows in enumerate(layers)}, os.path.join(folder, "model.safetensors"))
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=288, intermediate_size=288, num_hidden_layers=len(layers),
                  num_attention_heads=4)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)


def lineage(binary, work, name, a, b):
    out = os.path.join(work, name)
    run = subprocess.run([binary, "lineage", a, b, "--formats", "csv,md", "-o", out, "--cache-dir", os.path.join(work, "cache")],
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    with open(os.path.join(out, "lineage.csv"), newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    with open(os.path.join(out, "REPORT.md"), encoding="utf-8") as f:
        report = f.read()
    verdict = next(row["sign"] for row in rows if row["scope"] == "pair")
    mlp = next(row for row in rows if row["scope"] == "group" and row["group"] == "mlp")
    return verdict, float(mlp["z"]), float(mlp["rho"]), report


def main():
    binary, wheel, work = sys.argv[1:]
    work = os.path.join(work, "same-seed")
    archive = zipfile.ZipFile(wheel)
    nets = {}
    for part in ("tok2vec", "ner"):
        path = next(name for name in archive.namelist() if name.endswith(f"/{part}/model"))
        nets[part] = list(maxout_layers(io.BytesIO(archive.read(path)).read()))
        assert len(nets[part]) == 4, (part, len(nets[part]))
        write(os.path.join(work, part), nets[part])
    known = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(nets["tok2vec"], nets["ner"])]
    assert min(known) > 0.2, known
    random = np.random.default_rng(1)
    write(os.path.join(work, "reordered"), [rows[random.permutation(len(rows))] for rows in nets["ner"]])

    of = {part: os.path.join(work, part) for part in ("tok2vec", "ner", "reordered")}
    verdict, z, rho, report = lineage(binary, work, "out", of["tok2vec"], of["ner"])
    assert verdict == "linked", verdict
    assert "seed" in report, "the report does not name a shared seed among the alternatives"
    other, other_z, _, _ = lineage(binary, work, "out-reordered", of["tok2vec"], of["reordered"])
    assert other != "linked" and abs(other_z) < 5, (other, other_z)
    print(f"same seed: spaCy's tok2vec and ner (r of their layers {', '.join(f'{r:.3f}' for r in known)}): {verdict}, z {z:.1f}, rho {rho:.3f}; "
          f"with the rows of one reordered: {other}, z {other_z:.1f}")


if __name__ == "__main__":
    main()
