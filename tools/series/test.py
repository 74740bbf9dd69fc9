#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make test: what base and patched do, test by test.

A finding's VM test passes here if the base fails it and the patched kernel passes; a KUnit case,
if it passes on the patched tree and fails with its fix taken out (patches/7.3/mutants); a model, if
it finds the base's logic at fault and the fixed logic not. What is not about a finding (kind
series) has to pass on its own. What would be too much for each change (kind long) is left to
make test-long.

As many run at once as there are CPUs. A test of which a run broke, that is, could not make its
interleaving, is run again alone when the others are done, and its line says so.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from typing import Callable

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import base as base_mod  # noqa: E402
import common  # noqa: E402
import deb  # noqa: E402
import kernel  # noqa: E402
import model  # noqa: E402
import mutants  # noqa: E402
import selftest  # noqa: E402
import series  # noqa: E402

TESTING = common.TOP / "tools/testing/md"
RESULTS = common.TOP / "build" / "results"
MUTANTS = common.TOP / series.PATCHES / "mutants"
# What is in tests/ without being a finding's test.
HELPERS = ("rc.sh", "smoke.sh", "hang.sh", "personalities.sh", "journal-events.sh",
           "trace-events.sh", "migrate.sh", "soak.sh")
# The guest's names of mdadm 4.6 and 4.2.
MDADMS = ("mdadm", "mdadm-4.2")
# They are sparse.
MIGRATE_DISKS, MIGRATE_MIB = 5, 1280
KINDS = ("series", "kunit", "model", "vm", "long")
# The kernels that continuous integration has the time to build; and KUnit's.
IN_CI = "x86"
SHOWN, BROKEN, SKIPPED, HANG, SPLAT = 1, 2, 4, 124, 126
EVIDENCE_LINES = 40
# What a VM wants, and who runs it.
LANE_MIB = 2560


@dataclasses.dataclass
class Outcome:
    """One line of the report."""
    name: str
    finding: str
    kind: str
    base: str = "n/a"
    without_fix: str = "n/a"
    patched: str = "skipped"
    seconds: float = 0
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether the test proves what it is there to prove."""
        if self.patched != "passes":
            return False
        if self.kind == "vm":
            return self.base == "fails"
        if self.kind == "kunit":
            return self.without_fix == "fails"
        if self.kind == "model":
            return self.base in ("fails", "n/a")
        return True

    @property
    def skipped(self) -> bool:
        """Whether it could not run here. A finding's test that did not run has failed."""
        return self.patched == "skipped" and self.kind not in ("vm", "kunit", "model")

    def json(self) -> dict[str, object]:
        """The entry of test.json, which knows no third way."""
        words = ("passes", "fails", "skipped", "n/a")
        return {"name": self.name, "finding": self.finding, "kind": self.kind,
                # a test that broke showed nothing
                "base": ("n/a" if self.base == "skipped" else
                         self.base if self.base in words else "passes"),
                "without_fix": self.without_fix,
                "patched": self.patched if self.patched in words else "fails",
                "seconds": self.seconds}

    def line(self) -> str:
        """The line that the user sees."""
        word = "ok" if self.good else "skip" if self.skipped else "FAIL"
        parts = [f"{word:4} {self.name} [{self.finding or self.kind}]"]
        if self.kind == "vm" or (self.kind == "model" and self.base != "n/a"):
            parts.append(f"base {self.base}, patched {self.patched}")
        elif self.kind == "kunit":
            parts.append(f"without its fix {self.without_fix}, patched {self.patched}")
        else:
            parts.append(self.patched)
        return ": ".join(parts) + f" ({self.seconds:.0f} s)" + (
            f"\n     {self.note}" if self.note else "")


def headers(path: pathlib.Path) -> dict[str, str]:
    """The `# key: value` lines at the head of a test."""
    return dict(re.findall(r"^# (finding|title|shows|mode|cpus): (.*)$", path.read_text("utf-8"),
                           re.M))


def vm(folder: pathlib.Path, mode: str, script: pathlib.Path, out: pathlib.Path,
       *options: str) -> int:
    """Run one script in a VM with the kernel of @folder; its console is in @out."""
    out.mkdir(parents=True, exist_ok=True)
    adds = [f"{TESTING}/tests/rc.sh:/guest/rc.sh"]
    if (folder / "crashblk.ko").exists():
        adds.append(f"{folder}/crashblk.ko:/lib/modules/crashblk.ko")
    cpus = headers(script).get("cpus")
    own = ["--smp", cpus] if cpus else []
    return subprocess.run(
        ["/usr/bin/python3", str(TESTING / "vm/vm.py"), "--quiet", "--kernel",
         str(kernel.image(folder, kernel.MODES[mode])), "--mode", mode, "--script", str(script),
         "--out", str(out), *[o for a in adds for o in ("--add", a)], *own, *options],
        stdin=subprocess.DEVNULL, stdout=open(out / "vm.log", "w", encoding="utf-8"),
        stderr=subprocess.STDOUT, check=False).returncode


def evidence(out: pathlib.Path, status: int) -> str:
    """A run's exit status and what vm.py says of it: whoever reads a CI's output has no more."""
    log = out / "vm.log"
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    # what the kernel warned of is rarely among the last lines
    warned = status == SPLAT
    console = out / ("splats.txt" if warned else "console.log")
    if not any(line.startswith("  |") for line in lines) and console.exists():
        text = console.read_text("utf-8", "replace").splitlines()
        lines += ["  | " + line for line in (text[:EVIDENCE_LINES] if warned else
                                             text[-EVIDENCE_LINES:])]
    return f"exit status {status}; see {out}/console.log and {log}" + "".join(
        f"\n     {line}" for line in lines)


def said(out: pathlib.Path, word: str) -> str:
    """The last console line with @word."""
    console = out / "console.log"
    text = console.read_text("utf-8", "replace") if console.exists() else ""
    lines = [line.strip() for line in text.splitlines() if word in line]
    return lines[-1][lines[-1].index(word):] if lines else ""


def ended(out: pathlib.Path) -> str:
    """How vm.py says that the run ended: done, hang, crash, silence, timeout, boot, died."""
    result = out / "result.json"
    return str(json.loads(result.read_text("utf-8"))["kind"]) if result.exists() else ""


def verdict(status: int, shows: str, out: pathlib.Path) -> tuple[str, str]:
    """What a test's exit status means: passes, fails, skipped or broken, and why."""
    if status == 0:
        return "passes", ""
    if status == SHOWN and said(out, "SHOWN:"):
        return "fails", said(out, "SHOWN:")
    if status == HANG and ended(out) in set(shows.split(" or ")) & {"hang", "crash"}:
        return "fails", said(out, "kernel BUG at") or f"{ended(out)}, as it should"
    if status == SKIPPED:
        return "skipped", said(out, "SKIP:")
    return "broken", evidence(out, status)


class Broken(common.Error):
    """The set-up did not come about: it says nothing of the kernel."""


class Skipped(common.Error):
    """A script that wants what this machine has not, and says what."""


class Suite:
    """All tests, and what came of them."""

    def __init__(self, wanted: list[str], repeat: int, kinds: list[str]) -> None:
        self.wanted = wanted
        self.kinds = kinds
        self.repeat = repeat
        self.outcomes: list[Outcome] = []
        self.jobs: list[Callable[[], None]] = []
        self.again: list[Callable[[], None]] = []
        self.printing = threading.Lock()

    def asked(self, name: str, kind: str) -> bool:
        """Whether TESTS= and KIND= ask for it."""
        return kind in self.kinds and (
            not self.wanted or any(re.search(w, name) for w in self.wanted))

    def add(self, outcome: Outcome, began: float) -> None:
        """Note and print."""
        outcome.seconds = round(time.monotonic() - began, 1)
        with self.printing:
            self.outcomes.append(outcome)
            print(outcome.line(), flush=True)

    def run(self) -> None:
        """All that was asked for, then alone what broke beside the others."""
        lanes = min(os.cpu_count() or 1, max(1, common.free_memory() // LANE_MIB))
        pool = concurrent.futures.ThreadPoolExecutor(lanes)
        try:
            for job in concurrent.futures.as_completed([pool.submit(j) for j in self.jobs]):
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            common.end_children()
            raise
        pool.shutdown()
        for rest in self.again:
            rest()

    def broke(self, what: str, out: pathlib.Path, job: Callable[[str], None]) -> None:
        """@job, whose run in @out broke, is to be done once more, and told why."""
        common.say(f"{what} broke: once more, alone, when the others are done")
        note = f"alone, as beside another it broke: {said(out, 'BROKEN:')}"
        self.again.append(lambda: job(note))

    def vm_test(self, path: pathlib.Path, before: str = "") -> None:
        """A finding's test, on the base and on the patched kernel; @before: what broke it."""
        head = headers(path)
        mode = head.get("mode", "tcg")
        outcome = Outcome(path.stem, head["finding"], "vm")
        began = time.monotonic()
        notes = [before] if before else []
        for variant in ("base", "patched"):
            folder = kernel.build(variant, kernel.MODES[mode])
            seen = []
            codes = set()
            for turn in range(self.repeat):
                out = RESULTS / "vm" / path.stem / f"{variant}-{turn}"
                common.say(f"{path.stem} on {variant} ({turn + 1} of {self.repeat})")
                # a kernel that is to be trusted does not warn either
                strict = ["--fail-on-splat"] if variant == "patched" else []
                status = vm(folder, mode, path, out, "--timeout", "300", *strict)
                seen.append(verdict(status, head.get("shows", ""), out))
                codes.add(status)
            words = {s for s, _ in seen}
            word = seen[0][0] if len(words) == 1 else "broken"
            setattr(outcome, variant, word)
            times = f", {self.repeat} of {self.repeat}" if self.repeat > 1 else ""
            if len(words) > 1:
                notes.append(f"{variant}: {', '.join(s for s, _ in seen)}")
            elif seen[0][1]:
                notes.append(f"{variant}{times}: {seen[0][1]}")
            # a hang, a crash or a warning says something of the kernel, and stands
            if codes == {BROKEN} and not before:
                self.broke(f"{path.stem} on {variant}", out, functools.partial(self.vm_test, path))
                return
        outcome.note = "\n     ".join(notes)
        self.add(outcome, began)

    def kunit(self) -> None:
        """The KUnit suites on the patched tree, and on each mutant."""
        began = time.monotonic()
        head = kernel.variant_commit("patched")
        results = kernel.run_kunit(kernel.build_kunit(head, "patched"), head)
        if not results:
            raise common.Error("the KUnit kernel ran no case")
        found = mutants.load(MUTANTS)
        for case in {c for m in found for c in m.fails}:
            if case not in results:
                raise common.Error(f"{MUTANTS}: there is no KUnit case {case}.")
        asked = [c for c in sorted(results) if self.asked(f"kunit/{c}", "kunit")]
        together = mutants.Together(head, found)
        for case in asked:
            ours = [m for m in found if case in m.fails]
            outcome = Outcome(f"kunit/{case}", ours[0].finding if ours else "", "kunit")
            outcome.patched = {"PASS": "passes", "SKIP": "skipped"}.get(results[case], "fails")
            # a crash, a skip or no result at all does not show what was taken out
            survived = [m.name for m in ours if together.run(m, case) != "FAIL"]
            if not ours:
                outcome.note = "no mutant in patches/7.3/mutants takes its fix out"
            elif survived:
                outcome.without_fix = "passes"
                outcome.note = f"it does not fail although {', '.join(survived)} takes its fix out"
            elif together.whole.get(case) != "PASS":
                outcome.note = "it fails in the mutants' kernel with no mutant chosen"
            else:
                outcome.without_fix = "fails"
            self.add(outcome, began)
            began = time.monotonic()

    def models(self) -> None:
        """The models of the write protocol: a line for each finding, and for the mutants."""
        began = time.monotonic()
        found = model.results()
        seconds = time.monotonic() - began

        def part(name: str, finding: str, base: list[dict[str, object]],
                 ours: list[dict[str, object]], note: str = "") -> None:
            if not self.asked(name, "model"):
                return
            outcome = Outcome(name, finding, "model")
            if base:
                outcome.base = "fails" if all(r["good"] for r in base) else "passes"
            outcome.patched = "passes" if ours and all(r["good"] for r in ours) else "fails"
            bad = [f"{r['name']}: {r['verdict']}, expected: {r['expected']}; {r['detail']}"
                   for r in base + ours if not r["good"]]
            outcome.note = "\n     ".join(bad) or note
            self.add(outcome, time.monotonic() - sum(float(str(r["seconds"]))
                                                     for r in base + ours))

        def group(*names: str) -> list[dict[str, object]]:
            return [r for r in found if r["group"] in names]

        def about(rows: list[dict[str, object]], finding: str) -> list[dict[str, object]]:
            return [r for r in rows if finding in str(r["findings"])]

        for finding in sorted({f for r in group("base") for f in re.findall(
                r"[\w-]+", str(r["findings"]))}):
            base, ours = about(group("base"), finding), about(group("ours"), finding)
            note = f"{len(base)} counterexamples, {len(ours)} that hold"
            part(f"model/{finding}", finding, base, ours, note)
        rest = [r for r in group("base") if not r["findings"]]
        part("model/unnumbered", "", rest, group("ours"), ", ".join(
            str(r["name"]) for r in rest))
        killed = group("mutant")
        part("model/mutants", "", [], killed, f"{len(killed)} of {len(killed)} give a "
             "counterexample")
        part("model/redundant", "", [], group("redundant"))
        part("model/reachable", "", [], group("witness"),
             f"all of it in {seconds:.0f} s; variants and counterexamples: {RESULTS}/model")

    def plain(self, name: str, check: Callable[[pathlib.Path], str],
              kind: str = "series") -> None:
        """A test that knows no base to fail on."""
        if self.asked(name, kind):
            self.jobs.append(lambda: self.checked(name, check))

    def checked(self, name: str, check: Callable[[pathlib.Path], str], before: str = "") -> None:
        """Run such a test; @before: what broke it."""
        outcome = Outcome(name, "", "series")
        began = time.monotonic()
        out = RESULTS / "series" / name.replace("/", "-")
        try:
            outcome.note = "\n     ".join(filter(None, (before, check(out))))
            outcome.patched = "passes"
        except Exception as err:  # whatever it is, the other tests go on
            if isinstance(err, Broken) and not before:
                self.broke(name, out, functools.partial(self.checked, name, check))
                return
            outcome.patched = "skipped" if isinstance(err, Skipped) else "fails"
            outcome.note = f"{type(err).__name__}: {err}"
        self.add(outcome, began)

    def guest(self, name: str, variant: str, mode: str, script: str, *options: str,
              kind: str = "") -> None:
        """A script of tools/testing/md that must pass in a VM; long, if it wants another kernel."""
        def check(out: pathlib.Path) -> str:
            path = TESTING / script
            if not path.exists():
                raise common.Error(f"{path} does not exist")
            folder = kernel.build(variant, kernel.MODES[mode])
            status = vm(folder, mode, path, out, "--timeout", "400", "--fail-on-splat",
                        *options)
            if status:
                raise {BROKEN: Broken, SKIPPED: Skipped}.get(status, common.Error)(
                    evidence(out, status))
            return said(out, "RESULT:")
        self.plain(name, check, kind or ("series" if kernel.MODES[mode] == IN_CI else "long"))

    def migrate(self, before: str, after: str, maker: str) -> None:
        """Arrays made by mdadm @maker and left dirty on kernel @before, assembled on @after."""
        def check(out: pathlib.Path) -> str:
            # not in /tmp, which may be small and in memory
            with tempfile.TemporaryDirectory(dir=common.cache(), prefix="migrate-") as temp:
                disks = [pathlib.Path(temp) / f"disk{n}" for n in range(MIGRATE_DISKS)]
                for disk in disks:
                    with open(disk, "wb") as stream:
                        stream.truncate(MIGRATE_MIB << 20)
                phase(out / "dirty", before, "dirty", maker, disks)
                notes = []
                for mdadm in MDADMS:
                    # each version finds the arrays as they were left
                    copies = [disk.with_name(f"{disk.name}-{mdadm}") for disk in disks]
                    for disk, copy in zip(disks, copies):
                        common.run(["cp", "--sparse=always", disk, copy])
                    phase(out / mdadm, after, "check", mdadm, copies)
                    notes.append(said(out / mdadm, "RESULT:"))
                return "\n     ".join(notes)

        def phase(out: pathlib.Path, variant: str, word: str, mdadm: str,
                  disks: list[pathlib.Path]) -> None:
            options = [o for d in disks for o in ("--disk", str(d))]
            # a kernel that is to be trusted does not warn either
            options += ["--fail-on-splat"] if variant == "patched" else []
            status = vm(kernel.build(variant, kernel.MODES["tcg"]), "tcg",
                        TESTING / "tests/migrate.sh", out, "--timeout", "200",
                        "--env", f"PHASE={word}", "--env", f"MDADM={mdadm}", *options)
            if status:
                raise common.Error(f"{word} on {variant}, {mdadm}: {evidence(out, status)}")
        self.plain(f"migrate/{before}-to-{after}", check)

    def report(self) -> int:
        """Write test.json and the closing line; returns the exit status."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "test.json").write_text(json.dumps({"tests": [
            o.json() for o in self.outcomes]}, indent=1) + "\n", "utf-8")
        passed = sum(o.good for o in self.outcomes)
        skipped = sum(o.skipped and not o.good for o in self.outcomes)
        failed = len(self.outcomes) - passed - skipped
        # a CI's output may be cut in its middle
        for outcome in self.outcomes:
            if not outcome.good and not outcome.skipped:
                print(outcome.line())
        if not self.outcomes and self.wanted:
            print(f"error: no test's name matches {' or '.join(self.wanted)}; a whole run prints "
                  "the names, as kunit/SUITE.CASE, model/FINDING, J5-empty-flush",
                  file=sys.stderr)
        print(f"results: {RESULTS}/test.json; consoles below {RESULTS}/vm and {RESULTS}/series")
        print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
        return 1 if failed or not passed else 0


def vm_debs() -> pathlib.Path:
    """The packages with the VM's configuration."""
    deb.need_all()
    config = kernel.build("patched", "x86") / "config"
    return deb.build("patched", deb.Config(config.read_text("utf-8"), "the VM's", "vm"))


def build_all() -> None:
    """Everything that make test runs."""
    common.run(["/usr/bin/python3", TESTING / "vm/initramfs.py"], what="initramfs.py")
    for variant in ("base", "patched"):
        kernel.build(variant, IN_CI)
    head = kernel.variant_commit("patched")
    kernel.build_kunit(head, "patched")
    mutants.Together(head, mutants.load(MUTANTS))
    vm_debs()


def deb_boots(out: pathlib.Path) -> str:
    """make deb with the VM's configuration: what dpkg would install boots, under its own name."""
    debs = vm_debs()
    root = out / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for package in debs.glob("*.deb"):
        common.run(["dpkg-deb", "-x", package, root])
    release = json.loads((debs / "info.json").read_text("ascii"))["release"]
    for name in (f"boot/config-{release}", f"lib/modules/{release}/modules.dep",
                 f"usr/src/linux-headers-{release}/Module.symvers"):
        if not (root / name).exists():
            raise common.Error(f"the packages in {debs} have no {name}")
    (root / f"boot/vmlinuz-{release}").rename(root / "bzImage")
    status = vm(root, "tcg", TESTING / "tests/smoke.sh", out, "--timeout", "400",
                "--fail-on-splat")
    if status:
        raise common.Error(evidence(out, status))
    result = said(out, "RESULT:")
    if f" {release} " not in result or deb.SUFFIX not in release:
        raise common.Error(f"{debs} is of {release}, but what booted is another: {result}")
    shutil.rmtree(root)
    return result


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("tests", nargs="*", help="regular expressions; none: every test")
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--repeat", type=int, default=1, help="runs of each VM test")
    parser.add_argument("--build", action="store_true", help="build what they run, run nothing")
    args = parser.parse_args()
    if args.build:
        kernel.need_all()
        build_all()
        return
    suite = Suite(args.tests, args.repeat, args.kind or [k for k in KINDS if k != "long"])
    os.chdir(common.TOP)
    try:
        # said now, and not after half an hour of building
        (RESULTS / "test.json").unlink(missing_ok=True)
        if suite.kinds != ["model"]:
            kernel.need_all()
        if set(suite.kinds) - {"kunit", "model"}:
            common.need_tools({"qemu-system-x86_64": "qemu-system-x86"})
            common.run(["/usr/bin/python3", TESTING / "vm/initramfs.py"], what="initramfs.py")
        base_mod.find()
        if "kunit" in suite.kinds and (not args.tests or any(
                re.search(t, "kunit/") or "kunit" in t or "raid5" in t for t in args.tests)):
            suite.jobs.append(suite.kunit)
        if "model" in suite.kinds and (not args.tests or any("model" in t for t in args.tests)):
            suite.jobs.append(suite.models)
        for name, check in selftest.CHECKS.items():
            suite.plain(name, check)
        suite.guest("crashblk/base", "base", "tcg", "crash/selftest.sh")
        suite.guest("crashblk/patched", "patched", "tcg", "crash/selftest.sh")
        suite.guest("lockdep/crashblk", "patched", "uml", "crash/selftest.sh")
        for mode in kernel.MODES:
            suite.guest(f"mode/{mode}", "patched", mode, "tests/smoke.sh")
        suite.plain("deb/vm-fragment", deb_boots)
        suite.guest("function/personalities", "patched", "tcg", "tests/personalities.sh")
        suite.guest("function/journal-events", "patched", "tcg", "tests/journal-events.sh")
        suite.guest("function/trace-events", "patched", "tcg", "tests/trace-events.sh")
        suite.guest("lockdep/journal-events", "patched", "uml", "tests/journal-events.sh")
        suite.guest("function/personalities-mdadm-4.2", "patched", "tcg",
                    "tests/personalities.sh", "--env", "MDADM=mdadm-4.2", kind="long")
        suite.migrate("base", "patched", "mdadm-4.2")
        suite.migrate("patched", "base", "mdadm")
        for path in sorted((TESTING / "tests").glob("*.sh")):
            if path.name in HELPERS:
                continue
            if "finding" not in headers(path):
                raise common.Error(f"{path} has no line '# finding: ' at its head")
            if suite.asked(path.stem, "vm"):
                suite.jobs.append(functools.partial(suite.vm_test, path))
            suite.guest(f"lockdep/{path.stem}", "patched", "uml", f"tests/{path.name}")
        suite.run()
    except (common.Error, OSError) as err:
        print(f"error: {err}", file=sys.stderr)
        suite.outcomes.append(Outcome("the run itself", "", "series", patched="fails",
                                      note=str(err)))
    sys.exit(suite.report())


if __name__ == "__main__":
    common.entry(main)
