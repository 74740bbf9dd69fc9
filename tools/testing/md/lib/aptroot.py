#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Packages of any Debian suite, by an apt root of our own.

The user's apt set-up is read for its mirror and never changed; signatures are checked
against the installed Debian keyring. Everything lands in the project's cache.
"""
from __future__ import annotations

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import common  # noqa: E402  pylint: disable=wrong-import-position

KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.pgp",
            "/usr/share/keyrings/debian-archive-keyring.gpg")
LISTS_MAX_AGE = 24 * 3600


class AptError(common.Error):
    """A package that cannot be had, and what to do about it."""


def _need_apt() -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise AptError(
                f"{tool} is not on this system, so packages cannot be fetched. Give the kernel "
                "source with KDIR=/path/to/linux-7.3 or DEB=/path/to/linux-source-7.3_*.deb, and "
                "install by hand: qemu-system-x86_64, busybox (static), bash (static), fio, "
                "mdadm, dmsetup, ccache, shellcheck, flake8, mypy.")


def mirror() -> str:
    """The Debian mirror: MIRROR=, else the one that the system's apt uses."""
    if os.environ.get("MIRROR"):
        return os.environ["MIRROR"].rstrip("/")
    _need_apt()
    out = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(COMPONENT) $(REPO_URI)"],
        capture_output=True, text=True, check=False, env=_clean_env()).stdout
    for line in out.splitlines():
        label, _, rest = line.partition(" ")
        component, _, uri = rest.partition(" ")
        if label == "Debian" and component == "main":
            return uri.rstrip("/")
    for path in [pathlib.Path("/etc/apt/sources.list"),
                 *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*.*"))]:
        if not path.exists():
            continue
        for uri in re.findall(r"https?://[^\s]+/debian(?=[/\s]|$)", path.read_text("utf-8")):
            return str(uri)
    raise AptError("no Debian mirror in this system's apt sources: say which one to use with "
                   "MIRROR=http://host/debian.")


def _clean_env() -> dict[str, str]:
    env = dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
    env.pop("APT_CONFIG", None)
    return env


class Root:
    """One suite's private apt root."""

    def __init__(self, suite: str) -> None:
        _need_apt()
        self.suite = suite
        self.dir = common.cache() / "apt" / suite
        self.config = self.dir / "apt.conf"

    def _write(self) -> None:
        keyring = next((k for k in KEYRINGS if os.path.exists(k)), None)
        if not keyring:
            raise AptError("the Debian keyring is not installed: apt-get install "
                           "debian-archive-keyring.")
        for sub in ("lists/partial", "cache/archives/partial", "empty"):
            (self.dir / sub).mkdir(parents=True, exist_ok=True)
        (self.dir / "status").touch()
        uri = mirror()
        (self.dir / "sources.list").write_text(
            "".join(f"{kind} [signed-by={keyring}] {uri} {self.suite} main\n"
                    for kind in ("deb", "deb-src")), "utf-8")
        self.config.write_text(
            f'Dir::Etc::SourceList "{self.dir}/sources.list";\n'
            f'Dir::Etc::SourceParts "{self.dir}/empty";\n'
            f'Dir::State "{self.dir}";\n'
            f'Dir::State::Lists "{self.dir}/lists";\n'
            f'Dir::State::status "{self.dir}/status";\n'
            f'Dir::Cache "{self.dir}/cache";\n'
            'APT::Architecture "amd64";\nAPT::Sandbox::User "root";\n'
            'APT::Get::List-Cleanup "0";\nAcquire::Languages "none";\n', "utf-8")

    def apt(self, *args: str, cwd: pathlib.Path | None = None) -> str:
        """Run an apt tool inside this root."""
        return common.run(args, cwd=cwd, env={**_clean_env(), "APT_CONFIG": str(self.config)})

    def update(self, force: bool = False) -> None:
        """Fetch the package lists when they are missing or older than a day."""
        stamp = self.dir / "updated"
        fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_MAX_AGE
        if fresh and not force and os.environ.get("MIRROR", "") in stamp.read_text("utf-8"):
            return
        self._write()
        common.say(f"reading the package lists of {self.suite}")
        try:
            self.apt("apt-get", "-o", "APT::Update::Error-Mode=any", "update")
        except common.Error as err:
            raise AptError(
                f"the package lists of {self.suite} could not be read: is there a network? "
                f"(a mirror can be named with MIRROR=, a kernel source with KDIR= or DEB=)\n{err}"
            ) from err
        stamp.write_text(mirror() + "\n", "utf-8")

    def versions(self, package: str, source: bool = False) -> list[str]:
        """The versions on offer, newest first."""
        kind = "Sources" if source else "Packages"
        rows = [line.split("|") for line in self.apt("apt-cache", "madison", package).splitlines()]
        found = [r[1].strip() for r in rows if len(r) == 3 and r[2].strip().endswith(kind)
                 and r[0].strip() == package]
        return list(dict.fromkeys(found))

    def names(self, pattern: str) -> list[str]:
        """The package names that match a regular expression."""
        return sorted(n for n in self.apt("apt-cache", "pkgnames").split()
                      if re.fullmatch(pattern, n))


def _wanted(root: Root, package: str, version: str | None, is_source: bool) -> str:
    """The version to fetch, if it is on offer."""
    on_offer = root.versions(package, source=is_source)
    want = version or (on_offer[0] if on_offer else None)
    if not want or want not in on_offer:
        what = f"the source of {package}" if is_source else package
        raise AptError(f"{what}{' ' + version if version else ''} is not in {root.suite}; on "
                       f"offer: {', '.join(on_offer) or 'nothing of that name'}.")
    return want


def _fetch(root: Root, folder: str, package: str, version: str | None,
           is_source: bool) -> pathlib.Path:
    """Fetch into cache/@folder; lists that are out of date are read again, once."""
    for again in (False, True):
        root.update(force=again)
        want = _wanted(root, package, version, is_source)
        suffix = f"_{root.suite}" if is_source else ""
        final = common.cache() / folder / f"{package}_{want.replace(':', '%3a')}{suffix}"
        if final.exists():
            break
        common.say(f"fetching {'the source of ' if is_source else ''}{package} {want} "
                   f"from {root.suite}")
        try:
            with common.published(final) as partial:
                if not is_source:
                    root.apt("apt-get", "download", f"{package}={want}", cwd=partial)
                    break
                root.apt("apt-get", "source", "--download-only", f"{package}={want}", cwd=partial)
                dsc = next(partial.glob("*.dsc"))
                common.run(["dpkg-source", "--no-check", "-x", dsc.name, "tree"], cwd=partial)
            break
        except common.Error:
            if again:
                raise
    return final


def deb(package: str, suite: str, version: str | None = None) -> pathlib.Path:
    """Fetch a binary package; returns the .deb in the cache."""
    with common.locked(f"apt-{suite}"):
        return next(_fetch(Root(suite), "dl", package, version, False).glob("*.deb"))


def source(package: str, suite: str, version: str | None = None) -> pathlib.Path:
    """Fetch a source package; returns its unpacked folder in the cache (copy before building)."""
    common.need_tools({"dpkg-source": "dpkg-dev"})
    with common.locked(f"apt-{suite}"):
        try:
            return _fetch(Root(suite), "src", package, version, True) / "tree"
        except AptError:
            have = sorted((common.cache() / "src").glob(f"{package}_*_{suite}"),
                          key=lambda p: p.stat().st_mtime)
            if version or not have:
                raise
            common.say(f"no network: taking {have[-1].name} from the cache")
            return have[-1] / "tree"


def source_any(package: str, *suites: str) -> pathlib.Path:
    """As source(), from the first of @suites whose mirror really has the files."""
    problems = []
    for suite in suites:
        try:
            return source(package, suite)
        except common.Error as err:
            problems.append(f"{suite}: {err}")
    raise AptError(f"the source of {package} could not be fetched.\n" + "\n".join(problems))


def main() -> None:
    """The command line: print the path of one package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("deb", "source"))
    parser.add_argument("package")
    parser.add_argument("suite")
    parser.add_argument("version", nargs="?")
    args = parser.parse_args()
    fetch = deb if args.kind == "deb" else source
    print(fetch(args.package, args.suite, args.version))


if __name__ == "__main__":
    common.entry(main)
