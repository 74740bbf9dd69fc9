#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Build the kernels of the tests: base, patched, or any commit, for each of the VM's modes.

All variants of one target share one source path and one object tree, so that the second costs
what differs. A finished kernel is kept in the cache under a key of all that goes into it.
"""
from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import base as base_mod  # noqa: E402
import common  # noqa: E402
import series  # noqa: E402
from base import git, home  # noqa: E402

CONFIGS = common.TOP / "tools/testing/md/config"
CRASH = common.TOP / "tools/testing/md/crash"
# What does not go into a kernel; changing it builds nothing anew.
NOT_BUILT = ("Documentation/", "tools/testing/", "MAINTAINERS", ".gitignore", "drivers/md/tests/",
             "drivers/md/.kunitconfig")


@dataclasses.dataclass(frozen=True)
class Target:
    """A kind of kernel."""
    name: str
    arch: str
    image: str
    fragments: tuple[str, ...]


TARGETS = {t.name: t for t in (
    Target("x86", "x86_64", "arch/x86/boot/bzImage", ("common", "x86")),
    Target("um-smp", "um", "linux", ("common", "um", "um-smp")),
    Target("um-tt", "um", "linux", ("common", "um", "um-tt")),
)}
MODES = {"tcg": "x86", "icount": "x86", "uml": "um-smp", "tt": "um-tt"}

TOOLS = {"gcc": "gcc", "make": "make", "flex": "flex", "bison": "bison", "bc": "bc",
         "ld": "binutils", "perl": "perl", "git": "git", "xz": "xz-utils"}
HEADERS = {"gelf.h": "libelf-dev", "stdio.h": "libc6-dev"}


def need_headers(headers: dict[str, str]) -> None:
    """Name every missing C header of @headers (header: Debian package) at once."""
    missing = {h: p for h, p in headers.items() if subprocess.run(
        ["gcc", "-E", "-o", "/dev/null", "-x", "c", "-"], input=f"#include <{h}>\n".encode(),
        capture_output=True, check=False).returncode}
    if missing:
        raise common.Error(f"missing C headers: {', '.join(missing)}.\nOn Debian: apt-get install "
                           f"{' '.join(sorted(set(missing.values())))} (make deps does it).")


def need_all() -> None:
    """All that building a kernel wants, asked for before anything is started."""
    if platform.machine() != "x86_64":
        raise common.Error(f"this is {platform.machine()}; the kernels are built on x86_64 only.")
    common.need_tools(TOOLS)
    need_headers(HEADERS)


_ASSEMBLING = threading.Lock()


@functools.cache
def _patched() -> str:
    """The commit of the whole series: half a minute, so once a run, whoever edits it meanwhile."""
    base = base_mod.find()
    commits = series.assemble(base, series.load())
    return commits[-1] if commits else base.commit


def variant_commit(variant: str) -> str:
    """The commit that VARIANT= names: base, patched, tree (the developer's HEAD) or a hash."""
    if variant == "tree":
        if not (series.tree_path() / ".git").exists():
            raise common.Error("VARIANT=tree: there is no tree yet; make tree assembles it.")
        return git("rev-parse", "HEAD", cwd=series.tree_path()).strip()
    if variant == "base":
        return base_mod.find().commit
    if variant == "patched":
        with _ASSEMBLING:
            return _patched()
    commit = base_mod.has_commit(variant)
    if not commit:
        raise common.Error(f"VARIANT={variant}: use base, patched, tree, or a commit of "
                           f"build/linux-{common.SERIES}.")
    return commit


def compiler() -> str:
    """The compiler's version, part of every key."""
    return common.run(["gcc", "--version"]).splitlines()[0]


def built_hash(commit: str) -> str:
    """A hash over the files of @commit that go into a kernel."""
    digest = hashlib.sha256()
    for line in git("ls-tree", "-r", commit).splitlines():
        if not line.split("\t")[1].startswith(NOT_BUILT):
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def fragment_text(target: Target) -> str:
    """The configuration fragments of @target, joined."""
    return "".join((CONFIGS / f"{f}.config").read_text("utf-8") for f in target.fragments)


def make_args(target: Target, objects: pathlib.Path) -> list[str]:
    """The arguments that every make of @target gets."""
    compiler_cmd = "ccache gcc" if shutil.which("ccache") else "gcc"
    return ["make", "-s", f"ARCH={target.arch}", f"O={objects}", f"CC={compiler_cmd}",
            "KBUILD_BUILD_TIMESTAMP=@0", "KBUILD_BUILD_USER=md", "KBUILD_BUILD_HOST=write",
            f"-j{(os.cpu_count() or 1) + 1}"]


def make_env() -> dict[str, str]:
    """The environment that every make gets."""
    return {"CCACHE_DIR": str(common.cache() / "ccache"), "CCACHE_MAXSIZE": "5G",
            "CCACHE_BASEDIR": str(home()), "MAKEFLAGS": "", "MAKELEVEL": "", "LC_ALL": "C"}


def _defined(commit: str, symbol: str) -> bool:
    name = symbol.replace("CONFIG_", "", 1)
    try:
        git("grep", "--quiet", "-E", f"^(menu)?config {name}$", commit, "--", "*Kconfig*")
    except common.Error:
        return False
    return True


def configure(target: Target, source: pathlib.Path, objects: pathlib.Path, commit: str,
              log: pathlib.Path) -> None:
    """Write objects/.config from tinyconfig and the fragments, when either changed."""
    text = fragment_text(target)
    digest = hashlib.sha256(text.encode())
    for line in git("ls-tree", "-r", commit).splitlines():
        if "/Kconfig" in line or "\tKconfig" in line:
            digest.update(line.encode())
    stamp = objects / ".fragments"
    if (objects / ".config").exists() and stamp.exists() and \
            stamp.read_text("ascii") == digest.hexdigest():
        return
    objects.mkdir(parents=True, exist_ok=True)
    fresh = objects / ".fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    make: list[str | pathlib.Path] = ["make", "-s", "-C", source, f"ARCH={target.arch}",
                                      f"O={fresh}"]
    fresh.mkdir()
    common.run([*make, "tinyconfig"], env=make_env(), log=log, what="make tinyconfig")
    (fresh / "fragment").write_text(text, "utf-8")
    common.run([source / "scripts/kconfig/merge_config.sh", "-m", "-O", fresh,
                fresh / ".config", fresh / "fragment"], cwd=fresh, env=make_env(), log=log)
    common.run([*make, "olddefconfig"], env=make_env(), log=log, what="make olddefconfig")
    got = dict(line.split("=", 1) for line in (fresh / ".config").read_text("utf-8").splitlines()
               if line.startswith("CONFIG_"))
    lost = [line for line in text.splitlines() if line.startswith("CONFIG_")
            and got.get(line.split("=")[0], "n") != line.split("=", 1)[1]]
    # an option of ours may only arrive with a later patch
    lost = [line for line in lost if _defined(commit, line.split("=")[0])]
    if lost:
        raise common.Error(f"the configuration of {target.name} does not keep {', '.join(lost)}: "
                           f"what they depend on is missing in {CONFIGS} ({log})")
    new = (fresh / ".config").read_bytes()
    if not (objects / ".config").exists() or (objects / ".config").read_bytes() != new:
        (objects / ".config").write_bytes(new)
    shutil.rmtree(fresh)
    stamp.write_text(digest.hexdigest(), "ascii")


def heal(objects: pathlib.Path) -> None:
    """Drop the objects that an interrupted build may have left half-written."""
    mark = objects / ".building"
    if mark.exists():
        common.say(f"an earlier build in {objects} was interrupted: dropping what it wrote last")
        common.run(["find", objects, "-newer", mark, "(", "-name", "*.o", "-o", "-name", "*.a",
                    "-o", "-name", "*.ko", ")", "-delete"])
        mark.unlink()


def make_run(args: list[str | pathlib.Path], log: pathlib.Path, what: str) -> None:
    """Run a long make with a line of progress every 15 seconds."""
    with open(log, "a", encoding="utf-8") as handle:
        handle.write(f"$ {' '.join(map(str, args))}\n")
        handle.flush()
        start = handle.tell()
        with subprocess.Popen([str(a) for a in args if a != "-s"], stdout=handle,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              pass_fds=common.inherited(),
                              env={**os.environ, **make_env()}) as child:
            try:
                began = last = time.monotonic()
                while child.poll() is None:
                    time.sleep(0.2)
                    if time.monotonic() - last > 15:
                        last = time.monotonic()
                        steps = log.read_bytes()[start:].count(b"\n  CC ")
                        common.say(f"  {what}: {steps} files compiled in {last - began:.0f} s")
            except BaseException:
                child.terminate()
                raise
    if child.returncode:
        # it ended by itself: what it wrote before the error is whole
        for mark in (pathlib.Path(a[2:]) for a in map(str, args) if a.startswith("O=")):
            (mark / ".building").unlink(missing_ok=True)
        tail = [line for line in log.read_text("utf-8", "replace").splitlines()
                if "rror" in line or "***" in line][-12:]
        raise common.Error(f"{what} failed:\n" + "\n".join(tail) + f"\nThe whole log: {log}")


def prune(keep: int = 40) -> None:
    """Remove all but the kernels of the cache that were used last."""
    folders = sorted((common.cache() / "kernels").glob("[0-9a-f]*"),
                     key=lambda p: p.stat().st_mtime)
    for folder in folders[:-keep]:
        shutil.rmtree(folder, ignore_errors=True)


def build(variant: str, target_name: str) -> pathlib.Path:
    """Build (or find) the kernel; returns its folder: image, config, crashblk.ko, info.json."""
    target = TARGETS[target_name]
    need_all()
    commit = variant_commit(variant)
    crash = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(CRASH.glob("*"))
                                    if p.name == "Makefile" or p.suffix in (".c", ".h")))
    key = hashlib.sha256("\0".join((built_hash(commit), fragment_text(target), target.name,
                                    compiler(), crash.hexdigest())).encode()).hexdigest()[:16]
    final = common.cache() / "kernels" / key
    if (final / "info.json").exists():
        os.utime(final)
        return final
    common.need_disk(common.cache(), 4, "building a kernel")
    with common.locked("src"):
        if (final / "info.json").exists():
            return final
        began = time.monotonic()
        log = common.log_path(f"kernel-{variant}-{target.name}")
        log.write_text("", "ascii")
        common.say(f"building the {variant} kernel for {target.name} (log: {log})")
        source = series.build_source(commit)
        objects = home() / f"obj-{target.name}"
        configure(target, source, objects, commit, log)
        heal(objects)
        (objects / ".building").touch()
        args = make_args(target, objects)
        goal = "bzImage" if target.arch == "x86_64" else "linux"
        make_run([*args, "-C", source, goal, "modules"], log, f"{variant} for {target.name}")
        with common.published(final) as partial:
            module = objects / "crashblk"
            shutil.rmtree(module, ignore_errors=True)
            if (CRASH / "crashblk.c").exists():
                shutil.copytree(CRASH, module)
                make_run([*args, "-C", source, f"M={module}", "modules"], log, "crashblk.ko")
                shutil.copy(module / "crashblk.ko", partial)
            shutil.copy(objects / target.image, partial)
            shutil.copy(objects / ".config", partial / "config")
            (partial / "info.json").write_text(json.dumps({
                "variant": variant, "target": target.name, "commit": commit,
                "compiler": compiler(), "seconds": round(time.monotonic() - began)}) + "\n",
                "ascii")
        (objects / ".building").unlink()
        prune()
        common.say(f"built the {variant} kernel for {target.name} "
                   f"in {time.monotonic() - began:.0f} s")
    return final


def build_kunit(commit: str, name: str) -> pathlib.Path:
    """Build (or find) the KUnit kernel of @commit with kunit.py; returns its build_dir."""
    need_all()
    tests = git("ls-tree", "-r", commit, "drivers/md/tests", "drivers/md/.kunitconfig")
    key = hashlib.sha256("\0".join((built_hash(commit), tests, compiler(),
                                    "kunit")).encode()).hexdigest()[:16]
    final = common.cache() / "kernels" / key
    if (final / "linux").exists():
        os.utime(final)
        return final
    common.need_disk(common.cache(), 2, "building the KUnit kernel")
    with common.locked("src"):
        began = time.monotonic()
        log = common.log_path(f"kunit-{name}")
        log.write_text("", "ascii")
        common.say(f"building the KUnit kernel of {name} (log: {log})")
        source = series.build_source(commit)
        objects = home() / "obj-kunit"
        objects.mkdir(parents=True, exist_ok=True)
        heal(objects)
        (objects / ".building").touch()
        kunit = [source / "tools/testing/kunit/kunit.py"]
        # a release that names the commit has files compiled that no commit of ours touches
        common.run(["/usr/bin/python3", *kunit, "config", "--kunitconfig=drivers/md",
                    "--kconfig_add=CONFIG_LOCALVERSION_AUTO=n", f"--build_dir={objects}"],
                   cwd=source, env=make_env(), log=log, what="kunit.py config")
        # make_run() shows progress; kunit.py build would do the same in silence
        make_run([*make_args(Target("kunit", "um", "linux", ()), objects), "LOCALVERSION=",
                  "-C", source, "linux"], log, f"KUnit kernel of {name}")
        with common.published(final) as partial:
            shutil.copy(objects / "linux", partial)
            shutil.copy(objects / ".config", partial)
        (objects / ".building").unlink()
        common.say(f"built the KUnit kernel of {name} in {time.monotonic() - began:.0f} s")
    return final


def run_kunit(folder: pathlib.Path, commit: str, suite: str = "",
              *arguments: str) -> dict[str, str]:
    """Run a KUnit kernel, with @arguments on its command line, by kunit.py.

    Returns suite.case -> PASS, FAIL, SKIP, ERROR.
    """
    results = folder / "results.json"
    log = folder / "kunit.log"
    with common.locked("src"):
        # kunit.py is the same in every commit: no checkout, which would touch sources
        source = home() / "src"
        if not (source / "tools/testing/kunit/kunit.py").exists():
            source = series.build_source(commit)
        results.unlink(missing_ok=True)
        with open(log, "w", encoding="utf-8") as handle:
            subprocess.run(
                ["/usr/bin/python3", str(source / "tools/testing/kunit/kunit.py"), "exec",
                 f"--build_dir={folder}", f"--json={results}", "--timeout=60",
                 *(f"--kernel_args={a}" for a in arguments), *([suite] if suite else [])],
                cwd=source, stdout=handle, stderr=subprocess.STDOUT, check=False,
                stdin=subprocess.DEVNULL, env={**os.environ, **make_env()})
        if not results.exists():
            raise common.Error(f"the KUnit kernel gave no results; its log: {log}")
        found = {}
        for group in json.loads(results.read_text("utf-8")).get("sub_groups", []):
            for case in group.get("test_cases", []):
                found[f"{group['name']}.{case['name']}"] = case["status"]
        return found


def image(folder: pathlib.Path, target_name: str) -> pathlib.Path:
    """The bootable file in a kernel's folder."""
    return folder / pathlib.Path(TARGETS[target_name].image).name


def main() -> None:
    """The command line: build and print the path."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--variant", default="patched",
                        help="base, patched, tree (HEAD of build/linux-7.3) or a commit")
    parser.add_argument("--mode", choices=sorted(MODES), default="tcg", help="the VM's mode")
    args = parser.parse_args()
    print(image(build(args.variant, MODES[args.mode]), MODES[args.mode]))


if __name__ == "__main__":
    common.entry(main)
