#!/usr/bin/env python3
"""Checks docs/gallery.md: Qdrant's `Dot` of unit vectors is our score. Its Python client's in-memory mode, no server.

    python3 tests/reference/qdrant.py

Needs numpy and qdrant-client.
"""
import numpy as np
from qdrant_client import QdrantClient, models

ENTRIES, SIZE, PROBES, BEST = 5000, 512, 20, 5

random = np.random.default_rng(1)
vectors = random.normal(size=(ENTRIES + PROBES, SIZE)).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
entries, probes = vectors[:ENTRIES], vectors[ENTRIES:]

client = QdrantClient(":memory:")
client.create_collection("people", vectors_config=models.VectorParams(size=SIZE, distance=models.Distance.DOT))
points = [models.PointStruct(id=i, vector=v.tolist(), payload={"name": f"n{i}", "model": "test"}) for i, v in enumerate(entries)]
client.upsert("people", points)
worst = 0.0
for probe in probes:
    found = client.query_points("people", query=probe.tolist(), limit=BEST).points
    scores = entries @ probe
    expected = np.argsort(-scores, kind="stable")[:BEST]
    assert [point.id for point in found] == expected.tolist()
    worst = max(worst, float(np.max(np.abs([point.score for point in found] - scores[expected]))))
print(f"{PROBES} probes, {ENTRIES} entries: the {BEST} best agree, scores within {worst:.1e}")
