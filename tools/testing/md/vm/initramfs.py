#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The one initramfs of every virtual machine: shell, mdadm, fio and the guest's helpers.

Prints the path of a cpio.gz in the cache. Programs that are compiled are kept on their own
there, so that a change of a helper does not compile fio again.
"""
from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Dict, Iterator, List, NamedTuple, Tuple

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import aptroot  # noqa: E402
import common  # noqa: E402
import cpio  # noqa: E402

HOST_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

# Program of the host: the Debian package that has it.
STATIC = {"busybox": "busybox-static", "bash-static": "bash-static"}
DYNAMIC = {
    "dmsetup": "dmsetup",
    "blockdev": "util-linux", "blkdiscard": "util-linux", "losetup": "util-linux",
    "mkfs.ext4": "e2fsprogs", "e2fsck": "e2fsprogs",
    "jq": "jq", "cmp": "diffutils", "trace-cmd": "trace-cmd", "lsblk": "util-linux",
    "dd": "coreutils", "od": "coreutils", "sha256sum": "coreutils", "stat": "coreutils",
    "timeout": "coreutils",
}
TO_BUILD = {"gcc": "gcc", "make": "make", "strip": "binutils", "ldd": "libc-bin"}

FOLDERS = ("dev", "etc", "host", "mnt", "proc", "root", "run", "sys", "tmp", "var/lib", "var/lock")
GUEST_PATH = "/bin:/sbin:/usr/bin:/usr/sbin"


class Recipe(NamedTuple):
    """How one source package becomes static programs."""

    package: str
    suites: Tuple[str, ...]         # the first whose mirror has the source
    minutes: str
    commands: List[List[str]]
    programs: Dict[str, str]        # file in the built tree: name in the guest
    data: Tuple[str, ...] = ()      # files that go to the guest's /usr/share as they are


# NO_LIBUDEV: Debian has no static libudev. The warnings of newer compilers are not ours to fix.
MDADM = ["make", "-j2", "CXFLAGS=-O2 -DNO_LIBUDEV", "CWFLAGS=-w", "LDFLAGS=-static",
         "CHECK_RUN_DIR=0", "COROSYNC=-DNO_COROSYNC", "DLM=-DNO_DLM", "LDLIBS=-ldl -lpthread"]

RECIPES = (
    Recipe("mdadm", ("sid",), "half a minute",
           [MDADM + ["mdadm", "mdmon", "raid6check"],
            ["tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-cf",
             "mdadm-tests.tar", "test", "tests"]],
           {"mdadm": "sbin/mdadm", "mdmon": "sbin/mdmon", "raid6check": "sbin/raid6check"},
           ("mdadm-tests.tar",)),
    Recipe("mdadm", ("bookworm",), "half a minute", [MDADM + ["mdadm"]],
           {"mdadm": "sbin/mdadm-4.2"}),
    # Tuned to the host's CPU, fio dies of SIGILL in the machine.
    Recipe("fio", ("trixie", "sid", "bookworm"), "1 to 2 minutes",
           [["./configure", "--disable-native", "--build-static"], ["make", "-j2", "V=1", "fio"]],
           {"fio": "bin/fio"}),
)


def which(program: str) -> pathlib.Path:
    """A program of the host, also from the folders of root's PATH."""
    found = shutil.which(program, path=HOST_PATH)
    if not found:
        raise common.Error(f"{program} is missing")
    return pathlib.Path(found)


def need_host() -> None:
    """Name everything that is missing on the host, before any work is done."""
    common.need_tools({**STATIC, **DYNAMIC, **TO_BUILD})
    missing = []
    for program, package in STATIC.items():
        if shared_libraries(which(program)):
            missing.append(package)
    test = subprocess.run(["gcc", "-x", "c", "-static", "-o", "/dev/null", "-", "-laio"],
                          input="#include <libaio.h>\nint main(void) { return 0; }\n", text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if test.returncode:
        missing += ["libaio-dev", "libc6-dev"]
    if missing:
        raise common.Error("static programs and libraries are missing. On Debian: apt-get install "
                           f"{' '.join(missing)}")


def shared_libraries(program: pathlib.Path) -> List[pathlib.Path]:
    """What the dynamic linker would load for @program; nothing if it is static."""
    out = subprocess.run(["ldd", str(program)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True, check=False).stdout
    if "not found" in out:
        raise common.Error(f"{program} lacks a library here:\n{out}")
    return [pathlib.Path(p) for p in re.findall(r"(/\S+) \(0x", out)]


def check_fio(fio: pathlib.Path) -> None:
    """An option that configure does not know resets the others silently: look at the result."""
    engines = common.run([fio, "--enghelp"], what="the fio just built").split()
    for engine in ("libaio", "io_uring"):
        if engine not in engines:
            raise common.Error(f"the fio just built has no {engine} engine. Is libaio-dev complete "
                               "(apt-get install libaio-dev)?")


def built(recipe: Recipe) -> pathlib.Path:
    """The folder with the recipe's stripped programs and a file that says their version."""
    key = hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]
    name = f"{recipe.package}-{recipe.suites[0]}"
    final = common.cache() / "initramfs" / "bin" / f"{name}-{key}"
    if final.exists():
        return final
    source = aptroot.source_any(recipe.package, *recipe.suites)
    _, version, suite = source.parent.name.replace("%3a", ":").split("_")
    log = common.log_path(f"initramfs-{name}")
    log.write_text("", encoding="utf-8")
    common.say(f"building {recipe.package} {version} of {suite} (about {recipe.minutes}), "
               f"log {log}")
    with common.published(final) as partial:
        work = partial / "work"
        shutil.copytree(source, work, symlinks=True)
        for command in recipe.commands:
            common.run(command, cwd=work, log=log, what=f"building {recipe.package} {version}",
                       env={"LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"})
        for program, guest in recipe.programs.items():
            if shared_libraries(work / program):
                raise common.Error(f"{program} of {name} is not static; see {log}")
            target = partial / guest
            target.parent.mkdir(parents=True, exist_ok=True)
            common.run(["strip", "-o", target, work / program], log=log)
            if recipe.package == "fio":
                check_fio(target)
        for name in recipe.data:
            (partial / "share").mkdir(exist_ok=True)
            shutil.copy2(work / name, partial / "share" / name)
        (partial / "version").write_text(f"{recipe.package} {version} {suite}\n", encoding="utf-8")
        shutil.rmtree(work)
    return final


def libraries(programs: List[pathlib.Path]) -> Iterator[pathlib.Path]:
    """The libraries of all @programs, each once."""
    seen = set()
    for program in programs:
        for path in shared_libraries(program):
            if path not in seen:
                seen.add(path)
                yield path


def collect() -> cpio.Archive:
    """Everything that goes in."""
    archive = cpio.Archive()
    for name in FOLDERS:
        archive.folder(name, 0o1777 if name == "tmp" else 0o755)
    archive.node("dev/console", 5, 1)
    archive.node("dev/null", 1, 3)
    archive.file("init", HERE / "init", 0o755)
    archive.tree("guest", HERE / "guest")
    archive.file("etc/passwd", b"root:x:0:0::/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n")
    archive.file("etc/group", b"root:x:0:\ndisk:x:6:\nnogroup:x:65534:\n")
    archive.link("etc/mtab", "/proc/mounts")
    versions = []
    for recipe in RECIPES:
        folder = built(recipe)
        for program in recipe.programs.values():
            archive.file(program, folder / program, 0o755)
        for name in recipe.data:
            archive.file(f"usr/share/{name}", folder / "share" / name)
        versions.append((folder / "version").read_bytes())
    archive.file("etc/versions", b"".join(versions))
    archive.file("bin/bash", which("bash-static"), 0o755)
    dynamic = [which(name) for name in DYNAMIC]
    for path in dynamic:
        archive.file(f"usr/bin/{path.name}", path, 0o755)
    for library in libraries(dynamic):
        archive.file(str(library), library, 0o755)
    archive.file("bin/busybox", which("busybox"), 0o755)
    for applet in common.run([which("busybox"), "--list"]).split():
        # mkfs.ext4 finds no place here; the rest must not hide what was put in on purpose.
        if not any(f"{d}/{applet}" in archive for d in GUEST_PATH.split(":")):
            archive.link(f"bin/{applet}", "busybox")
    return archive


def host_state() -> str:
    """What of the host goes in, cheap to find: path, size and time of every file used."""
    programs = [which(program) for program in (*STATIC, *DYNAMIC)]
    rows = []
    for path in (*programs, *libraries(programs)):
        info = path.stat()
        rows.append(f"{path} {info.st_size} {info.st_mtime_ns}")
    return "\n".join(rows)


def key() -> str:
    """A hash over the scripts, the guest's files and the versions of everything that goes in."""
    digest = hashlib.sha256()
    files = [HERE / "initramfs.py", HERE / "cpio.py", HERE / "init",
             *sorted((HERE / "guest").rglob("*"))]
    for path in files:
        if path.is_file():
            digest.update(f"{path.relative_to(HERE)}\n".encode() + path.read_bytes())
    for recipe in RECIPES:
        digest.update((built(recipe) / "version").read_bytes())
    digest.update(host_state().encode())
    return digest.hexdigest()[:16]


def make(rebuild: bool = False) -> pathlib.Path:
    """The path of the initramfs; built when the cache has none of this content."""
    need_host()
    base = common.cache() / "initramfs"
    with common.locked("initramfs"):
        if rebuild:
            shutil.rmtree(base / "bin", ignore_errors=True)
        common.need_disk(base, 0.5, "building the initramfs")
        final = base / key()
        image = final / "initramfs.cpio.gz"
        if rebuild:
            shutil.rmtree(final, ignore_errors=True)
        if not image.exists():
            with common.published(final) as partial:
                with open(partial / image.name, "wb") as raw:
                    with gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:
                        collect().write(out)
            common.say(f"initramfs: {image.stat().st_size / 1e6:.1f} MB, {image}")
        os.utime(final)
    return image


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rebuild", action="store_true",
                        help="compile the programs again, from the newest sources of their suites")
    args = parser.parse_args()
    print(make(args.rebuild))


if __name__ == "__main__":
    common.entry(main)
