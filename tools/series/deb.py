#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make deb: installable packages of the kernel, by the kernel's own bindeb-pkg.

The configuration is CONFIG=, else the running machine's, else Debian's. What would keep it from
building elsewhere (keys of the distribution, debug information) is taken out.
"""
from __future__ import annotations

import argparse
import dataclasses
import gzip
import hashlib
import json
import lzma
import os
import pathlib
import platform
import re
import shutil
import sys
import tempfile
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import aptroot  # noqa: E402
import base as base_mod  # noqa: E402
import common  # noqa: E402
import kernel  # noqa: E402
import series  # noqa: E402
from base import home  # noqa: E402

PACKAGE = f"linux-config-{common.SERIES}"
TARGET = kernel.Target("deb", "x86_64", "", ())
# No distribution's kernel is called so: nothing of the system's is ever overwritten.
SUFFIX = "-md-write"
NEEDED = "CONFIG_MD_RAID456"

# What scripts/package/mkdebian has as Build-Depends, and what the kernel's Makefiles run.
TOOLS = {"dpkg-buildpackage": "dpkg-dev", "dpkg-deb": "dpkg", "dh_listpackages": "debhelper",
         "depmod": "kmod", "rsync": "rsync", "tar": "tar", "python3": "python3",
         "openssl": "openssl"}
HEADERS = {"elfutils/libdw.h": "libdw-dev", "openssl/opensslv.h": "libssl-dev"}
# Asked for by single options.
BY_OPTION = {"CONFIG_KERNEL_ZSTD": {"zstd": "zstd"}, "CONFIG_KERNEL_LZ4": {"lz4": "lz4"},
             "CONFIG_KERNEL_LZO": {"lzop": "lzop"}, "CONFIG_KERNEL_BZIP2": {"bzip2": "bzip2"},
             "CONFIG_MODULE_COMPRESS_ZSTD": {"zstd": "zstd"}, "CONFIG_IKHEADERS": {"cpio": "cpio"}}

# Files that the distribution has and we don't; without them the build fails. An own key signs
# the modules, and is made by the build.
OVERRIDES = {
    "CONFIG_SYSTEM_TRUSTED_KEYS": '""', "CONFIG_SYSTEM_REVOCATION_KEYS": '""',
    "CONFIG_SYSTEM_BLACKLIST_HASH_LIST": '""', "CONFIG_EFI_SBAT_FILE": '""',
    "CONFIG_MODULE_SIG_KEY": '"certs/signing_key.pem"', "CONFIG_MODULE_SIG_ALL": "y",
    # the package's name shall not change with every commit
    "CONFIG_LOCALVERSION_AUTO": "n",
    # a package with debug information takes tens of GB, BTF a pahole that fits the compiler
    "CONFIG_DEBUG_INFO_NONE": "y", "CONFIG_DEBUG_INFO_BTF": "n", "CONFIG_GDB_SCRIPTS": "n",
    "CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT": "n", "CONFIG_DEBUG_INFO_DWARF4": "n",
    "CONFIG_DEBUG_INFO_DWARF5": "n",
}
OTHER_ARCH = ("ARM64", "ARM", "RISCV", "PPC", "S390", "LOONGARCH", "MIPS", "SPARC", "UML",
              "X86_32")

# Debian's configuration took, in fs/btrfs and net/netfilter, 1.0 to 1.2 s of CPU and 120 to 210
# kB of objects a file. The module, its copy in the package and ccache's take as much again.
FILES_PER_SECOND = 0.9
BYTES_PER_FILE = 330e3


@dataclasses.dataclass(frozen=True)
class Config:
    """A configuration as it was found."""
    text: str
    name: str       # for the reader
    objects: str    # the object tree that it is built in
    modules: str = ""   # LOCALMOD=1: those that are loaded, as lsmod prints them


def options(text: str) -> dict[str, str]:
    """The options of a .config that are set."""
    return dict(re.findall(r"^(CONFIG_\w+)=(.*)$", text, re.M))


def read_config(path: pathlib.Path, name: str) -> str:
    """A configuration, plain or packed; refuses what is none, or none for this machine."""
    try:
        data = path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        elif data.startswith(b"\xfd7zXZ"):
            data = lzma.decompress(data)
        text = data.decode()
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as err:
        reason = getattr(err, "strerror", None) or err
        raise common.Error(f"{name} can't be read: {reason}. CONFIG= takes the file of a kernel "
                           "configuration (.config, /boot/config-*, also .gz or .xz).") from err
    except UnicodeDecodeError:
        text = ""
    found = options(text)
    if not found:
        raise common.Error(f"{name} is no kernel configuration: it has no line CONFIG_…=. CONFIG= "
                           "takes a .config, or a /boot/config-*.")
    head = re.search(r"^# Linux/(\S+) .*Configuration$", text, re.M)
    other = [a for a in OTHER_ARCH if found.get(f"CONFIG_{a}") == "y"]
    if other or (head and head[1] not in ("x86", "x86_64")):
        arch = other[0] if other else head and head[1]
        raise common.Error(f"{name} is a configuration for {arch}; the packages are built for "
                           "x86_64 only.")
    if found.get(NEEDED) not in ("y", "m"):
        raise common.Error(f"{name} has no {NEEDED}: a kernel of it would have no RAID4/5/6, which "
                           "is what it is built for. Set it there, or give another with CONFIG=.")
    return text


def running() -> tuple[Config | None, str]:
    """The running machine's configuration; if it can't be taken, why."""
    why = "this machine's kernel shows none"
    for path in (pathlib.Path(f"/boot/config-{platform.release()}"),
                 pathlib.Path("/proc/config.gz")):
        if path.exists():
            try:
                return Config(read_config(path, str(path)), f"this machine's, {path}",
                              "running"), ""
            except common.Error as err:
                why = str(err).split(": a kernel", maxsplit=1)[0].split(". CONFIG=")[0]
    return None, why


def debian() -> Config:
    """Debian's configuration: the base's if it is in the cache, else the newest."""
    def age(deb: pathlib.Path) -> tuple[bool, float]:
        return base_mod.pin()["version"] in deb.name, deb.stat().st_mtime

    cached = sorted((common.cache() / "dl").glob(f"{PACKAGE}_*/*.deb"), key=age)
    try:
        deb = cached[-1] if cached else aptroot.deb(PACKAGE, base_mod.SUITE)
    except common.Error as err:
        raise common.Error(f"Debian's configuration is not to be had; give one with CONFIG=.\n{err}"
                           ) from err
    with tempfile.TemporaryDirectory() as temp:
        common.run(["dpkg-deb", "-x", deb, temp])
        found = list(pathlib.Path(temp).glob("usr/src/linux-config-*/config.amd64_none_amd64*"))
        if not found:
            raise common.Error(f"{deb} has no config.amd64_none_amd64; give a configuration with "
                               "CONFIG=.")
        version = deb.parent.name.partition("_")[2]
        return Config(read_config(found[0], found[0].name), f"Debian's, {PACKAGE} {version}",
                      "debian")


def find_config(path: pathlib.Path | None) -> Config:
    """CONFIG=, else the running machine's, else Debian's."""
    if path:
        return Config(read_config(path, f"CONFIG={path}"), str(path), "own")
    config, why = running()
    if config:
        return config
    config = debian()
    return dataclasses.replace(config, name=f"{config.name} ({why})")


def loaded(path: pathlib.Path | None) -> str:
    """LOCALMOD=1: the modules that are loaded, or those of LSMOD=, as lsmod prints them."""
    where = path or pathlib.Path("/proc/modules")
    try:
        text = where.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as err:
        text = ""
        if path:
            raise common.Error(f"LSMOD={path} can't be read: {err}") from err
    names = [line.split()[0] for line in text.splitlines() if re.match(r"\w+\s+\d+", line)]
    if not names:
        raise common.Error(
            f"LSMOD={path} has no line of a module: it takes what lsmod prints." if path else
            "LOCALMOD=1: no module is loaded here. Save what lsmod prints on the machine that the "
            "kernel is for, and give that file with LSMOD=.")
    return "Module Size Used by\n" + "".join(f"{n} 1 0\n" for n in sorted(set(names)))


def adapt(text: str) -> str:
    """@text with OVERRIDES in it."""
    lines = [line for line in text.splitlines() if not any(
        re.match(rf"(# )?{name}[ =]", line) for name in OVERRIDES)]
    return "\n".join([*lines, *(f"{k}={v}" for k, v in OVERRIDES.items())]) + "\n"


def md_options(source: pathlib.Path) -> list[str]:
    """The options of drivers/md."""
    return [f"CONFIG_{name}" for path in sorted((source / "drivers/md").glob("Kconfig*"))
            for name in re.findall(r"^(?:menu)?config (\w+)$", path.read_text("utf-8"), re.M)]


def configure(config: Config, source: pathlib.Path, objects: pathlib.Path,
              log: pathlib.Path) -> str:
    """Write objects/.config, if it is another than before; returns it."""
    objects.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=objects, prefix="fresh-") as temp:
        fresh = pathlib.Path(temp)
        (fresh / ".config").write_text(adapt(config.text), "utf-8")
        make: list[str | pathlib.Path] = ["make", "-s", "-C", source, f"ARCH={TARGET.arch}",
                                          f"O={fresh}"]
        common.run([*make, "olddefconfig"], env=kernel.make_env(), log=log,
                   what="make olddefconfig")
        before = options((fresh / ".config").read_text("utf-8"))
        if config.modules:
            # streamline_config.pl would run it if it could
            (fresh / "lsmod").write_text(config.modules, "utf-8")
            common.run([*make, "localmodconfig"], log=log, what="make localmodconfig",
                       stdin="\n" * 10000, env={**kernel.make_env(), "LMC_KEEP": "drivers/md",
                                                "LSMOD": str(fresh / "lsmod")})
        text = (fresh / ".config").read_text("utf-8")
    got = options(text)
    for name in (NEEDED, "CONFIG_X86_64"):
        if name not in got:
            raise common.Error(f"make olddefconfig leaves no {name} of the configuration: what it "
                               f"depends on is not set there. ({config.name}; log: {log})")
    ours = md_options(source)
    common.say("  of md it has " + " ".join(f"{n[7:]}={got[n]}" for n in ours if n in got and (
        n.startswith(("CONFIG_MD_", "CONFIG_BLK_DEV_MD")) or n == "CONFIG_DM_RAID")))
    lost = [n for n in ours if before.get(n) != got.get(n)]
    if lost:
        common.say(f"  LOCALMOD=1 took off {' '.join(n[7:] for n in lost)}: what it depends on is "
                   "not loaded")
    if not (objects / ".config").exists() or (objects / ".config").read_text("utf-8") != text:
        (objects / ".config").write_text(text, "utf-8")
    return text


class Counter:
    """Counts what kbuild would compile, by reading the Makefiles; says about how many.

    Conditionals are not looked at, and what needs make's functions is left out.
    """

    def __init__(self, source: pathlib.Path, config: dict[str, str]) -> None:
        self.source = source
        self.config = config

    def _lists(self, text: str) -> dict[str, list[str]]:
        """The active lines NAME-y, NAME-m, NAME-objs, NAME-$(CONFIG_X) of a Makefile."""
        lists: dict[str, list[str]] = {}
        for name, kind, words in re.findall(
                r"^\s*([\w.-]+)-(y|m|objs|\$\(CONFIG_\w+\)|\$\(subst m,y,\$\(CONFIG_\w+\)\))"
                r"\s*[:+]?=\s*(.*)$", text.replace("\\\n", " "), re.M):
            option = re.search(r"CONFIG_\w+", kind)
            if not option or self.config.get(option[0]) in ("y", "m"):
                lists.setdefault(name, []).extend(words.partition("#")[0].split())
        return lists

    def files(self, folder: str = "") -> int:
        """The number of files below @folder."""
        where = self.source / folder
        path = next((where / n for n in ("Kbuild", "Makefile") if (where / n).exists()), None)
        if not path:
            return 0
        lists = self._lists(path.read_text("utf-8", "replace"))
        if not folder:
            lists["obj"] += [f"arch/x86/{d}" for d in ("", "lib/", "pci/", "power/")] + ["lib/"]
        count, seen = 0, set()
        waiting = [w for n in ("obj", "lib") for w in lists.get(n, [])]
        while waiting:
            word = waiting.pop()
            if word in seen or "$" in word:
                continue
            seen.add(word)
            if word.endswith("/"):
                count += self.files(f"{folder}{word}")
            elif word.endswith(".o"):
                parts = lists.get(word[:-2], [])
                waiting += parts
                count += not parts
        return count


def estimate(source: pathlib.Path, objects: pathlib.Path, text: str) -> None:
    """Say how much time and disk the build needs; refuse if there is too little disk."""
    config = options(text)
    modules = sum(v == "m" for v in config.values())
    files = Counter(source, config).files() + modules
    seconds = files / FILES_PER_SECOND / (os.cpu_count() or 1)
    there = sum(1 for _ in objects.rglob("*.o"))
    gigabytes = max(files - there, files / 10) * BYTES_PER_FILE / 1e9 + 0.5
    common.say(f"  about {files} files to compile: {duration(seconds)} and {gigabytes:.1f} GB "
               f"below {common.cache()}")
    common.say(f"  (counted in the Makefiles, at {FILES_PER_SECOND} files a second and CPU and "
               f"{BYTES_PER_FILE / 1e3:.0f} kB a file, as measured; what ccache has is faster)")
    common.need_disk(home(), gigabytes, "building the packages")


def duration(seconds: float) -> str:
    """For a reader."""
    return f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{seconds / 60:.0f} minutes"


def release_suffix(variant: str, commit: str) -> str:
    """What the release ends in: one of its own for each variant."""
    names = {"patched": "", "base": "-base", "tree": "-tree"}
    return SUFFIX + names.get(variant, f"-{commit[:12]}")


def leftovers() -> list[pathlib.Path]:
    """What bindeb-pkg puts next to an object tree."""
    return [p for n in ("linux-*.deb", "linux-upstream_*") for p in home().glob(n)]


def make_packages(source: pathlib.Path, objects: pathlib.Path, log: pathlib.Path, suffix: str,
                  version: str) -> None:
    """Run bindeb-pkg; the packages end up in home(), the parent of @objects."""
    args = kernel.make_args(TARGET, objects)
    # the headers' package compiles its programs again unless HOSTCC is CC
    args.append(next(a for a in args if a.startswith("CC=")).replace("CC=", "HOSTCC=", 1))
    for old in leftovers():
        old.unlink()
    kernel.heal(objects)
    (objects / ".building").touch()
    # by LOCALVERSION=, not by the configuration: the compiler's command lines and headers stay
    # those of the kernels of make test, and ccache has their objects
    kernel.make_run([*args, "-C", source, f"LOCALVERSION={suffix}", f"KDEB_PKGVERSION={version}",
                     "KDEB_CHANGELOG_DIST=unstable", "bindeb-pkg"], log, "bindeb-pkg")
    (objects / ".building").unlink()


def build(variant: str, config: Config) -> pathlib.Path:
    """Build (or find) the packages; returns their folder: linux-image, -headers, info.json."""
    commit = kernel.variant_commit(variant)
    suffix = release_suffix(variant, commit)
    key = hashlib.sha256("\0".join((
        kernel.built_hash(commit), adapt(config.text), config.modules, suffix, kernel.compiler(),
    )).encode()).hexdigest()[:16]
    final = common.cache() / "deb" / key
    if (final / "info.json").exists():
        os.utime(final)
        return final
    common.need_disk(home(), 1, "configuring the kernel")
    with common.locked("src"):
        if (final / "info.json").exists():
            return final
        began = time.monotonic()
        log = common.log_path(f"deb-{config.objects}")
        log.write_text("", "ascii")
        source = series.build_source(commit)
        # as deep as the other object trees, since ccache sees relative paths
        objects = home() / f"obj-deb-{config.objects}"
        common.say(f"configuring the {variant} kernel (log: {log})")
        text = configure(config, source, objects, log)
        common.need_tools({t: p for option, tools in BY_OPTION.items() if option in options(text)
                           for t, p in tools.items()})
        estimate(source, objects, text)
        common.say("building it; to stop, press Ctrl-C: the next run has from ccache what was "
                   "compiled")
        number = base_mod.kernel_version(source)
        make_packages(source, objects, log, suffix, f"{number}-1+g{commit[:12]}")
        with common.published(final) as partial:
            for path in leftovers():
                if re.match(r"linux-(image|headers)-.*\.deb$", path.name):
                    shutil.move(path, partial)
                else:
                    path.unlink()
            release = (objects / "include/config/kernel.release").read_text("ascii").strip()
            (partial / "info.json").write_text(json.dumps({
                "release": release, "variant": variant, "commit": commit, "config": config.name,
                "compiler": kernel.compiler(),
                "seconds": round(time.monotonic() - began)}) + "\n", "ascii")
        for old in sorted(final.parent.glob("[0-9a-f]*"), key=lambda p: p.stat().st_mtime)[:-6]:
            shutil.rmtree(old, ignore_errors=True)
        common.say(f"built the packages of {release} in {time.monotonic() - began:.0f} s; their "
                   f"objects stay for the next time, or: rm -rf {objects}")
    return final


def need_all() -> None:
    """All that building packages wants, but for what single options ask for."""
    kernel.need_all()
    common.need_tools(TOOLS)
    kernel.need_headers(HEADERS)


def writable(out: pathlib.Path) -> None:
    """Find out now, and not after hours."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as err:
        raise common.Error(f"the packages are to go to {out}, but it can't be written: "
                           f"{err.strerror}.") from err


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--variant", default="patched",
                        help="base, patched, tree (HEAD of build/linux-7.3) or a commit")
    parser.add_argument("--config", type=pathlib.Path, help="a kernel configuration")
    parser.add_argument("--localmod", action="store_true", help="only the modules that are loaded")
    parser.add_argument("--lsmod", type=pathlib.Path, help="what lsmod printed elsewhere")
    parser.add_argument("--out", type=pathlib.Path, default=common.TOP / "build" / "deb")
    args = parser.parse_args()
    need_all()
    writable(args.out)
    config = find_config(args.config)
    if args.localmod or args.lsmod:
        config = dataclasses.replace(config, objects=f"{config.objects}-localmod",
                                     modules=loaded(args.lsmod))
    common.say(f"the configuration is {config.name}")
    common.say("  without debug information and BTF, and without the distribution's keys: the "
               "build makes one of its own for the modules")
    if config.modules:
        common.say(f"  LOCALMOD=1: only the {len(config.modules.splitlines()) - 1} modules that "
                   "are loaded, and drivers/md; hardware that is not in use now will not work")
    folder = build(args.variant, config)
    info = json.loads((folder / "info.json").read_text("ascii"))
    for old in args.out.glob("linux-*.deb"):
        old.unlink()
    debs = [pathlib.Path(shutil.copy(p, args.out)) for p in sorted(folder.glob("*.deb"))]
    release = info["release"]
    for path in debs:
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    names = " ".join(p.name.partition("_")[0] for p in debs)
    print(f"""
To install:  sudo dpkg -i {args.out}/linux-*.deb
             then restart, choose Linux {release} in the boot menu; uname -r says it.
             It is not signed: Secure Boot has to be off. The kernels that are there stay.
To go back:  choose the old kernel in the boot menu, then sudo apt-get remove {names}""")


if __name__ == "__main__":
    common.entry(main)
