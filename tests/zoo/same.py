"""Two pairs.csv of one comparison, over the Hub and from folders: all but models and commits must be the same text.

    same.py over-hub/pairs.csv over-folders/pairs.csv
"""
import csv
import sys


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{name: cell for name, cell in row.items() if not name.startswith(("model_", "commit_"))} for row in rows]


def main(hub, folders):
    over_hub, over_folders = read(hub), read(folders)
    assert over_hub, f"{hub} has no pair"
    assert over_hub == over_folders, next(pair for pair in zip(over_hub, over_folders) if pair[0] != pair[1])
    print(f"zoo: compare: {len(over_hub)} pairs equal from Hub and folders")


if __name__ == "__main__":
    main(*sys.argv[1:])
