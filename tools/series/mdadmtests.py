#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make mdadm-tests: mdadm's own tests, unmodified, on the base and on the patched kernel.

They come with Debian's source package of mdadm. Exit status 1 if one does worse on the patched
kernel than on the base.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import common  # noqa: E402
import kernel  # noqa: E402

TESTING = common.TOP / "tools/testing/md"
RESULTS = common.TOP / "build/results/mdadm"
# Those of the journal, of its cache and of what the series changes in md.c; 8 minutes a kernel.
DEFAULT = ("20raid5journal", "21raid5cache", "24raid456deadlock", "00readonly", "01r5fail")
RANK = {"succeeded": 2, "skipped": 1, "failed": 0}


def run(variant: str, mode: str, tests: list[str], timeout: int) -> dict[str, str]:
    """The tests on one kernel: name -> succeeded, failed, skipped, or what ended the machine."""
    folder = kernel.build(variant, kernel.MODES[mode])
    out = RESULTS / variant
    out.mkdir(parents=True, exist_ok=True)
    common.say(f"{len(tests)} tests on {variant}, console in {out}/console.log")
    status = subprocess.run(
        ["/usr/bin/python3", str(TESTING / "vm/vm.py"), "--quiet", "--kernel",
         str(kernel.image(folder, kernel.MODES[mode])), "--mode", mode, "--script",
         str(TESTING / "mdadm/suite.sh"), "--out", str(out), "--mem", "3G", "--timeout",
         str(timeout), "--env", f"MDADM_TESTS={' '.join(tests)}"],
        stdin=subprocess.DEVNULL, stdout=open(out / "vm.log", "w", encoding="utf-8"),
        stderr=subprocess.STDOUT, check=False).returncode
    console = (out / "console.log").read_text("utf-8", "replace")
    found = dict(re.findall(r"^RESULT (\S+) (succeeded|failed|skipped)\r?$", console, re.M))
    if not found and status:
        raise common.Error(f"no test ran on {variant}; see {out}/vm.log")
    kind = json.loads((out / "result.json").read_text("utf-8"))["kind"]
    ended = "not reached" if kind == "done" else kind
    return {test: found.get(test, ended) for test in tests}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mode", choices=("tcg", "uml"), default="tcg")
    parser.add_argument("--timeout", type=int, default=3000, metavar="SEC", help="for each kernel")
    parser.add_argument("tests", nargs="*", default=list(DEFAULT),
                        help=f"names as in mdadm's tests/; these if none is given: "
                             f"{' '.join(DEFAULT)}")
    args = parser.parse_args()
    results = {v: run(v, args.mode, args.tests, args.timeout) for v in ("base", "patched")}
    worse = []
    print(f"{'test':24}{'base':>14}{'patched':>14}")
    for test in args.tests:
        base, patched = results["base"][test], results["patched"][test]
        print(f"{test:24}{base:>14}{patched:>14}")
        if RANK.get(patched, -1) < RANK.get(base, -1):
            worse.append(test)
    (RESULTS / "mdadm.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(f"logs of each test: {RESULTS}/base and {RESULTS}/patched")
    if worse:
        raise common.Error(f"worse on the patched kernel: {', '.join(worse)}")


if __name__ == "__main__":
    common.entry(main)
