"""Writes the table of devices in docs/performance.md from the reports in docs/latency: `python3 benches/devices.py`.

A report is what `veriface bench --json` prints, or `android/bench/run.sh`, or the iOS sample's `latency.json`.
"""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/performance.md"
STAGES = ("decode", "detect", "align", "quality", "embed", "extract")


def time(stage):
    """The middle run by the clock, and the mean of the CPU's time where the system tells it: on a busy machine only that counts."""
    cpu = "" if stage["cpu_ms"] is None else f" ({stage['cpu_ms']:.2f})"
    return f"{stage['p50_ms']:.2f}{cpu}"


def row(report):
    stages = {stage["stage"]: stage for stage in report["stages"]}
    times = [time(stages[name]) for name in STAGES]
    peak = "-" if report["peak_bytes"] is None else f"{report['peak_bytes'] / 2**20:.0f}"
    cells = [report["device"], report["system"], report["pack"], *times, f"{report['cold_start']['ms']:.0f}", peak]
    return f"| {' | '.join(cells)} |"


reports = [json.loads(file.read_text()) for file in sorted((ROOT / "docs/latency").glob("*.json"))]
heads = ["device", "system", "pack", *STAGES, "cold start", "peak, MiB"]
table = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *map(row, reports)]
before, rest = PAGE.read_text().split("<!-- devices -->")
_, after = rest.split("<!-- /devices -->")
PAGE.write_text("\n".join([before + "<!-- devices -->", *table, "<!-- /devices -->"]) + after)
