#!/usr/bin/env python3
"""All pairs of many models of one width at one layer: what a survey of them takes must not grow with the number of pairs.
usage: pairs.py BINARY WORK [MODELS]"""
import os
import subprocess
import sys
import time

# Of the program of releases with 1,000 models; pairs beyond those of a quarter of the list may take so much more each.
MOST_MIB, MOST_BYTES_A_PAIR = 300, 200


def run(binary, work, count):
    """Wall-clock and processor seconds, and peak in MiB."""
    listed, out = os.path.join(work, f"list-{count}.txt"), os.path.join(work, f"out-{count}")
    with open(os.path.join(work, "models", "list.txt"), encoding="utf-8") as f, open(listed, "w", encoding="utf-8") as to:
        to.writelines(f.readlines()[:count])
    command = [binary, "survey", "--models", listed, "--role", "input_layernorm", "--layers", "0", "-o", out, "-q", "--offline"]
    command += ["--cache-dir", os.path.join(work, "cache")]
    began, child = time.monotonic(), os.fork()
    if child == 0:
        os.dup2(os.open(os.path.join(work, "said.txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.execv(command[0], command)
    _, status, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"survey: status {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main():
    binary, work = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    models = os.path.join(work, "models")
    if not os.path.exists(os.path.join(models, "list.txt")):
        lists = os.path.join(os.path.dirname(os.path.realpath(__file__)), "lists.py")
        subprocess.run([sys.executable, lists, models, str(count), "1024"], check=True)
    peaks = []
    for part in (count // 4, count):
        seconds, cpu, peak = run(binary, work, part)
        peaks.append((part * (part - 1) // 2, peak))
        print(f"{part} models, {peaks[-1][0]} pairs: {seconds:.1f} s, {cpu:.1f} s of processor time, peak {peak:.0f} MiB")
    (few, small), (many, large) = peaks
    each = (large - small) * 1024 * 1024 / (many - few)
    print(f"{each:.0f} bytes a pair more, models and their tensors among them")
    sys.exit(0 if large <= MOST_MIB and each <= MOST_BYTES_A_PAIR else 1)


if __name__ == "__main__":
    main()
