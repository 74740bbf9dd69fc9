#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make demo: the unpatched kernel loses data, the patched one keeps it; latency of both.

Runs every test of tools/testing/md/tests that shows a loss, and the fio cells of
tools/testing/md/fio/demo.sh, on the base and on the patched kernel. Prints a table, writes
build/results/demo.json and a page with pictures.
"""
from __future__ import annotations

import argparse
import base64
import concurrent.futures
import html
import importlib
import io
import json
import pathlib
import re
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import base as base_mod  # noqa: E402
import common  # noqa: E402
import kernel  # noqa: E402
import test  # noqa: E402

VARIANTS = ("base", "patched")
CLOCK = "icount: 1 instruction = 1 ns, idle time skipped"
DEVICES = ("light null_blk members, 100 us an I/O, volatile caches; 4K random O_DIRECT, QD16 or as "
           "named;\nevery450: a write each 450 ms, 1 ms a flush")
CELL_COUNT = 5
PERCENTILES = (("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9))
STYLE = ("<style>body{max-width:60em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif}"
         "pre{background:#f4f4f4;padding:1em;overflow-x:auto}img{max-width:100%}</style>")
BEYOND = 100    # samples that a percentile wants beyond it


def percentiles(bins: dict[str, int], wanted: tuple[tuple[str, float], ...] = PERCENTILES,
                beyond: int = BEYOND) -> dict[str, float | int]:
    """Those in microseconds that have enough samples beyond them, and the count of samples."""
    order = sorted((int(ns), n) for ns, n in bins.items() if n)
    total = sum(n for _, n in order)
    found: dict[str, float | int] = {"samples": total}
    for name, percent in wanted:
        if total * (100 - percent) / 100 < beyond:
            continue
        seen = 0
        for nanoseconds, count in order:
            seen += count
            if seen >= total * percent / 100:
                found[name] = nanoseconds / 1000
                break
    return found


def one(folder: pathlib.Path, mode: str, script: pathlib.Path, out: pathlib.Path,
        limit: str) -> int:
    """Run @script on the kernel in @folder; nothing of a run before stays in @out. Its status."""
    for old in (*out.glob("*.json"), *out.glob("lost.txt")):
        old.unlink()
    return test.vm(folder, mode, script, out, "--timeout", limit)


def both(name: str, mode: str, script: pathlib.Path, limit: str) -> dict[
        str, tuple[int, pathlib.Path]]:
    """Run @script on both kernels at once: exit status and folder of each. Most of a test is
    waiting, and icount does not mind a neighbour."""
    def run(variant: str) -> tuple[int, pathlib.Path]:
        out = test.RESULTS / "demo" / name / variant
        return one(folders[variant], mode, script, out, limit), out

    folders = {v: kernel.build(v, kernel.MODES[mode]) for v in VARIANTS}
    common.say(f"{name} on the base and on the patched kernel")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(VARIANTS, pool.map(run, VARIANTS)))


def lost_map(out: pathlib.Path) -> tuple[int, list[int]]:
    """How many blocks a test looked at, and which were lost, in the worst of its cycles."""
    noted = out / "lost.txt"
    worst: tuple[int, list[int]] = (0, [])
    for line in noted.read_text("ascii").splitlines() if noted.exists() else []:
        blocks, *lost = (int(word) for word in line.split())
        if not worst[0] or len(lost) > len(worst[1]):
            worst = (blocks, lost)
    return worst


def scenario(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, tuple[int, list[int]]]]:
    """One test on both kernels: its entry of demo.json, and the maps."""
    head = test.headers(path)
    mode = head.get("mode", "tcg")
    entry: dict[str, Any] = {"name": path.stem, "finding": head["finding"],
                             "title": head["title"]}
    maps = {}
    for variant, (status, out) in both(path.stem, mode, path, "300").items():
        word, note = test.verdict(status, head.get("shows", ""), out)
        # what the patched kernel hangs or crashes in, or warns of, stands
        if word == "broken" and (variant == "base" or status == test.BROKEN):
            common.say(f"{path.stem} on the {variant} kernel broke, once more: {note}")
            status = one(kernel.build(variant, kernel.MODES[mode]), mode, path, out, "300")
            word, note = test.verdict(status, head.get("shows", ""), out)
        counts = re.search(r"lost=(\d+) blocks=(\d+)", note)
        if word == "fails" and counts:
            entry[f"{variant}_lost"] = int(counts[1])
            entry["blocks"] = int(counts[2])
        elif word == "passes":
            entry[f"{variant}_lost"] = 0
        else:
            entry[f"{variant}_lost"] = None
            print(f"{path.stem} on the {variant} kernel: {word}: {note}", file=sys.stderr)
        maps[variant] = lost_map(out)
    entry.setdefault("blocks", maps["patched"][0])
    return entry, maps


def fio_cells() -> tuple[list[dict[str, Any]], dict[str, dict[str, dict[str, int]]]]:
    """All cells on both kernels, and their histograms."""
    bins: dict[str, dict[str, dict[str, int]]] = {}
    cells: dict[str, dict[str, Any]] = {}
    script = test.TESTING / "fio/demo.sh"
    for variant, (status, out) in both("fio", "icount", script, "600").items():
        if status:
            print(f"fio on the {variant} kernel: {test.evidence(out, status)}", file=sys.stderr)
            continue
        for path in sorted(out.glob("raid*.json")):
            write = json.loads(path.read_text("utf-8"))["jobs"][0]["write"]
            bins.setdefault(path.stem, {})[variant] = write["clat_ns"]["bins"]
            cells.setdefault(path.stem, {"cell": path.stem, "clock": CLOCK, "devices": DEVICES})[
                variant] = {**percentiles(write["clat_ns"]["bins"]), "iops": write["iops"]}
    return list(cells.values()), bins


def new_figure(width: float, height: float) -> Any:
    """An empty figure, in inches. matplotlib is loaded here: nothing else needs it."""
    return importlib.import_module("matplotlib.figure").Figure(figsize=(width, height))


def picture(figure: Any) -> str:
    """A matplotlib figure as an <img>."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100, bbox_inches="tight")
    return f'<img src="data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}">'


def map_picture(maps: dict[str, tuple[int, list[int]]]) -> str:
    """The blocks that the test looked at; those that were lost in red."""
    figure = new_figure(8, 2)
    for axes, variant in zip(figure.subplots(1, 2), VARIANTS):
        blocks, lost = maps[variant]
        width = 32
        cells = [[0.5] * width for _ in range(-(-blocks // width))]
        for block in range(blocks):
            cells[block // width][block % width] = 0.0
        for block in lost:
            cells[block // width][block % width] = 1.0
        axes.imshow(cells, cmap="RdYlGn_r", vmin=0, vmax=1, aspect="auto")
        axes.set_title(f"{variant}: {len(lost)} of {blocks} blocks lost", fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    return picture(figure)


def cdf_picture(cell: str, bins: dict[str, dict[str, int]]) -> str:
    """Both latency distributions."""
    figure = new_figure(8, 3)
    axes = figure.subplots()
    for variant, counts in bins.items():
        order = sorted((int(ns), n) for ns, n in counts.items() if n)
        total, seen, heights = sum(n for _, n in order), 0, []
        for _, count in order:
            seen += count
            heights.append(seen / total)
        axes.step([ns / 1000 for ns, _ in order], heights, where="post", label=variant)
    axes.set_xscale("log")
    axes.set_xlabel("completion latency, us")
    axes.set_ylabel("share of writes")
    axes.set_title(cell, fontsize=9)
    axes.legend()
    return picture(figure)


def story(name: str) -> list[str]:
    """What the head of a test tells: the paragraphs of its comment."""
    text = (test.TESTING / "tests" / f"{name}.sh").read_text("utf-8")
    comment = re.search(r"^# shows: .*\n(?:# mode: .*\n)?#\n((?:#.*\n)+)", text, re.M)
    return [" ".join(part.split()) for part in re.sub(
        r"(?m)^# ?", "", comment[1] if comment else "").split("\n\n")]


def number(value: object) -> str:
    """A cell of the table."""
    return "-" if value is None else f"{value:.0f}" if isinstance(value, float) else str(value)


def table(scenarios: list[dict[str, Any]], cells: list[dict[str, Any]]) -> str:
    """What the user reads on the terminal."""
    lines = [f"{'power cut scenario':28} {'finding':8} {'base lost':>10} {'patched':>8} {'of':>6}"]
    lines += [f"{s['name']:28} {s['finding']:8} {number(s['base_lost']):>10} "
              f"{number(s['patched_lost']):>8} {number(s['blocks']):>6}" for s in scenarios]
    lines += ["", f"fio, {DEVICES}; {CLOCK}",
              f"{'cell':20} {'kernel':8} {'p50 us':>8} {'p90 us':>8} {'p99 us':>8} {'IOPS':>7} "
              f"{'samples':>8}"]
    for cell in cells:
        for variant in VARIANTS:
            values = cell.get(variant, {})
            lines.append(f"{cell['cell']:20} {variant:8} " + " ".join(
                f"{number(values.get(key)):>{width}}" for key, width in (
                    ("p50", 8), ("p90", 8), ("p99", 8), ("iops", 7), ("samples", 8))))
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    test.RESULTS.mkdir(parents=True, exist_ok=True)
    for mode in ("tcg", "icount"):
        for variant in VARIANTS:
            kernel.build(variant, kernel.MODES[mode])
    scenarios, maps = [], {}
    for path in sorted((test.TESTING / "tests").glob("*.sh")):
        if test.headers(path).get("shows") == "loss":
            entry, maps[path.stem] = scenario(path)
            scenarios.append(entry)
    cells, bins = fio_cells()
    version = base_mod.find().version
    text = table(scenarios, cells)

    results, page = test.RESULTS / "demo.json", test.RESULTS / "demo.html"
    results.write_text(json.dumps({"scenarios": scenarios, "fio": cells,
                                   "base_version": version}, indent=1) + "\n", "utf-8")
    parts = [f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>md-write</title>{STYLE}"
             f"<h1>Linux {version}: unpatched and patched</h1><pre>{html.escape(text)}</pre>"
             "<p>Lost: acknowledged and flushed before the power failed, and read back otherwise "
             "afterwards; for C14, rows whose parity does not match their data.</p>"]
    for entry in scenarios:
        parts.append(f"<h2>{entry['name']}: {html.escape(entry['title'])}</h2>")
        parts += [f"<p>{html.escape(text)}</p>" for text in story(entry["name"])]
        parts.append(map_picture(maps[entry["name"]]) if maps[entry["name"]]["base"][0] else
                     "<p>This test counts; it has no map.</p>")
    parts += ["<h2>Latency</h2>", *(cdf_picture(cell, bins[cell]) for cell in bins)]
    page.write_text("\n".join(parts) + "\n", "utf-8")

    print(f"\n{text}\n\npage: {page}\nfigures: {results}\nlogs: {test.RESULTS}/demo", flush=True)
    good = scenarios and all(s["base_lost"] and s["patched_lost"] == 0 for s in scenarios)
    whole = len(cells) == CELL_COUNT and all(v in c for c in cells for v in VARIANTS)
    if not good or not whole:
        raise common.Error("the demo does not show what it should: " + (
            "a scenario did not lose on the base or lost on the patched kernel"
            if not good else "a fio cell is missing") + f"; logs: {test.RESULTS}/demo")


if __name__ == "__main__":
    common.entry(main)
