#!/usr/bin/env python3
"""Writes trainer/tests/golden/losses.json: random inputs, and what the losses' formulas say of them in float64.

Each loss is written as its paper has it, sample by sample and with arc cosines; gradients are central differences of that.
Needs numpy:  python3 trainer/tests/reference/losses.py
"""
import json
from pathlib import Path

import numpy as np

SAMPLES, LENGTH, CLASSES = 8, 5, 4
STEP = 1e-6


def unit(v):
    return v / np.linalg.norm(v)


def cross_entropy(logits, own):
    return np.log(np.sum(np.exp(logits - logits.max()))) + logits.max() - logits[own]


# What takes the place of the true class's cosine, as a function of the angle.
def arcface(theta, m):
    return np.cos(theta + m)


def arcface_stable(theta, m):
    return np.cos(theta + m) if theta < np.pi - m else np.cos(theta) - m * np.sin(m)


def cosface(theta, m):
    return np.cos(theta) - m


def sphereface(theta, m, lam):
    k = min(int(theta // (np.pi / m)), m - 1)
    psi = (-1) ** k * np.cos(m * theta) - 2 * k
    return (lam * np.cos(theta) + psi) / (1 + lam)


def combined(theta, m1, m2, m3):
    return np.cos(m1 * theta + m2) - m3


def annealed(step, start=1000.0, end=5.0, decay=0.12):
    return max(end, start / (1 + decay * step))


def cosine_softmax(target, scale=None):
    """Softmax of scale·cos, or of length·cos without a scale; target(theta) for the true class."""

    def loss(x, ids, v):
        terms = []
        for row, own in zip(x, ids):
            cosines = np.array([unit(row) @ unit(w) for w in v["classes"]])
            cosines[own] = target(np.arccos(np.clip(cosines[own], -1, 1)))
            terms.append(cross_entropy(cosines * (np.linalg.norm(row) if scale is None else scale), own))
        return np.mean(terms)

    return loss


def softmax(x, ids, v):
    return np.mean([cross_entropy(v["classes"] @ row + v["bias"], own) for row, own in zip(x, ids)])


def centre(x, ids, v):
    return np.mean([np.sum((row - v["auxiliary.centres"][own]) ** 2) for row, own in zip(x, ids)]) / 2


def centres_after(x, ids, v, rate):
    after = v["auxiliary.centres"].copy()
    for j in range(len(after)):
        mine = x[ids == j]
        after[j] -= rate * np.sum(v["auxiliary.centres"][j] - mine, axis=0) / (1 + len(mine))
    return after


def range_loss(k, margin, within, between):
    def loss(x, ids, v):
        total = 0.0
        for j in np.unique(ids):
            mine = x[ids == j]
            squares = sorted((np.sum((a - b) ** 2) for i, a in enumerate(mine) for b in mine[i + 1 :]), reverse=True)[:k]
            if squares:
                total += within * len(squares) / sum(1 / d for d in squares)
        means = [x[ids == j].mean(axis=0) for j in np.unique(ids)]
        nearest = min(np.sum((a - b) ** 2) for i, a in enumerate(means) for b in means[i + 1 :])
        return total + between * max(margin - nearest, 0.0)

    return loss


def marginal(theta, xi):
    def loss(x, ids, v):
        n, total = len(x), 0.0
        for i in range(n):
            for j in range(n):
                if i != j:
                    y = 1 if ids[i] == ids[j] else -1
                    total += max(0.0, xi - y * (theta - np.sum((unit(x[i]) - unit(x[j])) ** 2)))
        return total / (n * n - n)

    return loss


def contrastive(margin):
    def loss(x, ids, v):
        terms = []
        for i in range(len(x)):
            for j in range(i + 1, len(x)):
                d = np.linalg.norm(unit(x[i]) - unit(x[j]))
                terms.append(0.5 * d**2 if ids[i] == ids[j] else 0.5 * max(0.0, margin - d) ** 2)
        return np.mean(terms)

    return loss


def triplet(alpha):
    def loss(x, ids, v):
        d = np.array([[np.sum((unit(a) - unit(b)) ** 2) for b in x] for a in x])
        terms = []
        for a in range(len(x)):
            negatives = [n for n in range(len(x)) if ids[n] != ids[a]]
            for p in range(len(x)):
                if p == a or ids[p] != ids[a]:
                    continue
                farther = [n for n in negatives if d[a, n] > d[a, p]]
                n = min(farther, key=lambda n: d[a, n]) if farther else max(negatives, key=lambda n: d[a, n])
                terms.append(max(0.0, d[a, p] - d[a, n] + alpha))
        return np.mean(terms)

    return loss


def plus(main, added, weight):
    return lambda x, ids, v: main(x, ids, v) + weight * added(x, ids, v)


def gradient(f, at):
    """Central differences of f by each entry of `at`, which is changed in place and put back."""
    result = np.zeros_like(at)
    for index in np.ndindex(*at.shape):
        value = at[index]
        at[index] = value + STEP
        above = f()
        at[index] = value - STEP
        below = f()
        at[index] = value
        result[index] = (above - below) / (2 * STEP)
    return result


def case(name, seed, settings, loss, variables=("classes",), step=0, rate=None, opposed=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1.5, (SAMPLES, LENGTH))
    ids = np.array([0, 0, 0, 1, 1, 2, 2, 3])
    shapes = {"classes": (CLASSES, LENGTH), "bias": (CLASSES,), "auxiliary.centres": (CLASSES, LENGTH)}
    v = {variable: rng.normal(0, 1, shapes[variable]) for variable in variables}
    if opposed:  # Some embeddings lie far from their own class, where the margins' forms differ.
        x[::2] = -3 * np.array([unit(w) for w in v["classes"]])[ids[::2]] + rng.normal(0, 0.3, x[::2].shape)
    out = {
        "name": name,
        "settings": {"embedding": LENGTH, **settings},
        "step": step,
        "embeddings": x.tolist(),
        "identities": ids.tolist(),
        "variables": {key: value.tolist() for key, value in v.items()},
        "loss": loss(x, ids, v),
        "embedding_gradient": gradient(lambda: loss(x, ids, v), x).round(9).tolist(),
        "gradients": {
            key: gradient(lambda: loss(x, ids, v), value).round(9).tolist()
            for key, value in v.items()
            if "centres" not in key
        },
    }
    if rate is not None:
        out["centres_after"] = centres_after(x, ids, v, rate).tolist()
    return out


def main():
    both = ("classes", "bias")
    lam = annealed
    cases = [
        case("softmax", 1, {"loss": "softmax"}, softmax, both),
        case("normalised softmax", 2, {"loss": "normalised-softmax"}, cosine_softmax(np.cos)),
        case("sphereface at the start", 3, {"loss": "sphereface"}, cosine_softmax(lambda t: sphereface(t, 4, lam(0)))),
        case("sphereface on the way", 4, {"loss": "sphereface"}, cosine_softmax(lambda t: sphereface(t, 4, lam(50))), step=50),
        case("sphereface, m = 3", 5, {"loss": "sphereface", "margin": 3, "lambda_end": 0.5},
             cosine_softmax(lambda t: sphereface(t, 3, 0.5)), step=10**6, opposed=True),
        case("sphereface, no λ", 6, {"loss": "sphereface", "lambda_start": 0, "lambda_end": 0},
             cosine_softmax(lambda t: sphereface(t, 4, 0)), opposed=True),
        case("sphereface-fnorm", 7, {"loss": "sphereface-fnorm"},
             cosine_softmax(lambda t: sphereface(t, 4, 5), 64), step=10**6),
        case("cosface", 8, {"loss": "cosface"}, cosine_softmax(lambda t: cosface(t, 0.35), 64)),
        case("cosface, half warm", 9, {"loss": "cosface", "margin": 0.4, "margin_warmup": 100, "loss_scale": 30},
             cosine_softmax(lambda t: cosface(t, 0.2), 30), step=50),
        case("arcface", 10, {"loss": "arcface"}, cosine_softmax(lambda t: arcface(t, 0.5), 64)),
        case("arcface, plain past π − m", 11, {"loss": "arcface", "margin": 0.6, "loss_scale": 10},
             cosine_softmax(lambda t: arcface(t, 0.6), 10), opposed=True),
        case("arcface, stable", 12, {"loss": "arcface", "margin": 0.6, "loss_scale": 10, "arcface_beyond": "stable"},
             cosine_softmax(lambda t: arcface_stable(t, 0.6), 10), opposed=True),
        case("arcface, a quarter warm", 13, {"loss": "arcface", "margin": 0.8, "margin_warmup": 4},
             cosine_softmax(lambda t: arcface(t, 0.2), 64), step=1),
        case("combined", 14, {"loss": "combined"}, cosine_softmax(lambda t: combined(t, 1, 0.3, 0.2), 64)),
        case("combined, all three", 15, {"loss": "combined", "margins": [1.3, 0.2, 0.1], "loss_scale": 20},
             cosine_softmax(lambda t: combined(t, 1.3, 0.2, 0.1), 20), opposed=True),
        case("softmax and centre", 16, {"loss": "softmax", "auxiliary": "centre"}, plus(softmax, centre, 0.003),
             (*both, "auxiliary.centres"), rate=0.5),
        case("softmax and much centre", 17,
             {"loss": "softmax", "auxiliary": "centre", "auxiliary_weight": 2, "centre_rate": 0.25},
             plus(softmax, centre, 2), (*both, "auxiliary.centres"), rate=0.25),
        case("softmax and range", 18, {"loss": "softmax", "auxiliary": "range"},
             plus(softmax, range_loss(2, 2e4, 5e-5, 1e-4), 1), both),
        case("range", 19, {"loss": "range", "range_margin": 30, "range_within": 0.5, "range_between": 0.25},
             range_loss(2, 30, 0.5, 0.25), ()),
        case("softmax and marginal", 20, {"loss": "softmax", "auxiliary": "marginal"}, plus(softmax, marginal(1.2, 0.3), 1), both),
        case("marginal", 21, {"loss": "marginal", "marginal_threshold": 1.0, "marginal_margin": 0.5}, marginal(1.0, 0.5), ()),
        case("contrastive", 22, {"loss": "contrastive"}, contrastive(1.0), ()),
        case("contrastive, farther", 23, {"loss": "contrastive", "contrastive_margin": 1.6}, contrastive(1.6), ()),
        case("triplet", 24, {"loss": "triplet"}, triplet(0.3), ()),
        case("triplet, farther", 25, {"loss": "triplet", "triplet_margin": 1.0}, triplet(1.0), ()),
        case("arcface and triplet", 26, {"loss": "arcface", "auxiliary": "triplet", "auxiliary_weight": 0.5},
             plus(cosine_softmax(lambda t: arcface(t, 0.5), 64), triplet(0.3), 0.5)),
    ]
    degrees = [0, 10, 30, 45, 60, 89, 91, 120, 150, 170, 180]
    curves = {
        "softmax": np.cos,
        "SphereFace, m = 4, λ = 5": lambda t: sphereface(t, 4, 5),
        "CosFace, m = 0.35": lambda t: cosface(t, 0.35),
        "ArcFace, m = 0.5": lambda t: arcface(t, 0.5),
    }
    curves = {name: [float(f(np.radians(d))) for d in degrees] for name, f in curves.items()}
    path = Path(__file__).parent.parent / "golden" / "losses.json"
    path.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    figure = json.dumps({"degrees": degrees, "logits": curves}, ensure_ascii=False)
    path.write_text(f'{{"cases": [\n{lines}\n],\n"figure_4": {figure}}}\n')


if __name__ == "__main__":
    main()
