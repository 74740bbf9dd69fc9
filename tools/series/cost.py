#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make cost: instructions for each 4K random write, base against patched.

Under icount, with members that complete at once (tools/testing/md/fio/cost.sh). Exit status 1 if
the patched kernel takes more than 1.01 times the base's in a cell.
"""
from __future__ import annotations

import collections
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import common  # noqa: E402
import demo  # noqa: E402
import test  # noqa: E402

LIMIT = 1.01


def main() -> None:
    """There is no command line."""
    counts: dict[str, dict[str, list[float]]] = collections.defaultdict(dict)
    for variant, (status, out) in demo.both("cost", "icount", test.TESTING / "fio/cost.sh",
                                            "1200").items():
        if status:
            raise common.Error(f"cost on {variant}: {test.evidence(out, status)}")
        for path in sorted(out.glob("raid*.json")):
            job = json.loads(path.read_text("utf-8"))["jobs"][0]
            each = job["job_runtime"] * 1e6 / job["write"]["total_ios"]
            counts[path.stem.rpartition("-")[0]].setdefault(variant, []).append(each)
    print(f"{'instructions a write':22}{'base':>10}{'patched':>10}  ratio [least, most of seeds]")
    worse: list[str] = []
    table: dict[str, dict[str, object]] = {}
    for cell, found in counts.items():
        ratios = [p / b for b, p in zip(found["base"], found["patched"])]
        ratio = statistics.median(ratios)
        print(f"{cell:22}{statistics.median(found['base']):10.0f}"
              f"{statistics.median(found['patched']):10.0f}  {ratio:.4f} "
              f"[{min(ratios):.4f}, {max(ratios):.4f}]")
        table[cell] = {**found, "ratio": ratio}
        if ratio > LIMIT:
            worse.append(cell)
    (test.RESULTS / "cost.json").write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    if worse:
        raise common.Error(f"more than {LIMIT} times the base's instructions: {', '.join(worse)}")


if __name__ == "__main__":
    common.entry(main)
