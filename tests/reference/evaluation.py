#!/usr/bin/env python3
"""Writes tests/golden/evaluation.json: scores, and what numpy, scikit-learn and statsmodels say of them.

Needs numpy, scikit-learn and statsmodels:  python3 tests/reference/evaluation.py
"""
import json
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_curve
from sklearn.model_selection import KFold
from statsmodels.stats.proportion import proportion_confint

PAIRS, FOLDS, PEOPLE = 640, 10, 40
RATES = [0.2, 0.1, 0.05, 0.02]
REPLICATES, SEED = 200, 7


def case(seed, decimals):
    rng = np.random.default_rng(seed)
    same = rng.permutation(np.repeat([True, False], PAIRS // 2))
    score = np.where(same, rng.normal(0.45, 0.18, PAIRS), rng.normal(0.05, 0.15, PAIRS))
    # Few decimals make ties; float32 is what a score is.
    score = np.clip(np.round(score, decimals), -1, 1).astype(np.float32)
    first = rng.integers(0, PEOPLE, PAIRS)
    second = np.where(same, first, (first + rng.integers(1, PEOPLE, PAIRS)) % PEOPLE)
    return score, same, np.stack([first, second], 1)


def exact(score, same):
    """The threshold that gets most right; the lower middle one of the equally good cuts between neighbouring scores."""
    values = np.unique(score).astype(np.float64)
    cuts = np.concatenate([[-1.0], (values[:-1] + values[1:]) / 2, [np.nextafter(values[-1], 2)]])
    right = np.array([np.sum((score.astype(np.float64) >= cut) == same) for cut in cuts])
    best = np.flatnonzero(right == right.max())
    return cuts[best[(len(best) - 1) // 2]]


def insightface(score, same):
    """calculate_roc of insightface's verification.py: squared distances on np.arange(0, 4, 0.01), the first of the best."""
    distance = 2 - 2 * score.astype(np.float64)
    grid = np.arange(0, 4, 0.01)
    return grid[np.argmax([np.mean((distance < threshold) == same) for threshold in grid])]


def score_grid(score, same):
    """Scores 0.0002 apart, the lower middle one of the equally good."""
    grid = np.linspace(-1, 1, 10001)
    right = np.array([np.sum((score.astype(np.float64) >= threshold) == same) for threshold in grid])
    best = np.flatnonzero(right == right.max())
    return grid[best[(len(best) - 1) // 2]]


def folds(score, same, search):
    out = []
    for train, test in KFold(FOLDS, shuffle=False).split(score):
        if search != "grid":
            threshold = (exact if search == "exact" else score_grid)(score[train], same[train])
            predicted = score[test].astype(np.float64) >= threshold
        else:
            distance = insightface(score[train], same[train])
            predicted = 2 - 2 * score[test].astype(np.float64) < distance
            threshold = 1 - distance / 2
        out.append((float(np.mean(predicted == same[test])), float(threshold)))
    accuracy = np.array([a for a, _ in out])
    return {
        "accuracy": float(accuracy.mean()),
        "std": float(accuracy.std()),
        "standard_error": float(accuracy.std(ddof=1) / np.sqrt(FOLDS)),
        "folds": accuracy.tolist(),
        "thresholds": [t for _, t in out],
    }


def equal_error_rate(fpr, tpr):
    """Where the straight lines between the points of the ROC meet FPR = FNR."""
    gap = (1 - tpr) - fpr
    i = int(np.flatnonzero(gap <= 0)[0])
    share = gap[i - 1] / (gap[i - 1] - gap[i])
    return float(fpr[i - 1] + share * (fpr[i] - fpr[i - 1]))


class SplitMix64:
    def __init__(self, seed):
        self.state, self.mask = seed, (1 << 64) - 1

    def below(self, bound):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.mask
        return ((z ^ (z >> 31)) * bound) >> 64


def bootstrap(score, same, people):
    """People are drawn; a pair weighs the product of its people's counts, a genuine one its person's."""
    random = SplitMix64(SEED)
    # Rust numbers people in the order in which the pictures name them; so does the list below.
    order = {person: place for place, person in enumerate(dict.fromkeys(people.ravel().tolist()))}
    index = np.vectorize(order.get)(people)
    tars = {rate: [] for rate in RATES}
    for _ in range(REPLICATES):
        drawn = np.zeros(len(order), int)
        for _ in range(len(order)):
            drawn[random.below(len(order))] += 1
        weight = np.where(same, drawn[index[:, 0]], drawn[index[:, 0]] * drawn[index[:, 1]])
        kept = weight > 0
        fpr, tpr, _ = roc_curve(same[kept], score[kept], sample_weight=weight[kept], drop_intermediate=False)
        for rate in RATES:
            tars[rate].append(float(tpr[fpr <= rate + 1e-9].max()))
    return [np.percentile(tars[rate], [2.5, 97.5]).tolist() for rate in RATES]


def figures(score, same, people):
    fpr, tpr, thresholds = roc_curve(same, score, drop_intermediate=False)
    impostors, genuine = int(np.sum(~same)), int(np.sum(same))
    best = exact(score, same)
    tar = []
    for rate, drawn in zip(RATES, bootstrap(score, same, people)):
        value = float(tpr[fpr <= rate + 1e-12].max())
        accepted = round(value * genuine)
        interval = proportion_confint(accepted, genuine, alpha=0.05, method="wilson")
        missed = proportion_confint(genuine - accepted, genuine, alpha=0.05, method="wilson")
        row = {"far": rate, "tar": value, "interval": [float(v) for v in interval], "bootstrap": drawn}
        tar.append(row | {"fnmr_interval": [float(v) for v in missed]})
    return {
        "scores": [round(float(s), 6) for s in score],
        "same": [int(s) for s in same],
        "people": people.tolist(),
        "exact": folds(score, same, "exact"),
        "distance_grid": folds(score, same, "grid"),
        "score_grid": folds(score, same, "score grid"),
        "best_threshold": float(best),
        "best_accuracy": float(np.mean((score.astype(np.float64) >= best) == same)),
        "eer": equal_error_rate(fpr, tpr),
        "tar": tar,
        "impostor_pairs": impostors,
        "genuine_pairs": genuine,
    }


def main():
    counts = [(0, 10), (1, 10), (10, 10), (0, 3000), (3, 3000), (17, 3000), (2990, 3000), (100, 1_000_000), (10, 250_000)]
    golden = {
        "wilson": [[k, n, *map(float, proportion_confint(k, n, alpha=0.05, method="wilson"))] for k, n in counts],
        "rates": RATES,
        "bootstrap": {"replicates": REPLICATES, "seed": SEED},
        "cases": [figures(*case(seed, decimals)) for seed, decimals in [(1, 6), (2, 2), (3, 1)]],
    }
    path = Path(__file__).parent.parent / "golden" / "evaluation.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
