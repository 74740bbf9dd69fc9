#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make check-boot: every patch, with those before it, builds into a kernel that boots and works."""
from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import base as base_mod  # noqa: E402
import common  # noqa: E402
import kernel  # noqa: E402
import series  # noqa: E402
import test  # noqa: E402


def main() -> None:
    """The command line."""
    base = base_mod.find()
    patches = series.load()
    suite = test.Suite([], 1, ["series"])
    built = kernel.built_hash(base.commit)
    for patch, commit in zip(patches, series.assemble(base, patches)):
        now = kernel.built_hash(commit)
        if now == built:
            print(f"same {patch.name}: nothing of it goes into the kernel", flush=True)
            continue
        built = now
        suite.guest(f"boot/{patch.name.removesuffix('.patch')}", commit, "tcg",
                    "tests/smoke.sh")
    good = sum(o.good for o in suite.outcomes)
    print(f"{good} passed, {len(suite.outcomes) - good} failed, 0 skipped")
    sys.exit(good != len(suite.outcomes))


if __name__ == "__main__":
    common.entry(main)
