# SPDX-License-Identifier: GPL-2.0
"""The cells of make bench and make bench-all, and what the patched kernel is to reach in them."""
from __future__ import annotations

from typing import NamedTuple


class Part(NamedTuple):
    """What of fio's report is judged; each part is a row of the table."""

    suffix: str = ""        # of the row's name
    job: str = "write"
    kind: str = "write"     # write, read, or sync: fdatasync(), sync_file_range()


class Goal(NamedTuple):
    """A limit for the patched kernel's figure, divided by another figure."""

    figure: str             # p99, p999, thread_us
    limit: float
    against: str = "base"   # or device: time of one member I/O; or another cell, on the base


class Cell(NamedTuple):
    """What is measured. A cell with goals, or main, is in make bench.

    How far the base is from itself is looked at in each of the steady cells, and where the load
    is of another kind.
    """

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
    state: str = ""
    words: str = ""
    parts: tuple[Part, ...] = (Part(),)
    goals: tuple[Goal, ...] = ()
    main: bool = False
    again: bool = False     # run base against base


RAID6 = "--level=6 --bitmap=none"
WARM = "--level=6 --bitmap=internal --bitmap-chunk=64M"
COLD = "--level=6 --bitmap=internal --bitmap-chunk=64K"
LOCKLESS = "--level=6 --bitmap=lockless"
WB = "--level=5"
# A resync is not what these measure.
FROZEN = "sync_action=frozen"

READ = (Part(job="read", kind="read"),)
SYNCED = (Part(), Part(" sync", "write", "sync"))
BUFFERED = (Part(job="buffered", kind="sync"), Part(" direct", "direct"))
MIXED = (Part(job="random"), Part(" full", "full"))


def ratio(p99: float, p999: float) -> tuple[Goal, ...]:
    """To the base's percentiles."""
    return Goal("p99", p99), Goal("p999", p999)


STEADY = ratio(0.85, 0.85)


def steady(name: str, mdadm: str, state: str = "", model: str = "light",
           goals: dict[str, tuple[Goal, ...]] | None = None) -> list[Cell]:
    """The steady writers on one array."""
    return [Cell(job + name, job, "icount", writes, mdadm, state=state, model=model,
                 goals=(goals or {}).get(job, ()), control=job + name == "qd1", again=True)
            for job, writes in (("qd1", 3000), ("qd16", 21000), ("qd64", 21000),
                                ("uring16", 21000))]


def now_and_then(interval: int) -> list[Cell]:
    """A writer like a journal's: on an array without and with a bitmap, and in three ways."""
    return [Cell(f"every{interval}{how}{name}", "every", "icount", 2000, mdadm, model="flush",
                 words=f"EVERY={interval} {words}",
                 parts=SYNCED if how == "-fdatasync" else (Part(),),
                 goals=(Goal("p99", limit),) if interval >= 300 and not how else (),
                 again=interval == 450 and not name and not how)
            for name, mdadm, limit in (("", RAID6, 0.5), ("-warm", WARM, 0.35))
            for how, words in (("", "SYNC=none FDATASYNC=0"), ("-dsync", "SYNC=dsync FDATASYNC=0"),
                               ("-fdatasync", "SYNC=none FDATASYNC=1"))]


def journaled() -> list[Cell]:
    """Writers on a RAID5 with a journal: in both modes, random and in sequence, with fsync()."""
    return [Cell(f"{mode}-{rw.removesuffix('write') or 'seq'}-qd{depth}"
                 f"{f'-fsync{syncs}' if syncs else ''}", "journal", "icount", 2100, WB, disks=4,
                 model="flush", journal=mode, settings=FROZEN,
                 words=f"RW={rw} DEPTH={depth} SYNCS={syncs}",
                 parts=SYNCED if syncs else (Part(),))
            for mode in ("write-through", "write-back") for rw in ("randwrite", "write")
            for depth in (1, 16, 64) for syncs in (0, 1, 32)]


CELLS = (
    Cell("qd1-tt", "qd1", "tt", 3000, RAID6, goals=(Goal("p99", 2.05, "device"),), again=True),
    Cell("qd16-tt", "qd16", "tt", 3000, RAID6, control=True, again=True,
         goals=(Goal("p99", 2.2, "device"),)),
    Cell("qd64x4-tt", "qd64x4", "tt", 6000, RAID6, goals=ratio(0.65, 0.6), again=True),
    Cell("qd64x4-warm-tt", "qd64x4", "tt", 6000, WARM, goals=ratio(0.65, 0.6), again=True),
    Cell("qd64x4-cache4096-tt", "qd64x4", "tt", 6000, RAID6, main=True,
         settings="stripe_cache_size=4096"),
    *steady("", RAID6, goals={"qd16": (*STEADY, Goal("thread_us", 0.65)), "qd64": STEADY}),
    *steady("-warm", WARM, goals={"qd16": STEADY, "qd64": STEADY}),
    *steady("-cold", COLD, "cold", "meta", {"qd16": ratio(0.6, 0.6)}),
    *steady("-lockless", LOCKLESS, model="meta"),
    Cell("qd64x4", "qd64x4", "icount", 6000, RAID6, goals=ratio(0.78, 0.6), again=True),
    Cell("qd64x4-warm", "qd64x4", "icount", 6000, WARM, goals=ratio(0.78, 0.6), again=True),
    Cell("qd64-32k", "qd64-32k", "icount", 21000, RAID6, goals=(Goal("p99", 1, "qd64"),),
         again=True),
    *now_and_then(50), *now_and_then(300), *now_and_then(450),
    *(Cell(f"buffered-qd{depth}", "buffered", "icount", 150, RAID6, model="slow",
           words=f"DEPTH={depth}", parts=BUFFERED, again=depth == 16,
           goals=ratio(0.15, 0.15) if depth == 16 else ())
      for depth in (4, 16, 32)),
    Cell("mixed", "mixed", "icount", 21000, RAID6, parts=MIXED),
    Cell("check-qd16", "qd16", "icount", 21000, RAID6, state="check"),
    Cell("rebuild-qd16", "qd16", "icount", 21000, RAID6, state="recover"),
    *(Cell(f"degraded{n}-qd16", "qd16", "icount", 21000, RAID6, state=f"degraded{n}")
      for n in (1, 2)),
    *(Cell(f"threads{n}-qd16", "qd16", "icount", 21000, RAID6, settings=f"group_thread_cnt={n}")
      for n in (0, 2, 4)),
    *(Cell(f"{mode}-qd16", "qd16", "icount", 21000, WB, disks=4, journal=mode, settings=FROZEN)
      for mode in ("write-through", "write-back")),
    # long enough to show what grows
    *(Cell(f"write-back-{job}", job, "icount", writes, WB, disks=4, journal="write-back",
           settings=FROZEN) for job, writes in (("qd64", 21000), ("qd64x4", 6000))),
    *journaled(),
    Cell("raid5-qd16", "qd16", "icount", 21000, "--level=5 --bitmap=none", disks=5),
    Cell("seq", "seq", "icount", 3000, RAID6),
    Cell("seqread", "seqread", "icount", 3000, RAID6, parts=READ),
    Cell("read", "read", "icount", 21000, RAID6, parts=READ),
    Cell("raid1-qd16", "qd16", "icount", 21000, "--level=1 --bitmap=none", disks=2),
    Cell("raid10-qd16", "qd16", "icount", 21000, "--level=10 --bitmap=none", disks=4),
    *(Cell(f"of{disks}-{job}", job, "icount", writes, RAID6, disks=disks)
      for disks in (4, 8, 12)
      for job, writes in (("qd16", 21000), ("qd64", 21000), ("qd64x4", 6000))),
)
