#!/usr/bin/env python3
"""Which of the equally good thresholds does best on pairs that it was not chosen on?

Scores are drawn from two normal distributions, so that the accuracy of any threshold is known exactly. Printed is, for each rule, the mean over
the draws less that of the middle cut (the SDK's rule), in points, with its standard error. Needs numpy and scipy.

    python3 tests/reference/thresholds.py
"""
import numpy as np
from scipy.stats import norm

DRAWS = 4000
GRID = np.linspace(-1, 1, 10001)
# Pairs, then mean and deviation of genuine and of impostor scores: accuracies of 94.0, 88.7, 99.9 and 88.8 %.
CASES = [(6300, 0.45, 0.14, 0.03, 0.13), (6300, 0.35, 0.17, 0.03, 0.10), (5400, 0.6, 0.12, 0.0, 0.08), (640, 0.45, 0.18, 0.05, 0.15)]


def right(genuine, impostor, thresholds):
    return len(genuine) - np.searchsorted(genuine, thresholds) + np.searchsorted(impostor, thresholds)


def chosen(genuine, impostor):
    genuine, impostor = np.sort(genuine), np.sort(impostor)
    scores = np.sort(np.concatenate([[-1], genuine, impostor, [1]]))
    lower, upper = scores[:-1], scores[1:]
    count = right(genuine, impostor, (lower + upper) / 2)
    best = np.flatnonzero(count == count.max())
    lower, upper = lower[best], upper[best]
    cuts = (lower + upper) / 2
    grid = right(genuine, impostor, GRID)
    grid = GRID[grid == grid.max()]
    return {
        "middle cut": cuts[(len(cuts) - 1) // 2],
        "lowest": cuts[0],
        "highest": cuts[-1],
        "widest gap": cuts[np.argmax(upper - lower)],
        "middle of all": (lower[0] + upper[-1]) / 2,
        "middle of a grid of 0.0002": grid[(len(grid) - 1) // 2],
    }


for pairs, *parameters in CASES:
    g, dg, i, di = parameters
    random = np.random.default_rng(5)
    draws = [chosen(random.normal(g, dg, pairs // 2), random.normal(i, di, pairs // 2)) for _ in range(DRAWS)]
    accuracy = {rule: np.array([50 * (norm.sf(d[rule], g, dg) + norm.cdf(d[rule], i, di)) for d in draws]) for rule in draws[0]}
    differences = {rule: found - accuracy["middle cut"] for rule, found in accuracy.items() if rule != "middle cut"}
    rows = (f"{rule} {d.mean():+.4f} ± {d.std() / DRAWS**0.5:.4f}" for rule, d in differences.items())
    print(f"{pairs} pairs, middle cut {accuracy['middle cut'].mean():.3f} %:", ", ".join(rows), flush=True)
