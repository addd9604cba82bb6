"""The NumPy route to the alignment of 32 heads of 128 × 2560, in float64: python3 structure_numpy.py

Per query head the four cross-products of query, key, value and output, keys and values repeated over the queries that they serve, and
one singular value decomposition with vectors. Conversion from BF16 is not counted. Prints seconds, the best of five.
"""

import time

import numpy as np

HEADS, GROUPS, WIDTH, HIDDEN = 32, 8, 128, 2560


def unit(matrix):
    return matrix / np.linalg.norm(matrix)


def layer(rng):
    shapes = [(HEADS * WIDTH, HIDDEN), (GROUPS * WIDTH, HIDDEN), (GROUPS * WIDTH, HIDDEN), (HEADS * WIDTH, HIDDEN)]
    return [unit(rng.standard_normal(shape)) for shape in shapes]


def aligned(a, b):
    repeat = HEADS // GROUPS
    gain = 0.0
    for head in range(HEADS):
        blocks = [head, head // repeat, head // repeat, head]
        rows = [slice(block * WIDTH, (block + 1) * WIDTH) for block in blocks]
        cross = sum(x[row] @ y[row].T for x, y, row in zip(a, b, rows))
        u, s, vt = np.linalg.svd(cross)
        turn = vt.T @ u.T
        gain += np.trace(turn @ cross)
    return gain


def main():
    rng = np.random.default_rng(1)
    a, b = layer(rng), layer(rng)
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        aligned(a, b)
        taken.append(time.perf_counter() - start)
    print(min(taken))


main()
