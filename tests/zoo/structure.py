"""Holds structure.csv of `layers` against float64 NumPy and SciPy on the tensors' own bytes: the raw test of neighbouring
layers, effective ranks, norms and alignments, each with its null.

    structure.py ZOO structure.csv [REGEX structure.csv]...

The first file is of `--role all --biases --effective-rank` with every alignment, on any folders of the zoo; the others are of
`--tensor REGEX --effective-rank`. Which rows there must be, with a value or without, follows from the names and dtypes in the
safetensors files. Residuals are norms of differences, and alignments turn the very matrices by SciPy's rotation, so that
nothing is worked out in the way of the tool.
"""
import collections
import csv
import json
import pathlib
import re
import sys

import numpy as np
from scipy.integrate import quad
from scipy.linalg import orthogonal_procrustes

from compare import effective, tensors

TOLERANCE = 1e-9  # of the value, or of FLOOR where it is nearer to zero
FLOOR = 1e-3
SHOWN = 5
RAW = ("cos_sim", "residual", "residual_scaled")
SPECTRAL = ("effective_rank", "spectral_entropy")
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")

# Of each model_type: what stands before a role, what before a layer's number, and the modules in it.
FAMILIES = {
    "bert": (
        "",
        "encoder.layer.",
        {
            "q_proj": "attention.self.query",
            "k_proj": "attention.self.key",
            "v_proj": "attention.self.value",
            "o_proj": "attention.output.dense",
            "attn_output_norm": "attention.output.LayerNorm",
            "up_proj": "intermediate.dense",
            "down_proj": "output.dense",
            "mlp_output_norm": "output.LayerNorm",
        },
    ),
    "whisper": (
        "encoder_",
        "encoder.layers.",
        {
            "q_proj": "self_attn.q_proj",
            "k_proj": "self_attn.k_proj",
            "v_proj": "self_attn.v_proj",
            "o_proj": "self_attn.out_proj",
            "input_layernorm": "self_attn_layer_norm",
            "up_proj": "fc1",
            "down_proj": "fc2",
            "post_attention_layernorm": "final_layer_norm",
        },
    ),
}


class Reason(str):
    """What the reason must say where there is no value, as a pattern."""


# With scales that fit one axis, or that may be meant for either.
QUANTISED = Reason("with scales beside it|is quantised|scales elements of type|fit more than one")


def unit(values):
    return values / np.linalg.norm(values)


def residual(cosine):
    return np.sqrt(2 - 2 * cosine)


def raw(a, b):
    """Quantities of a pair of one role, each with its null: the cosine's is its mean when elements are permuted."""
    cosine = (unit(a) * unit(b)).sum()
    null = a.mean() * b.mean() / np.sqrt((a * a).mean() * (b * b).mean())
    found = {
        "cos_sim": (cosine, null),
        "residual": (np.linalg.norm(unit(b) - unit(a)), residual(null)),
        "residual_scaled": (np.linalg.norm(unit(b) - cosine * unit(a)), np.sqrt(1 - null * null)),
    }
    if a.ndim == 2:
        energies = np.linalg.svd(unit(b) - unit(a), compute_uv=False) ** 2
        shares = energies[energies > 0] / energies.sum()
        entropy = -(shares * np.log(shares)).sum()
        # Page's mean entropy of unrelated matrices.
        small, large = sorted(a.shape)
        null = np.log(small) - small / (2 * large)
        found["effective_rank"] = (np.exp(entropy), np.exp(null))
        found["spectral_entropy"] = (entropy, null)
    return found


def overlap(y):
    """Expected cosine of unrelated matrices after the best rotation, y the columns that share it over its rows:
    from 16 on the published (8/3π)/√y, below it the integral itself, where that is too rough."""
    if y >= 16:
        return 8 / (3 * np.pi) / np.sqrt(y)
    return 2 / np.pi * quad(lambda phi: np.sqrt((1 - phi) / phi) * (1 - y * phi), 0, min(1, 1 / y))[0]


def aligned(a, b, heads):
    """Residuals of matrices whose heads are rows and turn together: as they are, then turned, all together and one by one."""
    a, b = [unit(x) for x in a], [unit(x) for x in b]
    width = len(a[0]) // heads
    turned = [np.empty_like(x) for x in a]
    for head in range(heads):
        rows = slice(head * width, (head + 1) * width)
        # SciPy's rotation acts from the right.
        side = lambda matrices: np.hstack([x[rows] for x in matrices]).T
        rotation, _ = orthogonal_procrustes(side(a), side(b))
        for x, y in zip(a, turned):
            y[rows] = rotation.T @ x[rows]
    differences = lambda matrices: np.array([np.linalg.norm(y - x) for x, y in zip(matrices, b)])
    mean = lambda residuals: np.sqrt((residuals**2).mean())
    null = residual(overlap(len(a) * a[0].shape[1] / width))
    return mean(differences(a)), mean(differences(turned)), differences(turned), null


def alignments(roles, pair, heads):
    """Rows of both alignments of attention: in `heads` all four share a rotation, in `attention` q with k and v with o."""
    sides = [[x.T if role.endswith("o_proj") else x for role, x in zip(roles, side)] for side in pair]
    for quantity, start, end in (("aligned_heads", 0, 4), ("aligned_attention", 0, 2), ("aligned_attention", 2, 4)):
        before, joint, each, null = aligned(*(side[start:end] for side in sides), heads)
        together = "+".join(roles[start:end])
        yield together, "residual", (before, np.sqrt(2))
        yield together, quantity, (joint, null)
        for role, value in zip(roles[start:end], each):
            yield role, quantity, (value, null)


def along(role, layers):
    """Rows of one role, given its tensor in every layer."""
    assert sorted(layers) == list(range(len(layers))) and len(layers) > 1, (role, sorted(layers))
    floats = all(values.dtype.kind == "f" for values in layers.values())
    layers = [layers[layer].astype(np.float64) for layer in range(len(layers))]
    for layer, values in enumerate(layers):
        yield (role, layer, None, "frobenius_norm"), (np.linalg.norm(values), None) if floats else QUANTISED
    for layer, (a, b) in enumerate(zip(layers, layers[1:])):
        found = raw(a, b) if floats else dict.fromkeys(RAW if a.ndim == 1 else (*RAW, *SPECTRAL), QUANTISED)
        for quantity, both in found.items():
            yield (role, layer, layer + 1, quantity), both


def readable(folder):
    """The tensors of a model, codes of one byte times their scales."""
    stored = tensors(folder)
    scaled = {name for name, values in stored.items() if values.dtype == np.int8 and f"{name}_scale" in stored}
    return {name: effective(stored, name) if name in scaled else values for name, values in stored.items()}


def by_name(folder, regex):
    """The rows of a model whose tensors were chosen by name."""
    matches = ((re.search(regex, name), values) for name, values in readable(folder).items())
    layers = {int(match["layer"]): values for match, values in matches if match}
    return dict(along("tensor", layers)) if layers else {}


def by_role(folder):
    """All rows that a model must have: (value, null), or the reason why there is none."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "model_type" not in config:
        unknown = Reason("its family is not known")
        refused = {"+".join(ATTENTION): ("heads", "attention"), "+".join(MLP): ("mlp_rotation", "mlp_permutation")}
        return {(roles, None, None, f"aligned_{gauge}"): unknown for roles, gauges in refused.items() for gauge in gauges}
    prefix, path, modules = FAMILIES[config["model_type"]]
    stored, rows, found = readable(folder), {}, {}
    for role, module in modules.items():
        for part, suffix in (("weight", ""), ("bias", "_bias")):
            name = re.compile(rf"{re.escape(path)}(\d+)\.{re.escape(module)}\.{part}")
            matches = ((name.fullmatch(tensor), values) for tensor, values in stored.items())
            layers = {int(match[1]): values for match, values in matches if match}
            if layers:
                found[prefix + role + suffix] = layers
                rows |= along(prefix + role + suffix, layers)
    attention = [prefix + role for role in ATTENTION]
    for layer in range(len(found[attention[0]]) - 1):
        pair = [[found[role][number] for role in attention] for number in (layer, layer + 1)]
        if all(values.dtype.kind == "f" for side in pair for values in side):
            pair = [[values.astype(np.float64) for values in side] for side in pair]
            heads = config.get("num_attention_heads") or config["encoder_attention_heads"]
            for role, quantity, both in alignments(attention, pair, heads):
                rows[role, layer, layer + 1, quantity] = both
        else:
            # Of what cannot be read, an alignment has one row.
            for quantity in ("aligned_heads", "aligned_attention"):
                rows["+".join(attention), layer, layer + 1, quantity] = QUANTISED
    for quantity in ("aligned_mlp_rotation", "aligned_mlp_permutation"):
        rows["+".join(prefix + role for role in MLP), None, None, quantity] = Reason(f"{prefix}gate_proj: ")
    return rows


def read(path):
    """Rows by model and by what they are of."""
    models = collections.defaultdict(dict)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            model = "/".join(row["model"].rstrip("/").split("/")[-2:])
            layers = (int(row[side]) if row[side] else None for side in ("layer_a", "layer_b"))
            key = (row["role"], *layers, row["quantity"])
            assert key not in models[model], f"{path} has {model} {key} twice"
            models[model][key] = row
    return models


def hold(row, expected):
    """What is wrong with a row, and the relative deviations of its numbers."""
    if isinstance(expected, Reason):
        fits = row["value"] == "" and row["null"] == "" and re.search(expected, row["undefined"])
        return [] if fits else [f"value {row['value']!r}, reason {row['undefined']!r}, expected {expected!r}"], []
    wrong, errors = [f"a value, and the reason {row['undefined']!r}"] if row["value"] and row["undefined"] else [], []
    for column, number in zip(("value", "null"), expected):
        if number is None or row[column] == "":
            if number is not None or row[column] != "":
                wrong.append(f"{column} {row[column]!r} ({row['undefined']}), expected {number}")
            continue
        error = abs(float(row[column]) - number) / max(abs(number), FLOOR)
        errors.append(error)
        if not error <= TOLERANCE:
            wrong.append(f"{column} {row[column]}, expected {number}: {error:.1e} off")
    return wrong, errors


def main(zoo, by_roles, *by_regex):
    runs = [(by_roles, by_role)]
    for regex, path in zip(by_regex[::2], by_regex[1::2], strict=True):
        runs.append((path, lambda folder, regex=regex: by_name(folder, regex)))
    wrong, reasons, models = [], collections.Counter(), collections.defaultdict(set)
    numbers, rows, worst = 0, 0, (0.0, "")
    for path, rows_of in runs:
        written = read(path)
        for folder in sorted(pathlib.Path(zoo).glob("*/*/")):
            model = "/".join(folder.parts[-2:])
            expected, got = rows_of(folder), written.pop(model, {})
            wrong += [f"{model} {key}: missing" for key in expected.keys() - got.keys()]
            wrong += [f"{model} {key}: more than there should be" for key in got.keys() - expected.keys()]
            for key in expected.keys() & got.keys():
                faults, errors = hold(got[key], expected[key])
                wrong += [f"{model} {key}: {fault}" for fault in faults]
                rows, numbers = rows + 1, numbers + len(errors)
                worst = max([worst, *((error, f"{model} {key}") for error in errors)])
                if errors:
                    models[key[3]].add(model)
                else:
                    # The same but for the layer, the tensor and the place.
                    reasons[re.sub(r"`[^`]*`", "`…`", re.sub(r"^layer \d+", "layer …", got[key]["undefined"]))] += 1
        wrong += [f"{path}: {model} is not in the zoo" for model in written]
    if wrong:
        sys.exit("\n".join([f"zoo: structure: {len(wrong)} faults, of which the first are", *sorted(wrong)[:SHOWN]]))
    assert numbers > 1000, f"only {numbers} numbers could be checked"
    for reason, count in sorted(reasons.items()):
        print(f"zoo: structure: {count} rows without a value: {reason}")
    with_alignments = ", ".join(sorted(models["aligned_heads"] & models["aligned_attention"]))
    print(f"zoo: structure: effective ranks of {len(models['effective_rank'])} models; alignments of {with_alignments or 'none'}")
    print(f"zoo: structure: {numbers} numbers of {rows} rows as NumPy and SciPy have them; worst {worst[0]:.1e} in {worst[1]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
