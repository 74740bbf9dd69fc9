#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make bench: latency of 4K random writes, base against patched.

Each cell (an array made by mdadm, a job of tools/testing/md/fio/jobs run by fio) runs in a VM
of its own: on the base, on the base again with other seeds, on the patched kernel, and on the
patched kernel with members that are slower by a known delay, which has to be seen. Results are
kept in build/results/bench, one folder for each kernel, cell and set of seeds, so a run that
was ended goes on where it was.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import re
import statistics
import sys
import time
from typing import Any, NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import common  # noqa: E402
import demo  # noqa: E402
import kernel  # noqa: E402
import test  # noqa: E402

RESULTS = common.TOP / "build/results/bench"
FIO = test.TESTING / "fio"
SEEDS, OTHER_SEEDS = (11, 22, 33, 44, 55), (66, 77, 88, 99, 111)
PERCENTILES = (("p50", 50.0), ("p99", 99.0), ("p999", 99.9), ("p9999", 99.99))
DEVICE_US = 100
# A read-modify-write reads, then writes; a full stripe only writes; a read only reads.
FLOORS = {"seq": 1, "read": 1}
CONTROL_NS = 15000
WORSE = 1.03


class Cell(NamedTuple):
    """What is measured."""

    name: str
    job: str
    clock: str
    writes: int
    mdadm: str
    disks: int = 6
    model: str = "light"
    journal: str = ""
    settings: str = ""
    control: bool = False


RAID6 = "--level=6 --bitmap=none"
WARM = "--level=6 --bitmap=internal --bitmap-chunk=64M"
WB = "--level=5"

CELLS = (
    Cell("qd1-tt", "qd1", "tt", 3000, RAID6),
    Cell("qd16-tt", "qd16", "tt", 25000, RAID6, control=True),
    Cell("qd64x4-tt", "qd64x4", "tt", 7000, RAID6),
    Cell("qd64x4-warm-tt", "qd64x4", "tt", 7000, WARM),
    Cell("qd1", "qd1", "icount", 3000, RAID6),
    Cell("qd16", "qd16", "icount", 21000, RAID6, control=True),
    Cell("qd16-warm", "qd16", "icount", 21000, WARM),
    Cell("qd64", "qd64", "icount", 21000, RAID6),
    Cell("qd64-warm", "qd64", "icount", 21000, WARM),
    Cell("qd64x4", "qd64x4", "icount", 5500, RAID6),
    Cell("qd64-32k", "qd64-32k", "icount", 21000, RAID6),
    Cell("uring16", "uring16", "icount", 21000, RAID6),
    Cell("every300", "every300", "icount", 2500, RAID6, model="flush"),
    Cell("every450", "every450", "icount", 2500, RAID6, model="flush"),
    Cell("every450-warm", "every450", "icount", 2500, WARM, model="flush"),
    Cell("threads4-qd16", "qd16", "icount", 21000, RAID6, settings="group_thread_cnt=4"),
    Cell("raid5-qd16", "qd16", "icount", 21000, "--level=5 --bitmap=none", disks=5),
    Cell("write-through-qd16", "qd16", "icount", 21000, WB, disks=4, journal="write-through"),
    Cell("write-back-qd16", "qd16", "icount", 21000, WB, disks=4, journal="write-back"),
    Cell("seq", "seq", "icount", 3000, RAID6),
    Cell("read", "read", "icount", 21000, RAID6),
    Cell("raid1-qd16", "qd16", "icount", 21000, "--level=1 --bitmap=none", disks=2),
    Cell("raid10-qd16", "qd16", "icount", 21000, "--level=10 --bitmap=none", disks=4),
)


class Run(NamedTuple):
    """One boot: a cell on a kernel, with some seeds."""

    cell: Cell
    label: str
    variant: str
    seeds: tuple[int, ...]
    delay: int = 0


def folder(run: Run, build: pathlib.Path) -> pathlib.Path:
    """Where its results are; the same cell, kernel and scripts give the same place."""
    text = "\0".join((repr(run), build.name, (FIO / "cell.sh").read_text("utf-8"),
                      (FIO / f"jobs/{run.cell.job}.fio").read_text("utf-8")))
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    return RESULTS / "runs" / f"{run.cell.name}-{run.label}-{key}"


def environment(run: Run) -> list[str]:
    """What cell.sh finds in its environment, as options of vm.py."""
    cell = run.cell
    words = {"CELL_NAME": cell.name, "CELL_JOB": cell.job, "CELL_WRITES": cell.writes,
             "CELL_SEEDS": " ".join(map(str, run.seeds)), "CELL_DISKS": cell.disks,
             "CELL_MDADM": cell.mdadm, "CELL_MODEL": cell.model, "CELL_JOURNAL": cell.journal,
             "CELL_SET": cell.settings, "CELL_DELAY": run.delay}
    return [o for key, value in words.items() for o in ("--env", f"{key}={value}")]


def execute(run: Run, build: pathlib.Path) -> pathlib.Path:
    """Boot, unless it was done before."""
    out = folder(run, build)
    if (out / "done").exists():
        return out
    out.mkdir(parents=True, exist_ok=True)
    status = test.vm(build, run.cell.clock, FIO / "cell.sh", out, "--timeout", "1500",
                     "--silence", "600", "--add", f"{FIO}/jobs:/guest/jobs",
                     *environment(run))
    if status:
        raise common.Error(f"{run.cell.name} on {run.variant}: {test.evidence(out, status)}")
    (out / "done").write_text("", "ascii")
    return out


def job_of(out: pathlib.Path, cell: Cell, seed: int) -> dict[str, Any]:
    """What fio says of the writes (or reads) of one seed."""
    job = json.loads((out / f"{cell.name}-{seed}.json").read_text("utf-8"))["jobs"][0]
    found: dict[str, Any] = job["read" if cell.job == "read" else "write"]
    return found


def histogram(jobs: list[dict[str, Any]]) -> dict[str, int]:
    """All completion latencies, ns: how many."""
    bins: dict[str, int] = {}
    for job in jobs:
        for ns, count in job["clat_ns"]["bins"].items():
            bins[ns] = bins.get(ns, 0) + count
    return bins


def summary(out: pathlib.Path, run: Run) -> dict[str, Any]:
    """Pooled percentiles in us, median IOPS, CPU time of the busiest md thread."""
    jobs = [job_of(out, run.cell, seed) for seed in run.seeds]
    found: dict[str, Any] = dict(demo.percentiles(histogram(jobs), PERCENTILES))
    found["iops"] = statistics.median(job["iops"] for job in jobs)
    found["seeds"] = [{**demo.percentiles(job["clat_ns"]["bins"], PERCENTILES),
                       "iops": job["iops"]} for job in jobs]
    spent = [int(line.split()[2]) for line in
             (out / "threads.txt").read_text("ascii").splitlines()]
    found["thread_us"] = statistics.median(spent) * 1000 / jobs[0]["total_ios"]
    return found


def ratios(ours: dict[str, Any], base: dict[str, Any], name: str) -> list[float] | None:
    """[least, median, most] of the seeds' ratios; None if a seed has too few samples."""
    if any(name not in seed for seed in (*ours["seeds"], *base["seeds"])):
        if name in ours and name in base:
            pooled = ours[name] / base[name]
            return [pooled, pooled, pooled]
        return None
    each = [a[name] / b[name] for a, b in zip(ours["seeds"], base["seeds"])]
    return [min(each), statistics.median(each), max(each)]


def entry(cell: Cell, runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A cell of bench.json."""
    base, patched = runs["base"], runs["patched"]
    floor = FLOORS.get(cell.job, 2) * DEVICE_US
    return {
        "cell": cell.name, "clock": cell.clock, "samples": base["samples"],
        "seeds": len(SEEDS), "floor_us": floor, "base": base, "patched": patched,
        "ratio": {n: ratios(patched, base, n) for n in ("p50", "p99", "p999", "p9999", "iops")},
        "base_against_base": {n: ratios(runs["base2"], base, n) for n in ("p50", "p99", "iops")},
        **({"control": ratios(runs["control"], patched, "p50")} if "control" in runs else {}),
    }


def figure(value: Any, digits: int = 0) -> str:
    """A cell of the table."""
    return "-" if value is None else f"{value:.{digits}f}"


def table(cells: list[dict[str, Any]]) -> list[str]:
    """The cells in Markdown."""
    lines = ["| cell | clock | samples | base p50, p99, p99.9 us; IOPS | patched | ratio of p99 "
             "[least, most] | of p99.9 | of IOPS | base against base, p99 | p99 to the floor | "
             "md thread, us a write |", "|" + "---|" * 11]
    for c in cells:
        sides = [f"{figure(c[v].get('p50'))}, {figure(c[v].get('p99'))}, "
                 f"{figure(c[v].get('p999'))}; {figure(c[v]['iops'])}"
                 for v in ("base", "patched")]

        def spread(three: list[float] | None) -> str:
            return "-" if not three else \
                f"{three[1]:.2f} [{three[0]:.2f}, {three[2]:.2f}]"
        p99 = c["patched"].get("p99")
        lines.append("| " + " | ".join([
            c["cell"], c["clock"], str(c["samples"]), *sides, spread(c["ratio"]["p99"]),
            spread(c["ratio"]["p999"]), spread(c["ratio"]["iops"]),
            spread(c["base_against_base"]["p99"]),
            figure(p99 / c["floor_us"] if p99 else None, 2),
            f"{c['base']['thread_us']:.1f}, {c['patched']['thread_us']:.1f}"]) + " |")
    return lines


def verdicts(cells: list[dict[str, Any]]) -> list[str]:
    """What is worse than the base, and controls that were not seen."""
    found = []
    for c in cells:
        for name in ("p99", "p999"):
            three = c["ratio"][name]
            if three and three[0] > 1 and three[1] > WORSE:
                found.append(f"{c['cell']}: {name} is {three[1]:.2f} times the base's")
        control = c.get("control")
        if control and control[0] <= 1.05:
            found.append(f"{c['cell']}: the control, {CONTROL_NS / 1000:.0f} us more for each I/O, "
                         f"was not seen ({control[1]:.3f})")
    return found


def compare(old: pathlib.Path, cells: list[dict[str, Any]]) -> None:
    """BASELINE=: the patched kernel's figures then and now."""
    before = {c["cell"]: c for c in json.loads(old.read_text("utf-8"))["cells"]}
    print(f"\npatched, {old} against now: p99, p99.9, IOPS")
    for c in cells:
        if c["cell"] in before:
            was, now = before[c["cell"]]["patched"], c["patched"]
            print(f"  {c['cell']:20}" + "".join(
                f"{figure(was.get(n)):>9} -> {figure(now.get(n)):<9}" for n in
                ("p99", "p999", "iops")))


def page(cells: list[dict[str, Any]], bins: dict[str, dict[str, dict[str, int]]],
         bad: list[str], command: str) -> None:
    """bench.json and bench.html."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    (RESULTS.parent / "bench.json").write_text(json.dumps({"cells": cells}, indent=1) + "\n",
                                               "utf-8")
    rows = "\n".join("<tr>" + "".join(f"<td>{word.strip()}</td>" for word in
                                      line.strip("|").split("|")) + "</tr>"
                     for line in table(cells) if not line.startswith("|---"))
    pictures = "\n".join(demo.cdf_picture(name, bins[name]) for name in bins)
    html = (f"<!DOCTYPE html><meta charset=utf-8><title>md-write: bench</title>"
            f"<p>{command}; RAID6 of 6, chunk 64K, unless the name says otherwise; members take "
            f"{DEVICE_US} us an I/O ({DEVICE_US} us and a flush 1 ms: every300, every450); "
            f"icount: an instruction is 1 ns, idle time skipped; tt: computing takes no time.</p>"
            f"<table border=1>{rows}</table><ul>{''.join(f'<li>{b}</li>' for b in bad)}</ul>"
            f"{pictures}")
    (RESULTS.parent / "bench.html").write_text(html, "utf-8")


def plan(wanted: list[str]) -> list[Cell]:
    """The cells asked for."""
    for word in wanted:
        if not any(re.search(word, c.name) for c in CELLS):
            raise common.Error(f"no cell matches {word}; there are: "
                               f"{' '.join(c.name for c in CELLS)}")
    return [c for c in CELLS if not wanted or any(re.search(w, c.name) for w in wanted)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--baseline", type=pathlib.Path, help="a bench.json to compare with")
    parser.add_argument("cells", nargs="*", help="regular expressions on the names of cells")
    args = parser.parse_args()
    cells = plan(args.cells)
    runs = [r for c in cells for r in (
        Run(c, "base", "base", SEEDS), Run(c, "base2", "base", OTHER_SEEDS),
        Run(c, "patched", "patched", SEEDS),
        *([Run(c, "control", "patched", SEEDS, CONTROL_NS)] if c.control else []))]
    builds = {(r.variant, r.cell.clock): kernel.build(r.variant, kernel.MODES[r.cell.clock])
              for r in runs}
    began, done = time.monotonic(), 0
    found: dict[str, dict[str, Any]] = {c.name: {} for c in cells}
    bins: dict[str, dict[str, dict[str, int]]] = {c.name: {} for c in cells}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        todo = {pool.submit(execute, r, builds[r.variant, r.cell.clock]): r for r in runs}
        for future in concurrent.futures.as_completed(todo):
            run, out = todo[future], future.result()
            found[run.cell.name][run.label] = summary(out, run)
            if run.label in ("base", "patched"):
                bins[run.cell.name][run.label] = histogram(
                    [job_of(out, run.cell, seed) for seed in run.seeds])
            done += 1
            spent = time.monotonic() - began
            common.say(f"{done} of {len(runs)}: {run.cell.name}, {run.label}; about "
                       f"{spent / done * (len(runs) - done) / 60:.0f} minutes left")
    table_of = [entry(c, found[c.name]) for c in cells]
    bad = verdicts(table_of)
    page(table_of, bins, bad, "make bench" + (f" CELLS='{' '.join(args.cells)}'"
                                              if args.cells else ""))
    print("\n".join(table(table_of)))
    if args.baseline:
        compare(args.baseline, table_of)
    print(f"page: {RESULTS.parent}/bench.html, figures: {RESULTS.parent}/bench.json")
    if bad:
        raise common.Error("\n".join(bad))


if __name__ == "__main__":
    common.entry(main)
