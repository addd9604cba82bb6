#!/usr/bin/env python3
"""What `matched both` shows of unrelated models: 24 strangers of one shape whose embeddings have the same meanings, all 276 pairs. It
permutes coordinates that its own matching chose, so it is no exact test; here is how its z spreads. None may reach the z of a link, nor may
more pairs look odd than the exact test of matched units lets by: at most .05 + 3 standard errors of them have p of .05 or less.
usage: calibration.py BINARY WORK [MODELS]"""
import csv
import os
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "lineage"))
import make_cases as zoo

READ = ("down_proj", "up_proj", "norm", "embed_tokens")


def main():
    binary, work = sys.argv[1], os.path.join(sys.argv[2], "calibration")
    count, folders = int(sys.argv[3]) if len(sys.argv) > 3 else 24, []
    for number in range(count):
        model = zoo.grown(f"stranger-{number}", f"stranger-{number}", zoo.config(L=3), vocab=("byte", range(600), number))
        zoo.save(work, f"s{number:02}", model.like({k: v for k, v in model.items() if any(part in k for part in READ)}))
        folders.append(os.path.join(work, f"s{number:02}"))
    listed, out = os.path.join(work, "list.txt"), os.path.join(work, "out")
    with open(listed, "w", encoding="utf-8") as f:
        f.writelines(f"file:{folder}\n" for folder in folders)
    subprocess.run([binary, "lineage", "--models", listed, "--group", "mlp,embeddings", "--disguised", "--no-deep", "-o", out,
                    "--formats", "csv", "-q", "--offline"], check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(out, "lineage.csv"), newline="", encoding="utf-8") as f:
        table = [row for row in csv.DictReader(f) if row["scope"] == "group"]
    failed = False
    for group in ("matched units", "matched basis", "matched both"):
        rows = [row for row in table if row["group"] == group]
        z, p = (np.array([float(row[column]) for row in rows if row[column]]) for column in ("z", "p"))
        allowed = 0.05 + 3 * np.sqrt(0.05 * 0.95 / max(1, len(p)))
        # Of strangers some pairs match so few coordinates that fewer than 32 are left to test on.
        untested = {row["undefined"] for row in rows} - {""}
        failed |= len(rows) != count * (count - 1) // 2 or not untested <= {"TooFew"} or 2 * len(z) < len(rows)
        failed |= z.max() >= 8 or np.mean(p <= 0.05) > allowed
        print(f"{group}: {len(z)} of {len(rows)} pairs, z {z.mean():+.2f} ± {z.std(ddof=1):.2f}, at most {z.max():.2f}; "
              f"p at most .05 in {np.mean(p <= 0.05):.3f}, at most .01 in {np.mean(p <= 0.01):.3f}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
