#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make where CELL=: where the p50, p99 and p99.9 writes of a cell of make bench spent their time.

tools/testing/md/fio/where.sh runs the cell with the block layer's events and with kprobes on
functions that base and patched both have, so the two kernels are looked at in the same way. From
the events each write gets a timeline, cut where its stripe was taken, handled, read for and
written:

  superblock    in md_write_start(); and while the md thread wrote superblocks or waited for the
                count of writers to settle, and the stripe had to wait for it
  no stripe     in raid5_get_active_stripe()
  overlap       until an earlier write of the same block has ended; and, of a stripe that was
                busy already, until that write had ended
  bitmap        the stripe had to wait while bits were written
  delayed       after a pass of handle_stripe() that did nothing, until the next one
  queue         the stripe could be handled, but was not yet
  CPU           the submitter up to the stripe, and passes of handle_stripe(), which send what is
                in the plug when it is full, and are interrupted by completions
  parity        in raid_run_ops(): copying the data, XOR and syndrome
  preread       outside of passes, until the last block is read: first as long as one of the
                requests waits to be sent (in the plug of the thread that goes on with other
                stripes), then until the last is done
  member write  the same, written; a FUA is in it
  journal       until the data, with write-through and the parity, are in the journal and the
                stripe is handled again
  flush         of a write with PREFLUSH, before the stripe is taken and after it is done
  other         what fits nowhere

Whatever is in two of these at a time counts for one, so they add up to the latency.
"""
from __future__ import annotations

import argparse
import bisect
import collections
import dataclasses
import gzip
import hashlib
import json
import pathlib
import re
import shutil
import statistics
import sys
from typing import Any, Iterable, Iterator, NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import bench  # noqa: E402
import common  # noqa: E402
import demo  # noqa: E402
import kernel  # noqa: E402
import test  # noqa: E402
from cells import CELLS, Cell  # noqa: E402

RESULTS = common.TOP / "build/results"
FIO = bench.FIO
SEEDS = (11, 22)
# Of each seed and job, at most: the trace has 33 lines of some 100 bytes for a write. A job that
# writes now and then (every450) takes its time even where idle time is skipped.
WRITES, WRITES_NOW_AND_THEN = 10000, 1000
PERCENTILES = (50.0, 99.0, 99.9)
QUEUES = ("to be handled first", "with its blocks read", "with parity computed",
          "with all written")
SENT = ("to be sent", "sent")
# Rows of the table, and of which parts they are made.
GROUPS: dict[str, tuple[str, ...]] = {
    "no stripe": ("",), "delayed": ("",), "bitmap": ("",), "superblock": ("",), "overlap": ("",),
    "queue for the md thread": QUEUES, "CPU": ("",), "preread": SENT, "parity": ("",),
    "member write": SENT, "journal": ("",), "flush": ("",), "other": ("",)}
CATEGORIES = tuple(f"{whole}: {part}" if part else whole
                   for whole, parts in GROUPS.items() for part in parts)
# sectors
BLOCK = 8
# jobs of make bench that do not write blocks of 4K straight to the array, or not only
OTHER_JOBS = ("seq", "seqread", "read", "mixed", "buffered")
MODELS = {"light": "members of 100 us an I/O, and none for their superblocks and bitmaps",
          "meta": "members of 100 us an I/O", "flush": "members of 100 us an I/O, 1 ms a flush"}
# so much of the time of all writes may be "other" before the breakdown is of no use
OTHER = 0.02
DONE = "_done"


class Event(NamedTuple):
    """A line of the trace."""

    task: str
    ns: int
    name: str
    words: list[str]


@dataclasses.dataclass
class Array:
    """What where.sh says of the array; devices as the kernel numbers them."""

    device: int = 0
    level: str = ""
    disks: int = 0
    chunk: int = 0
    members: dict[int, int] = dataclasses.field(default_factory=dict)
    journals: set[int] = dataclasses.field(default_factory=set)
    # the disks below them
    bottoms: dict[int, int] = dataclasses.field(default_factory=dict)

    def stripe(self, sector: int) -> int:
        """The sector of the stripe that holds @sector of the array; whatever the layout."""
        data = self.disks - (2 if self.level == "raid6" else 1)
        return sector // (self.chunk * data) * self.chunk + sector % self.chunk // BLOCK * BLOCK


@dataclasses.dataclass
class Pass:
    """A run of handle_stripe()."""

    begin: int
    end: int = 0
    parity: list[tuple[int, int]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Io:
    """A member's I/O for a stripe."""

    begin: int
    write: bool
    sent: int = 0
    end: int = 0


@dataclasses.dataclass
class Write:
    """A write to the array, of one stripe."""

    sector: int
    queued: int
    flush: bool
    started: int = 0
    gets: list[list[int]] = dataclasses.field(default_factory=list)
    done: int = 0
    passes: int = 0
    spent: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def ns(self) -> int:
        """Its latency."""
        return self.done - self.queued


LINE = re.compile(r"\s*(.+?-\d+)\s+\[\d+\]\s+(\d+): (\w+): (.*)")


def events(lines: Iterable[str]) -> Iterator[Event]:
    """The trace as tracefs prints it, with a clock of ns."""
    for line in lines:
        found = LINE.match(line)
        if found:
            task, ns, name, rest = found.groups()
            yield Event(task, int(ns), name, rest.split())
        elif line.strip() and not line.startswith("#"):
            raise common.Error(f"no event: {line.strip()}")


def number(word: str) -> int:
    """MAJOR,MINOR or (MAJOR,MINOR) as where.sh has it."""
    major, minor = word.strip("()").split(",")
    return int(major) << 20 | int(minor)


def array_of(text: str) -> Array:
    """array.txt."""
    array = Array()
    for line in text.splitlines():
        key, *words = line.split()
        if key == "member":
            array.members[int(words[0])] = int(words[1])
            array.bottoms.update({int(w): int(words[0]) for w in words[2:]})
        elif key == "journal":
            array.journals.add(int(words[0]))
        elif key == "level":
            array.level = words[0]
        else:
            setattr(array, {"array": "device"}.get(key, key), int(words[0]))
    return array


class Trace:
    """What happened to the array, by stripe."""

    def __init__(self, array: Array, found: Iterable[Event]) -> None:
        self.array = array
        self.writes: list[Write] = []
        self.larger = 0
        self.passes: dict[int, list[Pass]] = collections.defaultdict(list)
        self.ios: dict[int, list[Io]] = collections.defaultdict(list)
        # when the md thread wrote bits, and superblocks
        self.held: dict[str, list[tuple[int, int]]] = {"bitmap": [], "superblock": []}
        self._stripes: dict[str, int] = {}
        self._submits: dict[str, Write] = {}
        self._handles: dict[str, Pass] = {}
        self._since: dict[tuple[str, str], int] = {}
        self._asked: dict[str, int] = {}
        self._flying: dict[tuple[int, int, bool], list[Io]] = collections.defaultdict(list)
        self._open: dict[int, list[Write]] = collections.defaultdict(list)
        for event in found:
            getattr(self, f"_{event.name}", self._span)(event)
        for spans in self.held.values():
            spans.sort()

    def _block_bio_queue(self, event: Event) -> None:
        """Of the array: a write begins, whose submitter does the rest."""
        rwbs, sector, sectors = event.words[1], int(event.words[2]), int(event.words[4])
        self._submits.pop(event.task, None)
        if "W" in rwbs and sectors > BLOCK:
            self.larger += 1
        elif "W" in rwbs and sectors:
            write = Write(sector, event.ns, rwbs.startswith("F"))
            self._submits[event.task] = write
            self._open[sector].append(write)

    def _block_bio_remap(self, event: Event) -> None:
        """A member's I/O for a stripe."""
        device, sector = number(event.words[0]), int(event.words[2])
        if device in self.array.members:
            io = Io(event.ns, "W" in event.words[1])
            self._flying[device, sector, io.write].append(io)
            self.ios[sector - self.array.members[device]].append(io)

    def _block_rq_issue(self, event: Event) -> None:
        """To a disk: DEVICE RWBS BYTES () SECTOR + SECTORS ..., perhaps of several I/Os."""
        member = self.array.bottoms.get(number(event.words[0]))
        if member is None:
            return
        plus = event.words.index("+")
        first, sectors = int(event.words[plus - 1]), int(event.words[plus + 1])
        for sector in range(first, first + sectors, BLOCK):
            for io in self._flying.get((member, sector, "W" in event.words[1]), ())[-1:]:
                io.sent = event.ns

    def _block_bio_complete(self, event: Event) -> None:
        """Of a member, or the end of a write."""
        device, sector = number(event.words[0]), int(event.words[2])
        write = "W" in event.words[1]
        if device == self.array.device:
            if write and 0 < int(event.words[4]) <= BLOCK and self._open[sector]:
                ended = self._open[sector].pop(0)
                ended.done = event.ns
                self.writes.append(ended)
        elif self._flying[device, sector, write]:
            self._flying[device, sector, write].pop(0).end = event.ns

    def _started(self, event: Event) -> None:
        if event.task in self._submits:
            self._submits[event.task].started = event.ns

    def _get(self, event: Event) -> None:
        self._asked[event.task] = int(event.words[-1].split("=")[1])
        if event.task in self._submits:
            self._submits[event.task].gets.append([event.ns, 0])

    def _got(self, event: Event) -> None:
        self._stripes[event.words[-1].split("=")[1]] = self._asked.pop(event.task, -1)
        write = self._submits.get(event.task)
        if write and write.gets:
            write.gets[-1][1] = event.ns

    def _handle(self, event: Event) -> None:
        one = Pass(event.ns)
        self._handles[event.task] = one
        self.passes[self._stripes.get(event.words[-1].split("=")[1], -1)].append(one)

    def _handled(self, event: Event) -> None:
        one = self._handles.pop(event.task, None)
        if one:
            one.end = event.ns

    def _parity(self, event: Event) -> None:
        self._since[event.task, "parity"] = event.ns

    def _parity_done(self, event: Event) -> None:
        since = self._since.pop((event.task, "parity"), 0)
        if since and event.task in self._handles:
            self._handles[event.task].parity.append((since, event.ns))

    def _span(self, event: Event) -> None:
        """The md thread (md0_raid6-...) in a function in which it waits."""
        name = event.name.removesuffix(DONE)
        kind = {"bitmap": "bitmap", "llbitmap": "bitmap",
                "super": "superblock", "grace": "superblock"}.get(name)
        if not kind or not event.task.startswith("md"):
            return
        if name == event.name:
            self._since[event.task, name] = event.ns
        elif (event.task, name) in self._since:
            self.held[kind].append((self._since.pop((event.task, name)), event.ns))


def within(spans: list[tuple[int, int]], begin: int, end: int) -> list[tuple[int, int]]:
    """The parts of sorted spans that are between @begin and @end."""
    first = max(bisect.bisect_left(spans, (begin, 0)) - 1, 0)
    found = []
    for a, b in spans[first:]:
        if a >= end:
            break
        if b > begin:
            found.append((max(a, begin), min(b, end)))
    return found


class Timeline:
    """Where a write spent its time: every instant goes to one category."""

    def __init__(self, trace: Trace, write: Write) -> None:
        self.trace, self.write = trace, write
        self.now = write.queued
        write.spent = dict.fromkeys(CATEGORIES, 0)

    def until(self, ns: int, category: str) -> None:
        """From where it is to @ns."""
        ns = min(ns, self.write.done)
        if ns > self.now:
            self.write.spent[category] += ns - self.now
            self.now = ns

    def waiting(self, ns: int, category: str) -> None:
        """The same, for a stripe that waits for the md thread, which may be held up itself."""
        held = sorted((a, b, kind) for kind, spans in self.trace.held.items()
                      for a, b in within(spans, self.now, ns))
        for begin, end, kind in held:
            self.until(begin, category)
            self.until(end, kind)
        self.until(ns, category)

    def cut(self) -> None:
        """The whole of it."""
        write, trace = self.write, self.trace
        if write.started:
            self.until(write.started, "flush" if write.flush else "superblock")
        for index, (begin, end) in enumerate(write.gets):
            self.until(begin, "overlap" if index else "CPU")
            self.until(end, "no stripe")
        if not write.gets or not write.gets[-1][1]:
            self.until(write.done, "other")
            return
        stripe = trace.array.stripe(write.sector)
        ios = [io for io in trace.ios[stripe] if self.now < io.end and io.begin < write.done]
        ours = self.own_writes([io for io in ios if io.write])
        earlier = [io.end for io in ios if io.write and io not in ours]
        if earlier:
            self.until(max(earlier), "overlap")
        self.stripe(stripe, ours, [io for io in ios if not io.write and io.end > self.now])
        self.until(write.done, "flush" if write.flush else "other")

    def own_writes(self, writes: list[Io]) -> list[Io]:
        """The last time the stripe was written before the end: earlier ones are of other writes."""
        writes = [io for io in writes if io.begin < self.write.done]
        ours: list[Io] = []
        for io in sorted(writes, key=lambda io: io.begin, reverse=True):
            if ours and io.end < min(o.begin for o in ours):
                break
            if io.begin >= self.now:
                ours.append(io)
        return ours

    def stripe(self, stripe: int, writes: list[Io], reads: list[Io]) -> None:
        """From the stripe to the end of the last pass."""
        passes = [p for p in self.trace.passes[stripe]
                  if p.end > self.now and p.begin < self.write.done]
        self.write.passes = len(passes)
        idle = computed = False
        last: Pass | None = None
        for one in passes:
            flown = [io for io in (*reads, *writes) if io.begin < one.begin]
            for kind, name in ((False, "preread"), (True, "member write")):
                some = [io for io in flown if io.write is kind]
                if some:
                    self.until(min(max(io.sent for io in some), one.begin), f"{name}: to be sent")
                    self.until(min(max(io.end for io in some), one.begin), f"{name}: sent")
            if any(io.write for io in flown):
                name = f"queue for the md thread: {QUEUES[3]}"
            elif computed and self.trace.array.journals and not (last and last.parity and writes):
                name = "journal"
            elif last and last.parity:
                name = f"queue for the md thread: {QUEUES[2]}"
            elif idle:
                name = "delayed"
            else:
                name = f"queue for the md thread: {QUEUES[1 if flown else 0]}"
            self.waiting(one.begin, name)
            for begin, end in one.parity:
                self.until(begin, "CPU")
                self.until(end, "parity")
                computed = True
            self.until(one.end, "CPU")
            idle = not one.parity and not any(
                one.begin <= io.begin < one.end or last and last.end < io.end < one.begin
                for io in (*reads, *writes))
            last = one


def breakdown(array: Array, lines: Iterable[str]) -> list[Write]:
    """The writes of a trace with the times they spent."""
    trace = Trace(array, events(lines))
    for write in trace.writes:
        Timeline(trace, write).cut()
        if sum(write.spent.values()) != write.ns:
            raise common.Error(f"{write}: the parts make {sum(write.spent.values())} ns, "
                               f"the whole is {write.ns}")
    if trace.larger:
        common.say(f"{trace.larger} writes of more than 4K are left out")
    return trace.writes


def band(writes: list[Write], percentile: float) -> list[Write]:
    """Those around a percentile: half a percent each way, and no more than half of the tail."""
    writes = sorted(writes, key=lambda w: w.ns)
    reach = min((100 - percentile) / 2, 0.5)
    first = int(len(writes) * (percentile - reach) / 100)
    return writes[first:max(int(len(writes) * (percentile + reach) / 100), first + 1)]


class Side(NamedTuple):
    """What was found out of a kernel."""

    writes: list[Write]
    # what fio says, in us, with the events and without
    traced: dict[str, float]
    untraced: dict[str, float]

    def bands(self) -> list[list[Write]]:
        """p50, p99, p99.9."""
        return [band(self.writes, p) for p in PERCENTILES]


def cells() -> list[Cell]:
    """The cells of make bench that can be looked at."""
    return [c for c in CELLS if c.clock == "icount" and c.job not in OTHER_JOBS
            and c.state not in ("check", "recover") and re.search(r"--level=[456]\b", c.mdadm)]


def traced(run: bench.Run, build: pathlib.Path) -> pathlib.Path:
    """Boot with the events, unless that was done before."""
    text = "\0".join((repr(run), build.name, *(
        (FIO / name).read_text("utf-8") for name in ("where.sh", "cell.sh")),
                      bench.job_text(f"{run.cell.job}.fio")))
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    out = RESULTS / "where" / f"{run.cell.name}-{run.variant}-{key}"
    if (out / "done").exists():
        return out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    status = test.vm(build, run.cell.clock, FIO / "where.sh", out, "--timeout", "1500",
                     "--silence", "600", "--add", f"{FIO}/jobs:/guest/jobs",
                     "--add", f"{FIO}/cell.sh:/guest/cell.sh", *bench.environment(run))
    if status:
        raise common.Error(f"{run.cell.name} on {run.variant}, traced: "
                           f"{test.evidence(out, status)}")
    bench.keep_steady(out, run)
    for path in out.glob("trace-*.txt"):
        with open(path, "rb") as text_of, gzip.open(f"{path}.gz", "wb", 1) as packed:
            shutil.copyfileobj(text_of, packed)
        path.unlink()
    (out / "done").write_text("", "ascii")
    return out


def fio_writes(out: pathlib.Path, run: bench.Run, seed: int) -> list[dict[str, Any]]:
    """What fio says of the writes of its jobs."""
    text = (out / f"{run.cell.name}-{seed}.json").read_text("utf-8")
    return [job["write"] for job in json.loads(text)["jobs"]]


def latencies(out: pathlib.Path, run: bench.Run) -> dict[str, float]:
    """Percentiles and the mean of the completion latencies, us."""
    bins: collections.Counter[str] = collections.Counter()
    for seed in run.seeds:
        for writes in fio_writes(out, run, seed):
            bins.update(writes["clat_ns"]["bins"])
    mean = sum(int(ns) * count for ns, count in bins.items()) / bins.total() / 1000
    return {**demo.percentiles(dict(bins), bench.PERCENTILES), "mean": mean}


def look(cell: Cell, variant: str) -> Side:
    """A kernel: the cell without events, then with them."""
    build = kernel.build(variant, kernel.MODES[cell.clock])
    run = bench.Run(cell, "where", variant, SEEDS)
    common.say(f"{cell.name} on {variant}, untraced")
    untraced = latencies(bench.execute(run, build), run)
    common.say(f"{cell.name} on {variant}, traced")
    out = traced(run, build)
    array = array_of((out / "array.txt").read_text("ascii"))
    writes = []
    for seed in run.seeds:
        with gzip.open(out / f"trace-{seed}.txt.gz", "rt", encoding="ascii") as text:
            some = breakdown(array, text)
        want = sum(w["total_ios"] for w in fio_writes(out, run, seed))
        if len(some) != want:
            raise common.Error(f"{out}: fio did {want} writes, the trace of seed {seed} has "
                               f"{len(some)} of 4K")
        writes += some
    return Side(writes, latencies(out, run), untraced)


def rows(sides: list[Side]) -> list[tuple[str, list[float]]]:
    """Name and values in us, base's p50, p99, p99.9, then the other's; parts begin with a dash."""
    bands = [b for side in sides for b in side.bands()]

    def mean(*names: str) -> list[float]:
        return [statistics.fmean(sum(w.spent[n] for n in names) for w in b) / 1000
                for b in bands]
    found = [("latency, the sum of what follows", mean(*CATEGORIES))]
    for whole, parts in GROUPS.items():
        found.append((whole, mean(*(f"{whole}: {p}" if p else whole for p in parts))))
        if len(parts) > 1:
            found += [(f"- {part}", mean(f"{whole}: {part}")) for part in parts]
    return found


def report(cell: Cell, sides: dict[str, Side], command: str) -> str:
    """The page."""
    both = list(sides.values())
    names = [f"{v} {p}" for v in sides for p in ("p50", "p99", "p99.9")]
    lines = [f"# Where the writes of {cell.name} spent their time", "",
             f"`{command}`: {cell.job}.fio on `{cell.mdadm} --raid-devices={cell.disks}`"
             f"{', journal in ' + cell.journal if cell.journal else ''}"
             f"{', ' + cell.settings if cell.settings else ''}, "
             f"{MODELS.get(cell.model, cell.model)}; {cell.clock}: an "
             f"instruction is 1 ns, all CPUs share the clock. Seeds "
             f"{' and '.join(map(str, SEEDS))}, {cell.writes} writes each and job. Times in us, "
             "means over the writes in a band around the percentile.", "",
             "| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for name, values in rows(both):
        lines.append(f"| {name} | " + " | ".join(f"{v:.1f}" for v in values) + " |")
    bands = [b for side in both for b in side.bands()]
    lines.append("| passes of handle_stripe() | " + " | ".join(
        f"{statistics.fmean(w.passes for w in b):.2f}" for b in bands) + " |")
    lines.append("| writes in the band | " + " | ".join(str(len(b)) for b in bands) + " |")
    for name in ("traced", "untraced"):
        lines.append(f"| fio's completion latency, {name} | " + " | ".join(
            bench.figure(getattr(side, name).get(p), 1) for side in both
            for p in ("p50", "p99", "p999")) + " |")
    lines.append("")
    for variant, side in sides.items():
        other = sum(w.spent["other"] for w in side.writes) / sum(w.ns for w in side.writes)
        plain, traced_ = side.untraced["mean"], side.traced["mean"]
        lines.append(
            f"{variant}: {len(side.writes)} writes. fio's mean completion latency is "
            f"{plain:.1f} us without the events and {traced_:.1f} with them, {traced_ / plain:.2f} "
            "times as long: they are instructions too, mostly in passes and completions, and "
            "whatever waits for these waits longer. fio also counts the time until it looks. "
            + (f"**{other:.1%} of the time is \"other\".**" if other > OTHER else
               f"{other:.2%} of the time is \"other\".") + "\n")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--variant", default="patched", help="beside the base")
    parser.add_argument("cell", nargs="?", default="", help="a name of a cell of make bench")
    args = parser.parse_args()
    known = {c.name: c for c in cells()}
    if args.cell not in known:
        raise common.Error(
            f"{'no cell ' + args.cell if args.cell else 'CELL= is missing'}; 4K writes on "
            f"RAID4/5/6 under icount: {' '.join(known)}")
    cell = known[args.cell]
    most = WRITES_NOW_AND_THEN if cell.job.startswith("every") else WRITES
    cell = cell._replace(writes=min(cell.writes, most))
    sides = {v: look(cell, v) for v in ("base", args.variant)}
    command = f"make where CELL={cell.name}" + (
        f" VARIANT={args.variant}" if args.variant != "patched" else "")
    text = report(cell, sides, command)
    path = RESULTS / f"where-{cell.name}.md"
    path.write_text(text, "utf-8")
    print(f"{text}\n{path}")


if __name__ == "__main__":
    common.entry(main)
