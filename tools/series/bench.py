#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make bench: latency of 4K random writes, base against patched.

Each cell (an array made by mdadm, a job of tools/testing/md/fio/jobs run by fio) runs in a VM
of its own: on the base, on the base again with other seeds, on the patched kernel, and on the
patched kernel with members that are slower by a known delay, which has to be seen. Results are
kept in build/results/bench, one folder for each kernel, cell and set of seeds, so a run that
was ended goes on where it was.

The base is fast with a journal where it does not wait for what it has to. A cell with a journal
that is worse than the base is run with the fixes alone as well, and judged beside them.
"""
from __future__ import annotations

import argparse
import collections
import concurrent.futures
import hashlib
import json
import lzma
import pathlib
import re
import statistics
import sys
import tarfile
import time
from typing import Any, NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import common  # noqa: E402
import demo  # noqa: E402
import kernel  # noqa: E402
import series  # noqa: E402
import test  # noqa: E402
from base import git  # noqa: E402
from cells import CELLS, Cell, Goal, Part  # noqa: E402

RESULTS = common.TOP / "build/results/bench"
FIO = test.TESTING / "fio"
SEEDS, OTHER_SEEDS = (11, 22, 33, 44, 55), (66, 77, 88, 99, 111)
PERCENTILES = (("p50", 50.0), ("p99", 99.0), ("p999", 99.9), ("p9999", 99.99))
SEED_BEYOND = 20    # samples beyond a percentile of one seed, which only gives the spread
DEVICE_US = {"": 100, "slow": 20000}
FLUSH_US = 1000
CONTROL_NS = 50000
WORSE = 1.03
CONDITIONS = (
    "RAID6 of 6, chunk 64K, a write of 4K with O_DIRECT by libaio, unless the name says otherwise; "
    f"null_blk members with a volatile cache take {DEVICE_US['']} us an I/O (every*, *-rand-*, "
    "*-seq-*: and 1 ms a flush; buffered: 20 ms an I/O); superblocks and bitmaps take no time, but "
    "in those, -cold and -lockless; icount: qemu, an instruction is 1 ns, idle time skipped; tt: "
    "user-mode Linux, computing takes no time; tcg: the host's time; 5 seeds, pooled; in brackets "
    "the least and the most of the seeds.")
# The patches up to this one make the journal right, those after it make writes faster.
LAST_FIX = "0055-md-raid5-let-a-write-that-failed-leave-nothing-behin.patch"
FIXES = "fixes"
# fio's random_distribution: a third of the writes to where no bit is set, see cell.sh.
COLD = "zoned:67/1:33/99"
# The columns of counts.txt and of probes.txt; and those of the table.
COUNTED = ("member_reads", "member_writes", "meta_ios", "flushes", "wakeups", "switches")
PROBED = ("passes", "wakeup_calls")
COLUMNS = {"passes": "passes of handle_stripe()", "wakeup_calls": "calls to wake a thread",
           "wakeups": "wake-ups", "switches": "context switches", "member_reads": "member reads",
           "member_writes": "writes", "meta_ios": "of superblock and bitmap",
           "flushes": "flushes", "cache_mib": "MiB of stripe cache"}


class Run(NamedTuple):
    """One boot: a cell on a kernel, with some seeds."""

    cell: Cell
    label: str
    variant: str
    seeds: tuple[int, ...]
    delay: int = 0


def job_text(name: str) -> str:
    """A job of fio, with what it includes."""
    text = (FIO / f"jobs/{name}").read_text("utf-8")
    return text + "".join(job_text(other) for other in re.findall(r"(?m)^include (.*)$", text))


def folder(run: Run, build: pathlib.Path) -> pathlib.Path:
    """Where its results are; the same cell, kernel and scripts give the same place."""
    cell = run.cell._replace(parts=(), goals=(), main=False, again=True)
    text = "\0".join((repr(run._replace(cell=cell)), build.name,
                      (FIO / "cell.sh").read_text("utf-8"), job_text(f"{cell.job}.fio"),
                      job_text("warm.fio")))
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    return RESULTS / "runs" / f"{cell.name}-{run.label}-{key}"


def environment(run: Run) -> list[str]:
    """What cell.sh finds in its environment, as options of vm.py."""
    cell = run.cell
    words = {"CELL_NAME": cell.name, "CELL_JOB": cell.job, "CELL_WRITES": cell.writes,
             "CELL_WORDS": f"{cell.words} PLACES={COLD if cell.state == 'cold' else 'random'}",
             "CELL_SEEDS": " ".join(map(str, run.seeds)), "CELL_DISKS": cell.disks,
             "CELL_MDADM": cell.mdadm, "CELL_MODEL": cell.model, "CELL_JOURNAL": cell.journal,
             "CELL_SET": cell.settings, "CELL_STATE": cell.state, "CELL_DELAY": run.delay,
             "CELL_COUNT": (max(cell.writes // 10, 1000 if cell.state == "cold" else 1)
                            if run.label in demo.VARIANTS else "")}
    return [o for key, value in words.items() for o in ("--env", f"{key}={value}")]


def execute(run: Run, build: pathlib.Path) -> pathlib.Path:
    """Boot, unless it was done before."""
    out = folder(run, build)
    # another make bench may be at it
    with common.locked(str(out / "lock")):
        if (out / "done").exists():
            return out
        status = test.vm(build, run.cell.clock, FIO / "cell.sh", out, "--timeout", "1500",
                         "--silence", "600", "--append", "slab_nomerge",
                         "--add", f"{FIO}/jobs:/guest/jobs", *environment(run))
        if status:
            raise common.Error(f"{run.cell.name} on {run.variant}: {test.evidence(out, status)}")
        keep_steady(out, run)
        (out / "done").write_text("", "ascii")
    return out


def keep_steady(out: pathlib.Path, run: Run) -> None:
    """Of a job that logs each write, keep the latencies of those that ended while all its writers
    had their queue full. fio waits for the last writes of a writer together, so they seem to take
    longer than they do: with 64 of 6,000, p99.9 was 32 ms and not 20."""
    for seed in run.seeds:
        logs = sorted(out.glob(f"{seed}-{run.cell.writes}_clat.*.log"))
        if not logs:
            continue
        jobs = report(out / f"{run.cell.name}-{seed}.json").values()
        depth = max(int(job["job options"]["iodepth"]) for job in jobs)
        # ms, ns, direction, ...
        each = [[(int(words[0]), int(words[1])) for words in
                 (line.split(",") for line in log.read_text("ascii").splitlines())
                 if int(words[2]) == 1][:-depth] for log in logs]
        end = min(writes[-1][0] for writes in each)
        bins = collections.Counter(binned(ns) for writes in each for at, ns in writes if at <= end)
        (out / f"steady-{seed}.json").write_text(json.dumps(
            {str(ns): count for ns, count in sorted(bins.items())}) + "\n", "ascii")
    for log in out.glob("*_clat.*.log"):
        log.unlink()


def binned(ns: int) -> int:
    """The middle of the bin that fio's histogram has for it."""
    shift = max(ns.bit_length() - 7, 0)
    return (ns >> shift << shift) + (1 << shift >> 1)


def report(path: pathlib.Path) -> dict[str, dict[str, Any]]:
    """What fio says of each of its jobs."""
    return {job["jobname"]: job for job in json.loads(path.read_text("utf-8"))["jobs"]}


def ios(jobs: dict[str, dict[str, Any]]) -> int:
    """Reads and writes of all jobs."""
    return sum(int(job[kind]["total_ios"]) for job in jobs.values() for kind in ("read", "write"))


def bins_of(out: pathlib.Path, run: Run, part: Part) -> list[dict[str, int]]:
    """All latencies of @part in ns and how many, seed by seed."""
    found = []
    for seed in run.seeds:
        steady = out / f"steady-{seed}.json"
        if part.kind == "write" and steady.exists():
            found.append(json.loads(steady.read_text("ascii")))
            continue
        job = report(out / f"{run.cell.name}-{seed}.json")[part.job]
        found.append(job["sync"]["lat_ns"]["bins"] if part.kind == "sync" else
                     job[part.kind]["clat_ns"]["bins"])
    return found


def pooled(each: list[dict[str, int]]) -> dict[str, int]:
    """The histograms as one."""
    bins: dict[str, int] = {}
    for one in each:
        for ns, count in one.items():
            bins[ns] = bins.get(ns, 0) + count
    return bins


def counts(out: pathlib.Path, run: Run) -> dict[str, float]:
    """Per read or write of fio, medians of the seeds; and the pages of the stripe cache."""
    seen: dict[str, list[float]] = {}
    lines = (out / "counts.txt").read_text("ascii").splitlines()
    for seed, line in zip(run.seeds, lines):
        busiest, stripes, *both = (int(word) for word in line.split())
        each = ios(report(out / f"{run.cell.name}-{seed}.json"))
        half = len(both) // 2
        for name, before, after in zip(COUNTED, both[:half], both[half:]):
            seen.setdefault(name, []).append((after - before) / each)
        seen.setdefault("thread_us", []).append(busiest * 1000 / each)
        seen.setdefault("cache_mib", []).append(stripes * run.cell.disks * 4 / 1024)
    found = {name: statistics.median(values) for name, values in seen.items()}
    if (out / "probes.txt").exists():
        each = ios(report(out / "counted.json"))
        for name, word in zip(PROBED, (out / "probes.txt").read_text("ascii").split()):
            found[name] = int(word) / each
    return found


def summary(out: pathlib.Path, run: Run, part: Part) -> dict[str, Any]:
    """Pooled percentiles in us, median IOPS, counts. Those of a seed are for the spread only."""
    each = bins_of(out, run, part)
    jobs = [report(out / f"{run.cell.name}-{seed}.json")[part.job] for seed in run.seeds]
    iops = [job["write" if part.kind == "sync" else part.kind]["iops"] for job in jobs]
    counted = counts(out, run)
    return {**demo.percentiles(pooled(each), PERCENTILES), "iops": statistics.median(iops),
            "max": max(int(ns) for bins in each for ns in bins) / 1000,
            "thread_us": counted.pop("thread_us"), "counts": counted,
            "seeds": [{**demo.percentiles(bins, PERCENTILES, SEED_BEYOND), "iops": rate}
                      for bins, rate in zip(each, iops)]}


def ratios(ours: dict[str, Any], base: dict[str, Any], name: str) -> list[float] | None:
    """[least of the seeds, pooled or median, most of the seeds]; None if there are too few
    samples."""
    if name not in ours or name not in base:
        return None
    middle = ours[name] / base[name]
    each = [a[name] / b[name] for a, b in zip(ours["seeds"], base["seeds"])
            if name in a and name in b] or [middle]
    return [min(middle, *each), middle, max(middle, *each)]


def floor(cell: Cell, part: Part) -> int:
    """What the members need for it, us: a read-modify-write reads, then writes; a full stripe and
    a mirror only write; a read only reads; fdatasync() flushes."""
    if part.kind == "sync" and cell.model == "flush":
        return FLUSH_US
    once = part.kind == "read" or cell.job == "seq" or part.job == "full" or \
        cell.mdadm.startswith("--level=1")
    return DEVICE_US.get(cell.model, DEVICE_US[""]) * (1 if once else 2)


def entry(cell: Cell, part: Part, runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A cell of bench.json."""
    base, patched = runs["base"], runs["patched"]
    return {
        "cell": cell.name + part.suffix, "clock": cell.clock, "samples": base["samples"],
        "seeds": len(SEEDS), "floor_us": floor(cell, part),
        "device_us": DEVICE_US.get(cell.model, DEVICE_US[""]), "base": base, "patched": patched,
        "ratio": {n: ratios(patched, base, n) for n in ("p50", "p99", "p999", "p9999", "iops")},
        "base_against_base": {n: ratios(runs["base2"], base, n)
                              for n in ("p50", "p99", "p999", "iops")} if "base2" in runs else {},
        **({"control": ratios(runs["control"], patched, "p50")} if "control" in runs else {}),
        **({FIXES: runs[FIXES], "ratio_to_fixes": {
            n: ratios(patched, runs[FIXES], n) for n in ("p50", "p99", "p999", "iops")}}
           if FIXES in runs else {}),
    }


def judge(cells: list[dict[str, Any]], goals: dict[str, tuple[Goal, ...]]) -> None:
    """Add each cell's goals, and whether they are met; None if that cannot be said."""
    rows = {c["cell"]: c for c in cells}
    for c in cells:
        c["goals"] = []
        for goal in goals.get(c["cell"], ()):
            ours = c["patched"].get(goal.figure)
            theirs = c["device_us"] if goal.against == "device" else \
                rows.get(c["cell"] if goal.against == "base" else goal.against, {}).get(
                    "base", {}).get(goal.figure)
            value = ours / theirs if ours and theirs else None
            c["goals"].append({"figure": goal.figure, "against": goal.against,
                               "limit": goal.limit, "value": value,
                               "met": None if value is None else value <= goal.limit})


def targets(cells: list[dict[str, Any]]) -> list[str]:
    """A line for each goal."""
    names = {"p99": "p99", "p999": "p99.9", "thread_us": "CPU time of the busiest md thread"}
    against = {"base": "of the base's", "device": "device times"}
    lines = []
    for c in cells:
        for goal in c["goals"]:
            word = ("too few samples, or its other cell was not run; longest "
                    f"{figure(c['base']['max'])} us on the base, {figure(c['patched']['max'])} "
                    "patched") if goal["met"] is None else \
                f"{goal['value']:.2f}, {'met' if goal['met'] else 'not met'}"
            lines.append(f"{c['cell']}: {names[goal['figure']]} at most {goal['limit']} " +
                         against.get(goal["against"], f"of the base's in {goal['against']}") +
                         f": {word}")
    return lines


def figure(value: Any, digits: int = 0) -> str:
    """A cell of the table."""
    return "-" if value is None else f"{value:.{digits}f}"


def spread(three: list[float] | None) -> str:
    """A ratio in the table."""
    return "-" if not three else f"{three[1]:.2f} [{three[0]:.2f}, {three[2]:.2f}]"


def table(cells: list[dict[str, Any]]) -> list[str]:
    """The cells in Markdown."""
    lines = ["| cell | clock | samples | base p50, p99, p99.9, p99.99, longest us; IOPS | patched "
             "| ratio of p99 [least, most] | of p99.9 | of IOPS | base against base, p99 | p99 to "
             "the floor | md thread, us a write | a write's " + ", ".join(COLUMNS.values()) +
             ": base; patched |", "|" + "---|" * 12]
    for c in cells:
        sides = [", ".join(figure(c[v].get(p)) for p in (*dict(PERCENTILES), "max")) +
                 f"; {figure(c[v]['iops'])}" for v in demo.VARIANTS]
        p99 = c["patched"].get("p99")
        lines.append("| " + " | ".join([
            c["cell"], c["clock"], str(c["samples"]), *sides, spread(c["ratio"]["p99"]),
            spread(c["ratio"]["p999"]), spread(c["ratio"]["iops"]),
            spread(c["base_against_base"].get("p99")),
            figure(p99 / c["floor_us"] if p99 else None, 2),
            f"{c['base']['thread_us']:.1f}, {c['patched']['thread_us']:.1f}",
            "; ".join(", ".join(figure(c[v]["counts"].get(name), 2) for name in COLUMNS)
                      for v in demo.VARIANTS)]) + " |")
    return lines


def worse(three: list[float] | None) -> bool:
    """Is that ratio of a percentile more than chance?"""
    return three is not None and three[0] > 1 and three[1] > WORSE


def verdicts(cells: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """What is worse than the base, and controls that were not seen; and what is worse than the
    base, but not than the fixes alone."""
    found: list[str] = []
    excused: list[str] = []
    for c in cells:
        for name in ("p99", "p999"):
            if not worse(c["ratio"][name]):
                continue
            line = f"{c['cell']}: {name} is {spread(c['ratio'][name])} times the base's"
            if FIXES not in c:
                found.append(line)
                continue
            three = c["ratio_to_fixes"][name]
            (found if worse(three) or not three else excused).append(
                f"{line}, and {spread(three)} times that of the patches up to "
                f"{LAST_FIX[:4]}, the fixes alone")
        control = c.get("control")
        if control and control[0] <= 1.05:
            found.append(f"{c['cell']}: the control, {CONTROL_NS / 1000:.0f} us more for each I/O, "
                         f"was not seen ({control[1]:.3f})")
    return found, excused


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
         lines: list[str], command: str) -> None:
    """bench.json and bench.html."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    (RESULTS.parent / "bench.json").write_text(json.dumps({"cells": cells}, indent=1) + "\n",
                                               "utf-8")
    rows = "\n".join("<tr>" + "".join(f"<td>{word.strip()}</td>" for word in
                                      line.strip("|").split("|")) + "</tr>"
                     for line in table(cells) if not line.startswith("|---"))
    pictures = "\n".join(demo.cdf_picture(name, bins[name]) for name in bins)
    html = (f"<!DOCTYPE html><meta charset=utf-8><title>md-write: bench</title>"
            f"<p>{command}. {CONDITIONS}</p>"
            f"<table border=1>{rows}</table>"
            f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>{pictures}")
    (RESULTS.parent / "bench.html").write_text(html, "utf-8")


def plan(wanted: list[str], whole: bool = False) -> list[Cell]:
    """The cells asked for."""
    for word in wanted:
        if not any(re.search(word, c.name) for c in CELLS):
            raise common.Error(f"no cell matches {word}; there are: "
                               f"{' '.join(c.name for c in CELLS)}")
    return [c for c in CELLS if (any(re.search(w, c.name) for w in wanted) if wanted else
                                 whole or c.goals or c.main)]


def runs_of(cells: list[Cell]) -> list[Run]:
    """All that has to be booted."""
    return [r for c in cells for r in (
        Run(c, "base", "base", SEEDS), Run(c, "patched", "patched", SEEDS),
        *([Run(c, "base2", "base", OTHER_SEEDS)] if c.again else []),
        *([Run(c, "control", "patched", SEEDS, CONTROL_NS)] if c.control else []))]


def fixes() -> str:
    """The commit of LAST_FIX."""
    names = [patch.name for patch in series.load()]
    commits = git("rev-list", "--reverse",
                  f"{kernel.variant_commit('base')}..{kernel.variant_commit('patched')}").split()
    return commits[names.index(LAST_FIX)]


def places(runs: list[Run]) -> dict[Run, tuple[pathlib.Path, pathlib.Path]]:
    """The kernel of each run, and where its results are."""
    builds = {(variant, clock): kernel.build(fixes() if variant == FIXES else variant,
                                             kernel.MODES[clock])
              for variant, clock in {(r.variant, r.cell.clock) for r in runs}}
    built = {run: builds[run.variant, run.cell.clock] for run in runs}
    return {run: (build, folder(run, build)) for run, build in built.items()}


def unpack(archive: pathlib.Path, outs: list[pathlib.Path]) -> None:
    """RUNS=: the results of other machines, or of before, of the same kernels and scripts."""
    missing = {out.name for out in outs if not (out / "done").exists()}
    with tarfile.open(archive) as tar:
        wanted = [m for m in tar if m.isfile() and re.fullmatch(r"[^/]+/\w[\w.-]*", m.name) and
                  m.name.split("/")[0] in missing]
        tar.extractall(RESULTS / "runs", wanted)
    common.say(f"{archive}: {len({m.name.split('/')[0] for m in wanted})} runs taken over")


def pack(archive: pathlib.Path, outs: list[pathlib.Path]) -> None:
    """RUNS=: keep what is finished. What another kernel measured goes."""
    draft = archive.with_suffix(".draft")
    with tarfile.open(draft, "w:xz") as tar:
        for out in sorted({out for out in outs if (out / "done").exists()}):
            # "done" goes last: what was cut off in the midst is not taken for whole
            for path in (*sorted(out.glob("*.json")), out / "counts.txt", out / "probes.txt",
                         out / "done"):
                if path.exists() and path.name != "result.json":
                    tar.add(path, f"{out.name}/{path.name}")
    draft.rename(archive)


def everything(where: dict[Run, tuple[pathlib.Path, pathlib.Path]]) -> dict[Run, pathlib.Path]:
    """Boot all, two at a time, and say how long it takes."""
    found, todo = {}, []
    for run, (_, out) in where.items():
        if (out / "done").exists():
            found[run] = out
        else:
            todo.append(run)
    common.say(f"{len(todo)} runs, and {len(found)} that were done before")
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = {pool.submit(execute, r, where[r][0]): r for r in todo}
        try:
            for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
                run = futures[future]
                found[run] = future.result()
                spent = time.monotonic() - began
                common.say(f"{done} of {len(todo)}: {run.cell.name}, {run.label}; about "
                           f"{spent / done * (len(todo) - done) / 60:.0f} minutes left")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def obtain(runs: list[Run], archive: pathlib.Path | None,
           kept: list[pathlib.Path]) -> dict[Run, pathlib.Path]:
    """From RUNS= or by booting; their places are added to @kept."""
    where = places(runs)
    outs = [out for _, out in where.values()]
    if archive and archive.exists():
        try:
            unpack(archive, outs)
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise common.Error(f"RUNS={archive} is no whole archive: remove it, or "
                               "give the one that an earlier run has kept.") from error
    kept += outs
    return everything(where)


def entries(cell: Cell, outs: dict[Run, pathlib.Path]) -> list[dict[str, Any]]:
    """A cell of bench.json for each of its parts."""
    return [entry(cell, part, {run.label: summary(out, run, part)
                               for run, out in outs.items() if run.cell == cell})
            for part in cell.parts]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every cell: make bench-all")
    parser.add_argument("--baseline", type=pathlib.Path, help="a bench.json to compare with")
    parser.add_argument("--runs", type=pathlib.Path, help="an archive of finished runs")
    parser.add_argument("cells", nargs="*", help="regular expressions on the names of cells")
    args = parser.parse_args()
    if args.baseline and not args.baseline.is_file():
        raise common.Error(f"BASELINE={args.baseline} is no file: give a bench.json of before.")
    if args.runs and not args.runs.resolve().parent.is_dir():
        raise common.Error(f"RUNS={args.runs}: there is no folder for it; make it first.")
    cells = plan(args.cells, args.all)
    kept: list[pathlib.Path] = []
    try:
        outs = obtain(runs_of(cells), args.runs, kept)
        slower = [c for c in cells if c.journal and verdicts(entries(c, outs))[0]]
        if slower:
            common.say(f"with the fixes alone: {' '.join(c.name for c in slower)}")
            outs |= obtain([Run(c, FIXES, FIXES, SEEDS) for c in slower], args.runs, kept)
    finally:
        # not over an archive that could not be read
        if args.runs and kept:
            pack(args.runs, kept)
    table_of = [row for cell in cells for row in entries(cell, outs)]
    bins = {cell.name + part.suffix: {
        run.label: pooled(bins_of(out, run, part)) for run, out in outs.items()
        if run.cell == cell and run.label in demo.VARIANTS}
        for cell in cells for part in cell.parts}
    judge(table_of, {cell.name: cell.goals for cell in cells})
    bad, excused = verdicts(table_of)
    lines = [*targets(table_of), *excused]
    words = f" CELLS='{' '.join(args.cells)}'" if args.cells else ""
    page(table_of, bins, [*lines, *bad], f"make bench{'-all' if args.all else ''}{words}")
    print("\n".join((*table(table_of), "", *lines)))
    if args.all and args.runs:
        # beside the runs, for who reads and does not run
        args.runs.with_name(args.runs.name.split(".")[0] + ".md").write_text("\n".join((
            "<!-- SPDX-License-Identifier: GPL-2.0 -->", "# What make bench-all has measured", "",
            CONDITIONS, "", *table(table_of), "", *(f"- {line}" for line in (*lines, *bad)), "")),
            "utf-8")
    if args.baseline:
        compare(args.baseline, table_of)
    print(f"page: {RESULTS.parent}/bench.html, figures: {RESULTS.parent}/bench.json")
    if bad:
        raise common.Error("\n".join(bad))


if __name__ == "__main__":
    common.entry(main)
