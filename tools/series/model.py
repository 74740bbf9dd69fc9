#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make model: run the models of the write protocol, with the base's memory model.

The models and their runner are in tools/testing/md/model.
"""
from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import base as base_mod  # noqa: E402
import common  # noqa: E402
from base import git, home  # noqa: E402

RUNNER = common.TOP / "tools/testing/md/model/run.py"
FOLDER = "tools/memory-model"


def memory_model() -> pathlib.Path:
    """The base's tools/memory-model, in the cache."""
    commit = base_mod.find().commit
    tree = git("rev-parse", f"{commit}:{FOLDER}").strip()
    final = home() / f"memory-model-{tree[:16]}"
    with common.locked("memory-model"):
        if not final.exists():
            with common.published(final) as partial:
                for line in git("ls-tree", commit, f"{FOLDER}/").splitlines():
                    kind, name = line.split()[1], line.split("\t")[1]
                    if kind == "blob":
                        (partial / pathlib.Path(name).name).write_text(
                            git("show", f"{commit}:{name}"), "utf-8")
    return final


def run(args: list[str], stdout: int | None = None) -> int:
    """Run the models; returns the runner's exit status."""
    return subprocess.run(["/usr/bin/python3", str(RUNNER), "--memory-model",
                           str(memory_model()), *args], check=False, stdout=stdout,
                          stdin=subprocess.DEVNULL).returncode


def results() -> list[dict[str, object]]:
    """What came of every variant."""
    with tempfile.TemporaryDirectory() as temp:
        path = pathlib.Path(temp) / "model.json"
        status = run(["--json", str(path)], subprocess.DEVNULL)
        if not path.exists():
            raise common.Error(f"{RUNNER} ended with exit status {status} and no result.")
        found: list[dict[str, object]] = json.loads(path.read_text("utf-8"))
        return found


def main() -> None:
    """The command line is the runner's."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    common.entry(main)
