#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make vm: build the kernel if need be, and boot it with the test block device at hand."""
from __future__ import annotations

import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import common  # noqa: E402
import kernel  # noqa: E402

TESTING = common.TOP / "tools/testing/md"


def main() -> None:
    """The command line; what follows -- goes to vm.py."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="patched")
    parser.add_argument("--mode", choices=sorted(kernel.MODES), default="tcg")
    parser.add_argument("--script", type=pathlib.Path)
    parser.add_argument("rest", nargs="*")
    args = parser.parse_args()
    if args.script and not args.script.is_file():
        raise common.Error(f"SCRIPT={args.script} is no file.")
    folder = kernel.build(args.variant, kernel.MODES[args.mode])
    cmd = [str(TESTING / "vm/vm.py"), "--kernel",
           str(kernel.image(folder, kernel.MODES[args.mode])), "--mode", args.mode,
           "--out", str(common.TOP / "build/vm"),
           "--add", f"{TESTING}/tests/rc.sh:/guest/rc.sh",
           "--add", f"{folder}/crashblk.ko:/lib/modules/crashblk.ko"]
    if args.script:
        cmd += ["--script", str(args.script)]
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *cmd, *args.rest])


if __name__ == "__main__":
    common.entry(main)
