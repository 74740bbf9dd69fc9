#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Run the models of md's write protocol: the fixed logic must hold, all else must not.

A line for each variant; a counterexample is kept, with its steps in words. See README.rst.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import aptroot  # noqa: E402
import common  # noqa: E402

MEMORY_MB = 700
# A run that takes longer than this has met a model that grew; nothing here takes a minute.
SECONDS = 300

HOLDS, ASSERTION, DEADLOCK, LIVELOCK = "holds", "assertion", "deadlock", "livelock"
FORBIDDEN, ALLOWED = "never", "sometimes"

# What a variant is there for.
OURS = "ours"               # the fixed logic: it holds, and its statements are reached
BASE = "base"               # the logic before a fix: a counterexample
MUTANT = "mutant"           # the fixed logic less one wake-up, barrier, check or order: the same
WITNESS = "witness"         # claims that something interesting does not happen: the same
REDUNDANT = "redundant"     # less something that is not needed: it holds


@dataclasses.dataclass(frozen=True)
class Variant:
    """A model with some switches, or a litmus test with some lines changed."""
    model: str
    name: str
    group: str
    expect: str
    flags: tuple[str, ...] = ()
    finding: str = ""
    edits: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """How it is named in the output and on the command line."""
        return f"{self.model}/{self.name}"


def spin(model: str, group: str, name: str, flags: str, expect: str, finding: str = "") -> Variant:
    """A variant of MODEL.pml."""
    return Variant(model, name, group, expect, tuple(flags.split()), finding)


def litmus(test: str, group: str, name: str, expect: str, *edits: tuple[str, str],
           finding: str = "") -> Variant:
    """A variant of litmus/TEST.litmus."""
    return Variant(test, name, group, expect, (), finding, edits)


CLEAN = [
    spin("clean", OURS, "two-writers", "WRITES=2", HOLDS, "C3 C4"),
    spin("clean", OURS, "no-livelock", "NO_CYCLE", HOLDS),
    spin("clean", OURS, "auto-read", "A_AUTO_READ", HOLDS, "C6"),
    spin("clean", OURS, "auto-read-no-timer", "A_AUTO_READ A_NO_TIMER", HOLDS, "C6"),
    spin("clean", OURS, "store-clean", "A_STORE_CLEAN", HOLDS, "C3"),
    spin("clean", OURS, "store-active", "A_STORE_ACTIVE", HOLDS),
    spin("clean", OURS, "allow-write", "A_ALLOW_WRITE", HOLDS, "C4"),
    spin("clean", OURS, "holder", "A_HOLDER", HOLDS),
    spin("clean", OURS, "error", "A_ERROR", HOLDS),
    spin("clean", OURS, "store-readonly", "A_AUTO_READ A_READONLY P_READONLY", HOLDS),
    spin("clean", BASE, "C3", "B_C3", ASSERTION, "C3"),
    spin("clean", BASE, "C4", "B_C4", ASSERTION, "C4"),
    spin("clean", BASE, "C4-allow-write", "A_ALLOW_WRITE B_ALLOW_WRITE", ASSERTION, "C4"),
    spin("clean", BASE, "C6", "A_AUTO_READ B_C6", ASSERTION, "C6"),
    spin("clean", BASE, "C6-needed", "A_AUTO_READ B_C6 A_NO_TIMER WRITERS=1 A_DIRTY", ASSERTION,
         "C6"),
    spin("clean", BASE, "store-clean-wake", "A_STORE_CLEAN B_STORE_CLEAN", ASSERTION),
    spin("clean", BASE, "store-active", "A_STORE_ACTIVE B_STORE_ACTIVE", ASSERTION),
    spin("clean", BASE, "store-readonly", "A_AUTO_READ A_READONLY", ASSERTION),
    spin("clean", MUTANT, "flags-after-in-sync", "M_FLAGS_AFTER_IN_SYNC", ASSERTION),
    spin("clean", MUTANT, "PENDING-before-CLEAN", "M_PENDING_FIRST", ASSERTION),
    spin("clean", MUTANT, "checkers-before-in-sync", "M_CHECKERS_FIRST", ASSERTION),
    spin("clean", MUTANT, "no-wait-for-PENDING", "M_NO_WAIT", ASSERTION),
    spin("clean", MUTANT, "no-recheck-of-ro", "A_AUTO_READ M_NO_RECHECK", ASSERTION),
    spin("clean", MUTANT, "recheck-without-lock", "A_AUTO_READ M_RECHECK_NO_LOCK", ASSERTION),
    spin("clean", MUTANT, "switch-without-lock", "A_AUTO_READ A_NO_TIMER M_SWITCH_NO_LOCK",
         ASSERTION),
    spin("clean", MUTANT, "no-wake-when-dirty", "M_DIRTY_WAKE", DEADLOCK),
    spin("clean", MUTANT, "no-wake-at-switch", "A_AUTO_READ A_NO_TIMER M_SWITCH_WAKE", ASSERTION),
    spin("clean", MUTANT, "no-wake-when-counted", "M_CLEAN_WAKE", ASSERTION),
    spin("clean", MUTANT, "counted-twice", "M_CLEAN_TWICE", ASSERTION),
    spin("clean", MUTANT, "clean-without-mutex", "A_ALLOW_WRITE M_CLEAN_NO_MUTEX", DEADLOCK),
    spin("clean", MUTANT, "no-timer-at-end", "M_END_TIMER", ASSERTION),
    spin("clean", MUTANT, "unlock-wakes-no-thread", "A_HOLDER M_UNLOCK_THREAD", DEADLOCK),
    spin("clean", MUTANT, "nobody-wakes-sb-wait",
         "M_UPDATE_SB_WAIT M_UNLOCK_SB_WAIT M_RECOVERY_SB_WAIT", DEADLOCK),
    spin("clean", REDUNDANT, "CLEAN-then-PENDING", "R_CLEAN_FIRST", HOLDS),
    spin("clean", REDUNDANT, "sb-wait-by-update", "M_UPDATE_SB_WAIT", HOLDS),
    spin("clean", REDUNDANT, "sb-wait-by-unlock", "M_UNLOCK_SB_WAIT", HOLDS),
    spin("clean", REDUNDANT, "sb-wait-by-check", "M_RECOVERY_SB_WAIT", HOLDS),
    spin("clean", WITNESS, "the-end-is-reached", "WITNESS_END", ASSERTION),
    spin("clean", WITNESS, "write-beside-a-checker", "WITNESS_WRITE_WHILE_CHECKED", ASSERTION),
]

QUIESCE = [
    spin("quiesce", OURS, "stop", "A_STOP A_ERROR", HOLDS, "J9 CVE-2024-39476"),
    spin("quiesce", OURS, "no-livelock", "A_STOP A_ERROR WRITERS=1 NO_CYCLE", HOLDS, "J9"),
    spin("quiesce", OURS, "stop-worker", "A_STOP A_ERROR A_WORKER WRITERS=1", HOLDS, "J9"),
    spin("quiesce", OURS, "holder", "A_HOLDER A_ERROR", HOLDS, "CVE-2024-39476"),
    spin("quiesce", OURS, "suspend", "A_SUSPEND A_ERROR", HOLDS),
    spin("quiesce", OURS, "suspend-and-stop", "A_SUSPEND A_STOP A_ERROR WRITERS=1", HOLDS),
    spin("quiesce", OURS, "auto-read", "A_STOP A_ERROR A_AUTO_READ WRITERS=1 NO_CYCLE", HOLDS,
         "J9"),
    spin("quiesce", BASE, "J9", "A_STOP A_ERROR B_J9", DEADLOCK, "J9"),
    spin("quiesce", BASE, "CVE-2024-39476", "A_STOP B_CVE B_J9", DEADLOCK, "CVE-2024-39476"),
    spin("quiesce", BASE, "CVE-2024-39476-holder", "A_HOLDER B_CVE", DEADLOCK, "CVE-2024-39476"),
    spin("quiesce", BASE, "CVE-2024-39476-with-J9-fixed", "A_STOP A_ERROR B_CVE WRITERS=1",
         DEADLOCK, "CVE-2024-39476"),
    spin("quiesce", BASE, "stop-sets-in-sync", "A_STOP B_STOP_IN_SYNC", ASSERTION),
    spin("quiesce", MUTANT, "raid5d-wakes-no-quiesce", "A_STOP A_ERROR M_PENDING_WAKE", DEADLOCK),
    spin("quiesce", MUTANT, "quiesce-wakes-no-thread", "A_STOP A_ERROR M_QUIESCE_THREAD", DEADLOCK),
    spin("quiesce", MUTANT, "quiesce-writes-no-superblock",
         "A_STOP A_ERROR WRITERS=1 M_NO_UPDATE NO_CYCLE", LIVELOCK),
    spin("quiesce", MUTANT, "quiesce-ignores-ro",
         "A_STOP A_ERROR A_AUTO_READ WRITERS=1 M_IGNORES_RO NO_CYCLE", LIVELOCK),
    spin("quiesce", MUTANT, "update-wakes-no-worker",
         "A_STOP A_ERROR A_WORKER WRITERS=1 M_UPDATE_SB_WAIT", DEADLOCK),
    spin("quiesce", MUTANT, "last-stripe-wakes-nobody", "A_STOP A_ERROR M_STRIPE_WAKE", DEADLOCK),
    spin("quiesce", MUTANT, "quiesce-end-wakes-nobody", "A_STOP M_QUIESCE_END_WAKE", DEADLOCK),
    spin("quiesce", MUTANT, "unlock-wakes-no-thread", "A_HOLDER M_UNLOCK_THREAD", DEADLOCK),
    spin("quiesce", MUTANT, "suspend-under-the-mutex", "A_SUSPEND M_SUSPEND_LOCKED", DEADLOCK),
    spin("quiesce", MUTANT, "last-active-io-wakes-nobody", "A_SUSPEND M_ACTIVE_IO_WAKE", DEADLOCK),
    spin("quiesce", MUTANT, "resume-wakes-nobody", "A_SUSPEND M_RESUME_WAKE", DEADLOCK),
    spin("quiesce", REDUNDANT, "error-wakes-no-thread", "A_STOP A_ERROR WRITERS=1 R_ERROR_WAKE",
         HOLDS),
    spin("quiesce", WITNESS, "the-end-is-reached", "A_STOP A_ERROR WITNESS_END", ASSERTION),
    spin("quiesce", WITNESS, "quiesce-writes-a-superblock", "A_STOP A_ERROR WITNESS_UPDATE",
         ASSERTION),
]

WRITEBACK = [
    spin("writeback", OURS, "safemode", "A_ERROR", HOLDS, "J14"),
    spin("writeback", OURS, "no-livelock", "WRITERS=1 A_STOP A_ERROR NO_CYCLE", HOLDS),
    spin("writeback", OURS, "stop", "A_STOP A_ERROR", HOLDS, "J14 J21"),
    spin("writeback", OURS, "stop-no-timer", "A_STOP A_NO_TIMER", HOLDS),
    spin("writeback", OURS, "stop-broken", "A_STOP A_BROKEN", HOLDS, "J21"),
    spin("writeback", OURS, "stop-live-writer", "A_STOP A_LIVE_WRITERS WRITERS=1", HOLDS),
    spin("writeback", OURS, "stop-live-writer-no-timer",
         "A_STOP A_LIVE_WRITERS A_NO_TIMER WRITERS=1", HOLDS),
    spin("writeback", OURS, "stop-mode", "A_STOP A_MODE WRITERS=1", HOLDS),
    spin("writeback", OURS, "mode", "A_MODE", HOLDS, "J1"),
    spin("writeback", OURS, "mode-error", "A_MODE A_ERROR WRITERS=1", HOLDS, "J1"),
    spin("writeback", OURS, "mode-broken", "A_MODE A_BROKEN WRITERS=1", HOLDS, "J1"),
    spin("writeback", BASE, "J14", "B_J14", ASSERTION, "J14"),
    spin("writeback", BASE, "J1", "A_MODE M_NO_DRAIN", ASSERTION, "J1"),
    spin("writeback", BASE, "J21", "A_STOP A_BROKEN B_STOP_IN_SYNC", ASSERTION, "J21"),
    spin("writeback", BASE, "stop-live-writer",
         "A_STOP A_LIVE_WRITERS WRITERS=1 B_STOP_IN_SYNC", ASSERTION),
    spin("writeback", BASE, "broken-wakes-nobody", "A_STOP A_BROKEN B_BROKEN_WAKE", ASSERTION),
    spin("writeback", MUTANT, "put-outside-the-lock", "A_STOP P_PUT_OUTSIDE", ASSERTION),
    spin("writeback", MUTANT, "no-reference", "M_NO_REFERENCE", ASSERTION),
    spin("writeback", MUTANT, "start-after-md-write-end", "M_START_AFTER_END", ASSERTION),
    spin("writeback", MUTANT, "end-before-the-member-write", "A_STOP M_END_BEFORE_WRITE",
         ASSERTION),
    spin("writeback", MUTANT, "end-without-timer", "M_END_TIMER", ASSERTION),
    spin("writeback", MUTANT, "end-wakes-nobody", "A_STOP A_NO_TIMER M_DRAIN_WAKE", DEADLOCK),
    spin("writeback", MUTANT, "stuck-wakes-nobody", "A_STOP A_BROKEN A_NO_TIMER M_STUCK_WAKE",
         DEADLOCK),
    spin("writeback", MUTANT, "counter-not-looked-at", "M_COUNTER_NOT_READ", ASSERTION),
    spin("writeback", MUTANT, "safemode-starts-no-write-out", "M_NO_WRITE_OUT", ASSERTION),
    spin("writeback", MUTANT, "drain-asks-once",
         "A_STOP A_LIVE_WRITERS A_NO_TIMER WRITERS=1 M_ASK_ONCE", DEADLOCK),
    spin("writeback", MUTANT, "drain-under-the-mutex", "A_STOP A_ERROR M_DRAIN_LOCKED", DEADLOCK),
    spin("writeback", MUTANT, "drain-before-suspend", "A_MODE M_DRAIN_FIRST", ASSERTION),
    spin("writeback", MUTANT, "mode-switch-locks-first", "A_MODE A_ERROR M_MODE_LOCKED", DEADLOCK),
    spin("writeback", WITNESS, "the-end-is-reached", "A_STOP WITNESS_END", ASSERTION),
    spin("writeback", WITNESS, "one-drain-sees-two-stripes", "A_STOP WITNESS_TWO", ASSERTION),
]

WRITER_GET = "\t}\n\tsmp_mb();\n"
LOADS = ("\tr1 = READ_ONCE(*sync_checkers);\n\tsmp_rmb();\n\tr2 = READ_ONCE(*in_sync);\n",
         "\tr2 = READ_ONCE(*in_sync);\n\tsmp_rmb();\n\tr1 = READ_ONCE(*sync_checkers);\n")
NO_RCU = (("\trcu_read_lock();\n", ""), ("\trcu_read_unlock();\n", ""))
SETTER = "\t\t\tWRITE_ONCE(*in_sync, 1);\n\t\t\tsmp_mb();\n"
SETTER_END = "\t\t}\n\t}\n\tWRITE_ONCE(*sync_checkers, 0);\n"
PENDING_FLAG = "\t\tWRITE_ONCE(*pending, 1);\n"
IN_SYNC_0 = "\t\tWRITE_ONCE(*in_sync, 0);\n"
SWITCH = "\tWRITE_ONCE(*ro, 0);\n\tWRITE_ONCE(*needed, 1);\n"
SEES_PENDING = "\tsmp_rmb();\n\tr2 = READ_ONCE(*pending);\n"

LITMUS = [
    litmus("MD+clean", OURS, "as-it-is", FORBIDDEN, finding="C3"),
    litmus("MD+clean-second", OURS, "as-it-is", FORBIDDEN, finding="C3"),
    litmus("MD+dirty", OURS, "as-it-is", FORBIDDEN, finding="C4"),
    litmus("MD+dirty-cmpxchg", OURS, "as-it-is", FORBIDDEN, finding="C4"),
    litmus("MD+dirty-locked", OURS, "as-it-is", FORBIDDEN, finding="C4"),
    litmus("MD+auto-read", OURS, "as-it-is", FORBIDDEN, finding="C6"),
    litmus("MD+clean", BASE, "C3", ALLOWED, LOADS,
           ("\tr2 = READ_ONCE(*in_sync);\n\tsmp_rmb();\n", "\tr2 = READ_ONCE(*in_sync);\n"),
           finding="C3"),
    litmus("MD+dirty", BASE, "C4", ALLOWED,
           (PENDING_FLAG + "\t\tsmp_wmb();\n" + IN_SYNC_0, IN_SYNC_0 + PENDING_FLAG),
           ("\tsmp_rmb();\n\tr2", "\tr2"), finding="C4"),
    litmus("MD+auto-read", BASE, "C6", ALLOWED,
           ("\tint r1;\n\n\tspin_lock(md_lock);\n", "\tint r1;\n\n"),
           ("\t\tWRITE_ONCE(*pending, 0);\n\t}\n\tspin_unlock(md_lock);\n",
            "\t\tWRITE_ONCE(*pending, 0);\n\t}\n"), finding="C6"),
    litmus("MD+clean", MUTANT, "writer-no-rmb", ALLOWED, ("\tsmp_rmb();\n", "")),
    litmus("MD+clean", MUTANT, "writer-loads-swapped", ALLOWED, LOADS),
    litmus("MD+clean", MUTANT, "setter-no-mb", ALLOWED, ("\t\t\tsmp_mb();\n", "")),
    litmus("MD+clean", MUTANT, "setter-stores-swapped", ALLOWED,
           (SETTER + SETTER_END, "\t\t\tWRITE_ONCE(*sync_checkers, 0);\n\t\t\tsmp_mb();\n"
            "\t\t\tWRITE_ONCE(*in_sync, 1);\n\t\t}\n\t}\n")),
    litmus("MD+clean", MUTANT, "no-grace-period", ALLOWED, ("\tsynchronize_rcu();\n", "")),
    litmus("MD+clean", MUTANT, "writer-no-mb-and-no-rcu", ALLOWED, (WRITER_GET, "\t}\n"), *NO_RCU),
    litmus("MD+clean-second", MUTANT, "writer-no-rmb", ALLOWED, ("\tsmp_rmb();\n", "")),
    litmus("MD+dirty", MUTANT, "no-wmb", ALLOWED, ("\t\tsmp_wmb();\n", "")),
    litmus("MD+dirty", MUTANT, "stores-swapped", ALLOWED,
           (PENDING_FLAG + "\t\tsmp_wmb();\n" + IN_SYNC_0,
            IN_SYNC_0 + "\t\tsmp_wmb();\n" + PENDING_FLAG)),
    litmus("MD+dirty", MUTANT, "no-rmb-before-PENDING", ALLOWED,
           (SEES_PENDING, "\tr2 = READ_ONCE(*pending);\n")),
    litmus("MD+dirty", MUTANT, "loads-swapped", ALLOWED,
           ("\tr1 = READ_ONCE(*in_sync);\n" + SEES_PENDING, "\tr2 = READ_ONCE(*pending);\n"
            "\tsmp_rmb();\n\tr1 = READ_ONCE(*in_sync);\n")),
    litmus("MD+auto-read", MUTANT, "writer-no-lock", ALLOWED,
           ("\tspin_lock(md_lock);\n" + SWITCH + "\tspin_unlock(md_lock);\n", SWITCH)),
    litmus("MD+clean", REDUNDANT, "writer-no-mb", FORBIDDEN, (WRITER_GET, "\t}\n")),
    litmus("MD+clean", REDUNDANT, "writer-no-rcu", FORBIDDEN, *NO_RCU),
    litmus("MD+clean", REDUNDANT, "rcu-around-the-get-only-no-mb", FORBIDDEN,
           (WRITER_GET, "\t}\n\trcu_read_unlock();\n"),
           ("\tr2 = READ_ONCE(*in_sync);\n\trcu_read_unlock();\n",
            "\tr2 = READ_ONCE(*in_sync);\n")),
    litmus("MD+clean", REDUNDANT, "setter-wmb", FORBIDDEN,
           ("\t\t\tsmp_mb();\n", "\t\t\tsmp_wmb();\n")),
    litmus("MD+clean-second", REDUNDANT, "writer-no-mb", FORBIDDEN, (WRITER_GET, "\t}\n")),
    litmus("MD+dirty-cmpxchg", REDUNDANT, "no-wmb", FORBIDDEN, ("\t\tsmp_wmb();\n", "")),
    litmus("MD+dirty-locked", REDUNDANT, "no-rmb", FORBIDDEN, ("\tsmp_rmb();\n", "")),
]

VARIANTS = [*CLEAN, *QUIESCE, *WRITEBACK, *LITMUS]


@dataclasses.dataclass
class Result:
    """What came of a variant."""
    variant: Variant
    verdict: str
    seconds: float = 0
    states: int = 0
    detail: str = ""
    lines: frozenset[str] = frozenset()         # of ours: with statements, and executed
    reached: frozenset[str] = frozenset()

    @property
    def good(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.verdict == self.variant.expect

    def line(self) -> str:
        """The line that the user sees."""
        size = f"{self.states} states, " if self.states else ""
        text = f"{'ok' if self.good else 'FAIL':4} {self.variant.title} ({self.variant.group}): " \
               f"{self.verdict}"
        if not self.good:
            text += f", expected: {self.variant.expect}"
        text += f" ({size}{self.seconds:.1f} s)"
        return text + (f"\n     {self.detail}" if self.detail and not self.good else "")


class Spin:
    """Compiles and runs a variant of a Promela model."""

    def __init__(self, variant: Variant, out: pathlib.Path) -> None:
        self.variant = variant
        self.source = HERE / f"{variant.model}.pml"
        self.out = out
        self.cycles = "NO_CYCLE" in variant.flags
        self.flags = [f"-D{f}" for f in variant.flags]

    def build(self, *options: str) -> None:
        """Make pan in self.out."""
        common.run(["spin", *self.flags, "-a", self.source], cwd=self.out, what="spin")
        common.run(["gcc", "-O1", "-w", f"-DMEMLIM={MEMORY_MB}", "-DVECTORSZ=512", *options,
                    "-o", "pan", "pan.c"], cwd=self.out, what="gcc")

    def pan(self, *options: str) -> str:
        """Run it."""
        done = subprocess.run(["./pan", "-m100000", *options], cwd=self.out, check=False,
                              capture_output=True, text=True, timeout=SECONDS)
        return done.stdout + done.stderr

    def check(self) -> Result:
        """The verdict, with the counterexample in words."""
        self.build("-DNP" if self.cycles else "-DSAFETY")
        text = self.pan(*(["-l"] if self.cycles else []))
        (self.out / "pan.txt").write_text(text, "utf-8")
        result = Result(self.variant, verdict_of(text))
        states = re.search(r"(\d+) states, stored", text)
        result.states = int(states[1]) if states else 0
        result.detail = f"see {self.out}"
        if result.verdict == HOLDS and self.variant.group == OURS:
            result.lines, result.reached = self.coverage(text)
        elif result.verdict != HOLDS:
            self.steps()
        for name in ("pan", *(p.name for p in self.out.glob("pan.?")), "_spin_nvr.tmp"):
            (self.out / name).unlink(missing_ok=True)
        return result

    def coverage(self, text: str) -> tuple[frozenset[str], frozenset[str]]:
        """The lines with statements, and those that some process executed as a whole."""
        lines: dict[str, set[str]] = {}
        for part in re.split(r"^(?:proctype )(?=\S+$)", self.pan("-d"), flags=re.M)[1:]:
            lines.setdefault(part.split()[0], set()).update(
                where for where, what in re.findall(r"/(\w+\.pml:\d+) => (.*)$", part, re.M)
                if what != "-end-")
        reached: set[str] = set()
        for part in re.split(r"^unreached in (?:proctype )?", text, flags=re.M)[1:]:
            reached |= lines.get(part.split()[0], set()) - set(re.findall(
                r'/(\w+\.pml:\d+), state \d+, "(?!-end-")', part))
        return frozenset(set().union(*lines.values())), frozenset(reached)

    def steps(self) -> None:
        """The trail as a list of steps, in steps.txt."""
        trail = next(iter(self.out.glob("*.trail")), None)
        if not trail:
            return
        text = common.run(["spin", *self.flags, "-t", "-p", "-k", trail, self.source],
                          cwd=self.out, what="spin -t")
        (self.out / "steps.txt").write_text(readable(text), "utf-8")

    def shortest(self) -> str:
        """A shortest counterexample, by searching breadth first."""
        self.build("-DSAFETY", "-DBFS")
        self.pan()
        self.steps()
        return (self.out / "steps.txt").read_text("utf-8")


def verdict_of(text: str) -> str:
    """The kind of pan's outcome. A search that was cut short has none."""
    if "error: max search depth too small" in text or "-DMEMLIM" in text \
            or "errors:" not in text:
        return "unfinished"
    if "errors: 0" in text:
        return HOLDS
    error = re.search(r"^pan:1: (.*)$", text, re.M)
    for words, kind in (("assertion violated", ASSERTION), ("invalid end state", DEADLOCK),
                        ("non-progress cycle", LIVELOCK)):
        if error and words in error[1]:
            return kind
    return "unknown"


def readable(text: str) -> str:
    """Spin's replay, a step a line: number, process, place, statement."""
    out = []
    for line in text.splitlines():
        match = re.match(r"\s*(\d+):\s+proc\s+(\d+) \(([^):]*)[^)]*\) \S*?(\w+\.pml:\d+) "
                         r"\(state \d+\)\s*(.*)", line)
        if match:
            step, process, name, place, what = match.groups()
            if what in ("[(1)]", "[else]", "[break]"):
                continue
            out.append(f"{step:>5}  {name + '-' + process:<18} {place:<18} {what.strip()}")
        elif "Error" in line or "trail ends" in line or "processes" in line or "CYCLE" in line:
            out.append(line.strip().replace(str(HERE) + "/", ""))
    return "\n".join(out) + "\n"


class Herd:
    """herd7, of this system or fetched from sid with its own C library."""

    def __init__(self, model: pathlib.Path) -> None:
        self.model = model
        if not (model / "linux-kernel.cfg").exists():
            raise common.Error(f"{model} holds no memory model (linux-kernel.cfg); name the "
                               "kernel's tools/memory-model with --memory-model.")
        self.command = ["herd7"] if shutil.which("herd7") else self.fetched()

    @staticmethod
    def fetched() -> list[str]:
        """The command that runs the fetched one. It wants a newer libc than stable's."""
        final = common.cache() / "tools" / "herd"
        if not (final / "usr/bin/herd7").exists():
            debs = [aptroot.deb(p, "sid") for p in ("herdtools7", "libc6", "libgmp10")]
            with common.locked("herd"), common.published(final) as partial:
                for deb in debs:
                    common.run(["dpkg-deb", "-x", deb, partial], what="dpkg-deb")
        libraries = final / "usr/lib/x86_64-linux-gnu"
        return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries),
                str(final / "usr/bin/herd7"), "-set-libdir",
                str(final / "usr/share/herdtools7/herd")]

    def check(self, variant: Variant, out: pathlib.Path) -> Result:
        """Run one litmus test."""
        text = (HERE / "litmus" / f"{variant.model}.litmus").read_text("utf-8")
        for old, new in variant.edits:
            if text.count(old) != 1 and not (old in NO_RCU[0] or old in NO_RCU[1]):
                raise common.Error(f"{variant.title}: this is in the test {text.count(old)} "
                                   f"times, not once:\n{old}")
            text = text.replace(old, new)
        path = out / f"{variant.model}.litmus"
        path.write_text(text, "utf-8")
        done = subprocess.run([*self.command, "-conf", "linux-kernel.cfg", str(path.absolute())],
                              cwd=self.model, check=False, capture_output=True, text=True,
                              timeout=SECONDS)
        (out / "herd.txt").write_text(done.stdout + done.stderr, "utf-8")
        seen = re.search(r"^Observation \S+ (\w+) (\d+) (\d+)", done.stdout, re.M)
        if not seen or "Flag" in done.stdout:
            return Result(variant, "unfinished", detail=(done.stderr.strip() or
                                                         f"see {out}/herd.txt"))
        return Result(variant, seen[1].lower(), states=int(seen[2]) + int(seen[3]),
                      detail=f"see {out}/herd.txt")


def run(variant: Variant, herd: Herd | None, out: pathlib.Path) -> Result:
    """One variant; what it left behind is in a folder of @out."""
    folder = out / variant.title.replace("/", "-").replace("+", "-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    try:
        if variant in LITMUS:
            assert herd
            result = herd.check(variant, folder)
        else:
            result = Spin(variant, folder).check()
    except (common.Error, subprocess.TimeoutExpired) as err:
        result = Result(variant, "unfinished", detail=str(err))
    result.seconds = time.monotonic() - began
    return result


def never_reached(results: list[Result]) -> list[str]:
    """Lines of a model that no variant of the fixed logic executes: it proves nothing of them."""
    bad = []
    for model in ("clean", "quiesce", "writeback"):
        ours = [r for r in results if r.variant.model == model and r.variant.group == OURS]
        if [r.variant for r in ours] != [v for v in VARIANTS
                                         if v.model == model and v.group == OURS]:
            continue
        left = {where for r in ours for where in r.lines - r.reached}
        for where in sorted(left - {where for r in ours for where in r.reached}):
            file, number = where.split(":")
            text = (HERE / file).read_text("utf-8").splitlines()[int(number) - 1]
            if "not reached" not in text:
                bad.append(f"{where} in {model}.pml: {text.strip()}")
    return bad


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("variants", nargs="*",
                        help="regular expressions on names and groups; none: all")
    parser.add_argument("--list", action="store_true", help="name them and run nothing")
    parser.add_argument("--steps", action="store_true",
                        help="print a shortest counterexample of each (Spin's only)")
    parser.add_argument("--out", type=pathlib.Path, default=common.TOP / "build/results/model")
    parser.add_argument("--json", type=pathlib.Path, help="write the verdicts here as well")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--memory-model", type=pathlib.Path,
                        default=common.TOP / "tools/memory-model",
                        help="the kernel's tools/memory-model")
    args = parser.parse_args()
    wanted = [v for v in VARIANTS if not args.variants or any(
        re.search(w, f"{v.title} {v.group}") for w in args.variants)]
    if not wanted:
        raise common.Error("no variant has such a name; --list names them.")
    if args.list:
        print("\n".join(f"{v.title} ({v.group}, {v.expect})" for v in wanted))
        return
    common.need_tools({"spin": "spin", "gcc": "gcc"})
    if args.steps:
        for variant in (v for v in wanted if v not in LITMUS):
            with tempfile.TemporaryDirectory() as temp:
                print(f"{variant.title}\n{Spin(variant, pathlib.Path(temp)).shortest()}")
        return
    herd = Herd(args.memory_model.absolute()) if any(v in LITMUS for v in wanted) else None
    results = []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for result in pool.map(lambda v: run(v, herd, args.out.absolute()), wanted):
            results.append(result)
            print(result.line(), flush=True)
    stray = never_reached(results)
    if stray:
        print("FAIL these statements are reached in no variant of the fixed logic:\n     " +
              "\n     ".join(stray))
    if args.json:
        args.json.write_text(json.dumps([{
            "name": r.variant.title, "model": r.variant.model, "group": r.variant.group,
            "findings": r.variant.finding.split(), "expected": r.variant.expect,
            "verdict": r.verdict, "good": r.good, "states": r.states,
            "seconds": round(r.seconds, 2), "detail": r.detail} for r in results] + ([{
                "name": "reachability", "model": "", "group": WITNESS, "findings": [],
                "expected": HOLDS, "verdict": "unreached", "good": False, "states": 0,
                "seconds": 0, "detail": "; ".join(stray)}] if stray else []), indent=1) + "\n",
            "utf-8")
    bad = sum(not r.good for r in results)
    print(f"{len(results) - bad} of {len(results)} variants as expected, "
          f"{len(stray)} statements not reached; {args.out}")
    if bad or stray:
        sys.exit(1)


if __name__ == "__main__":
    common.entry(main)
