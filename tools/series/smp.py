#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make bench-smp: the steady cells of make bench with two CPUs that run at once, in pairs.

Under TCG time is the host's, and a single run says little. Base and patched are booted in turn,
one machine at a time; reported is the median of the pairs' ratios with the interval that holds it
with at least 95 %, by the order of the ratios. It judges nothing. A run that was ended goes on
where it was.
"""
from __future__ import annotations

import argparse
import json
import math
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import bench  # noqa: E402
import common  # noqa: E402
import demo  # noqa: E402
import kernel  # noqa: E402
from cells import CELLS  # noqa: E402

NAMES = ("qd16", "qd16-warm", "qd64", "qd64-warm", "qd64x4")
# Of a job, at most: 100 of them are beyond p99, without the last ones (bench.keep_steady()).
WRITES = 10500
FIGURES = ("p50", "p99", "iops")
LEAST = 20


def interval(values: list[float]) -> tuple[float, float]:
    """Of @values, the two between which their median is with at least 95 %."""
    order, count = sorted(values), len(values)
    rank, below = 0, 0.0
    while True:
        below += math.comb(count, rank) / 2 ** count
        if 2 * below > 0.05:
            break
        rank += 1
    # rank values lie outside on each side
    return order[rank - 1], order[count - rank]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=LEAST)
    args = parser.parse_args()
    if args.pairs < LEAST:
        raise common.Error(f"PAIRS={args.pairs}: at least {LEAST} are needed for an interval.")
    cells = [c._replace(clock="tcg", writes=min(WRITES, c.writes), name=f"{c.name}-smp",
                        control=False) for c in CELLS if c.name in NAMES]
    builds = {v: kernel.build(v, kernel.MODES["tcg"]) for v in demo.VARIANTS}
    ratios: dict[str, dict[str, list[float]]] = {c.name: {f: [] for f in FIGURES} for c in cells}
    began = time.monotonic()
    for pair in range(args.pairs):
        # who is first changes, as the host may drift
        order = demo.VARIANTS if pair % 2 else demo.VARIANTS[::-1]
        for cell in cells:
            runs = {v: bench.Run(cell, f"{v}-{pair}", v, (pair + 1,)) for v in order}
            found = {v: bench.summary(bench.execute(run, builds[v]), run, cell.parts[0])
                     for v, run in runs.items()}
            for name in FIGURES:
                ratios[cell.name][name].append(found["patched"][name] / found["base"][name])
        spent = time.monotonic() - began
        common.say(f"{pair + 1} of {args.pairs} pairs; about "
                   f"{spent / (pair + 1) * (args.pairs - pair - 1) / 60:.0f} minutes left")
    print(f"TCG, 2 CPUs, RAID6 of 6, light members of 100 us, {args.pairs} pairs, at most {WRITES} "
          "writes of a job: patched to base, median [95 % interval]")
    print(f"{'cell':16}" + "".join(f"{name:>22}" for name in FIGURES))
    for cell_name, each in ratios.items():
        words = []
        for name in FIGURES:
            low, high = interval(each[name])
            words.append(f"{statistics.median(each[name]):.2f} [{low:.2f}, {high:.2f}]")
        print(f"{cell_name:16}" + "".join(f"{word:>22}" for word in words))
    path = bench.RESULTS.parent / "bench-smp.json"
    path.write_text(json.dumps(ratios, indent=1) + "\n", "utf-8")
    print(f"figures: {path}")


if __name__ == "__main__":
    common.entry(main)
