#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make soak: random power cuts, failures and rebuilds of arrays with a journal, for HOURS=.

One machine after another runs rounds of tools/testing/md/tests/soak.sh until the time is over. What
is wrong ends its machine, is noted with its log and its seed, and the next machine goes on. A seed
repeats the choices of a round, not its interleaving: try it a few times. Exit status 1 if anything
was wrong; with VARIANT=base only if no machine worked, as a base that loses data is what one looks
for there.
"""
from __future__ import annotations

import argparse
import collections
import json
import math
import pathlib
import re
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import common  # noqa: E402
import kernel  # noqa: E402
import test  # noqa: E402

# Of rounds in one machine, s; the last round begins before it is over and takes up to a minute.
LENGTH = 300
LONGEST_ROUND = 300
MOST_SEEDS = 10 ** 9
COUNTS = {
    "rounds": "rounds", "writes": "4K writes acknowledged", "fsyncs": "fsyncs acknowledged",
    "verified": "times that all blocks were verified", "cuts": "power cuts",
    "recovery_cuts": "cuts in the midst of a recovery", "failures": "member failures",
    "rebuilds": "rebuilds", "journal_failures": "journal failures",
    "switches": "mode switches", "checks": "checks", "read_errors": "read errors",
    "forced": "assemblies that wanted --force",
}
WRONG = {
    "lost": "blocks lost", "mismatch": "mismatch_cnt != 0", "hang": "hangs", "crash": "crashes",
    "splat": "kernel warnings", "refused": "other wrong answers", "broken": "rounds that broke",
}


def hours(text: str) -> float:
    """HOURS= as a number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 24 * 365:
        raise common.Error(f"HOURS={text}: a number of hours above 0 is wanted, as in HOURS=0.5.")
    return value


def seed(text: str) -> int:
    """SEED= as a number."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise common.Error(f"SEED={text}: a whole number below {MOST_SEEDS} is wanted.")
    return int(text)


def judged(status: int, out: pathlib.Path) -> tuple[str, int, str]:
    """What was wrong with a machine, one of WRONG or "", how many, and the line that says so."""
    shown, end = test.said(out, "SHOWN:"), test.ended(out)
    if status == 0:
        return "", 0, ""
    if status == test.SHOWN and shown:
        lost, mismatch = re.search(r"lost=(\d+)", shown), re.search(r"mismatch=\d+", shown)
        return ("lost", int(lost[1]), shown) if lost else (
            "mismatch" if mismatch else "refused", 1, shown)
    if status == test.HANG:
        text = test.said(out, "HANG:") or test.said(out, "kernel BUG at") or end
        return "crash" if end == "crash" else "hang", 1, text
    if status == 126:
        splats = out / "splats.txt"
        text = splats.read_text("utf-8", "replace") if splats.exists() else ""
        return "splat", 1, (text.splitlines() or [""])[0]
    return "broken", 1, test.said(out, "BROKEN:") or test.evidence(out, status)


class Soak:
    """The machines, what they did, and what was wrong."""

    def __init__(self, variant: str, first: int) -> None:
        self.variant = variant
        self.first = first
        self.seed = first
        self.results = test.RESULTS / "soak"
        self.counts: collections.Counter[str] = collections.Counter()
        self.wrong: collections.Counter[str] = collections.Counter()
        self.failures: list[dict[str, object]] = []
        self.machines = 0
        built = kernel.build(variant, kernel.MODES["tcg"])
        shutil.rmtree(self.results, ignore_errors=True)
        # the cache drops old kernels as others build theirs, and hours are long
        self.folder = self.results / "kernel"
        shutil.copytree(built, self.folder)

    def machine(self, length: float) -> str:
        """Rounds for @length seconds; the line that says how they went."""
        out = self.results / f"{self.machines:04}"
        first = self.seed
        status = test.vm(self.folder, "tcg", test.TESTING / "tests/soak.sh", out,
                         "--env", f"FIRST={first}", "--env", f"LENGTH={length:.0f}",
                         # the script says a line for each event, of which some take long
                         "--silence", "90", "--timeout", f"{length + LONGEST_ROUND:.0f}",
                         "--fail-on-splat")
        self.machines += 1
        console = out / "console.log"
        text = console.read_text("utf-8", "replace") if console.exists() else ""
        last = max((int(n) for n in re.findall(r"\] ROUND (\d+):", text)), default=first)
        self.seed = last + 1
        for line in re.findall(r"^COUNT (.*)", text, re.M):
            for name, number in re.findall(r"(\w+)=(\d+)", line):
                self.counts[name] += int(number)
        kind, number, why = judged(status, out)
        if not kind:
            return f"seeds {first} to {last}: nothing wrong"
        self.wrong[kind] += number
        # a warning may have come in any of the rounds
        again = first if kind == "splat" else last
        self.failures.append({"kind": kind, "number": number, "seed": again, "why": why,
                              "log": str(console)})
        return f"seeds {first} to {last}: {WRONG[kind]}: {why}"

    def run(self, seconds: float) -> None:
        """Machines until the time is over."""
        began = time.monotonic()
        while (left := seconds - (time.monotonic() - began)) > 0:
            line = self.machine(min(left, LENGTH))
            self.write(time.monotonic() - began)
            left = max(0.0, seconds - (time.monotonic() - began))
            common.say(f"{line}; {self.counts['rounds']} rounds, {self.counts['cuts']} power "
                       f"cuts so far, about {math.ceil(left / 60)} minutes left")
            if self.machines == 3 and not self.counts["verified"]:
                raise common.Error("three machines did nothing:\n" + "\n".join(
                    f"{f['why']}; see {f['log']}" for f in self.failures))

    def write(self, seconds: float) -> None:
        """After each machine, so that a run that is ended leaves something."""
        (test.RESULTS / "soak.json").write_text(json.dumps({
            "variant": self.variant, "seed": self.first, "next_seed": self.seed,
            "seconds": round(seconds), "machines": self.machines,
            "counts": {name: self.counts[name] for name in COUNTS},
            "wrong": {name: self.wrong[name] for name in WRONG},
            "failures": self.failures}, indent=1) + "\n", "utf-8")

    def report(self) -> None:
        """The table, and where to look."""
        for names, counts in ((COUNTS, self.counts), (WRONG, self.wrong)):
            for name, text in names.items():
                print(f"{text:40}{counts[name]:10}")
            print()
        for failure in self.failures:
            print(f"{WRONG[str(failure['kind'])]}: {failure['why']}\n"
                  f"    log: {failure['log']}\n"
                  f"    again: make soak SEED={failure['seed']} HOURS=0.01 VARIANT={self.variant}")
        print(f"results: {test.RESULTS}/soak.json; consoles below {self.results}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", default="1")
    parser.add_argument("--seed", default="")
    parser.add_argument("--variant", default="patched")
    args = parser.parse_args()
    seconds = hours(args.hours) * 3600
    first = seed(args.seed) if args.seed else int(time.time()) % MOST_SEEDS
    kernel.need_all()
    common.need_tools({"qemu-system-x86_64": "qemu-system-x86"})
    common.run(["/usr/bin/python3", test.TESTING / "vm/initramfs.py"], what="initramfs.py")
    soak = Soak(args.variant, first)
    common.say(f"soak on {args.variant}, SEED={first}, for {seconds / 60:.0f} minutes")
    soak.run(seconds)
    soak.report()
    if soak.failures and args.variant != "base":
        sys.exit(1)


if __name__ == "__main__":
    common.entry(main)
