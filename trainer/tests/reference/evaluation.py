#!/usr/bin/env python3
"""Writes tests/golden/evaluation.json: embeddings, and what numpy and scikit-learn say of them.

Needs numpy and scikit-learn:  python3 trainer/tests/reference/evaluation.py

Embeddings are small whole numbers, so that every reader has the same values; rows are made unit length by who reads them.
"""
import json
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_curve
from sklearn.model_selection import KFold

DIMENSION = 12


def whole(values):
    return np.round(40 * values).astype(int)


def unit(rows):
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def exact(score, same):
    """The threshold that gets most right; the lower middle one of the equally good cuts between neighbouring scores."""
    values = np.unique(score)
    cuts = np.concatenate([[-1.0], (values[:-1] + values[1:]) / 2, [np.nextafter(values[-1], 2)]])
    right = np.array([np.sum((score >= cut) == same) for cut in cuts])
    best = np.flatnonzero(right == right.max())
    return cuts[best[(len(best) - 1) // 2]]


def bin_set(rng, pairs=300):
    """As insightface evaluates a .bin: embeddings 2i and 2i + 1 are pair i; ten folds in order; KFold without shuffling."""
    same = rng.permutation(np.repeat([True, False], pairs // 2))
    first = rng.normal(size=(pairs, DIMENSION))
    second = np.where(same[:, None], first + 0.9 * rng.normal(size=first.shape), rng.normal(size=first.shape))
    embeddings = whole(np.stack([first, second], 1).reshape(2 * pairs, DIMENSION))
    rows = unit(embeddings)
    score = np.sum(rows[0::2] * rows[1::2], 1)
    accuracies, thresholds = [], []
    for train, test in KFold(10, shuffle=False).split(score):
        threshold = exact(score[train], same[train])
        accuracies.append(float(np.mean((score[test] >= threshold) == same[test])))
        thresholds.append(float(threshold))
    fpr, tpr, _ = roc_curve(same, score, drop_intermediate=False)
    return {
        "embeddings": embeddings.tolist(),
        "same": same.tolist(),
        "accuracy": float(np.mean(accuracies)),
        "std": float(np.std(accuracies)),
        "folds": accuracies,
        "thresholds": thresholds,
        "tar_at_0.05": float(tpr[fpr <= 0.05 + 1e-12].max()),
    }


def identification(rng, people=15, each=3, distractors=400, far=1e-3):
    centres = rng.normal(size=(people, 1, DIMENSION))
    probes = whole((centres + 0.8 * rng.normal(size=(people, each, DIMENSION))).reshape(-1, DIMENSION))
    identities = np.repeat(np.arange(people), each)
    others = whole(rng.normal(size=(distractors, DIMENSION)))
    genuine = unit(probes) @ unit(probes).T
    impostor = unit(probes) @ unit(others).T
    ranks = {}
    for count in [10, 100, distractors]:
        found = [
            np.sum(impostor[i, :count] >= genuine[i, j])
            for i in range(len(probes))
            for j in range(len(probes))
            if i != j and identities[i] == identities[j]
        ]
        ranks[count] = [float(np.mean(np.array(found) < 1)), float(np.mean(np.array(found) < 10))]
    i, j = np.triu_indices(len(probes), 1)
    mates = genuine[i, j][identities[i] == identities[j]]
    label = np.concatenate([np.ones(len(mates)), np.zeros(impostor.size)])
    fpr, tpr, _ = roc_curve(label, np.concatenate([mates, impostor.ravel()]), drop_intermediate=False)
    return {
        "probes": probes.tolist(),
        "identities": identities.tolist(),
        "distractors": others.tolist(),
        "ranks": ranks,
        "far": far,
        "tar": float(tpr[fpr <= far + 1e-12].max()),
    }


def main():
    rng = np.random.default_rng(11)
    golden = {"bin": bin_set(rng), "identification": identification(rng)}
    path = Path(__file__).parents[1] / "golden/evaluation.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
