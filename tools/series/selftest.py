# SPDX-License-Identifier: GPL-2.0
"""Tests of the tools themselves, for make test (kind series).

Most run on a toy: a copy of the tools with a series and a base of a few lines.
"""
from __future__ import annotations

import contextlib
import gzip
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
from typing import Any, Iterator

import base as base_mod
import common
import series
from base import git

TESTING = common.TOP / "tools/testing/md"

BASE_FILE = "".join(f"line {n}\n" for n in range(1, 31))
NEW_FILE = "one\nzwei\n" + BASE_FILE
PATCH_1 = """\
From: A Hacker <hacker@example.org>
Subject: [PATCH] md: first

Why it is first.
---

diff --git a/drivers/md/raid5.c b/drivers/md/raid5.c
--- a/drivers/md/raid5.c
+++ b/drivers/md/raid5.c
@@ -3,7 +3,7 @@ line 2
 line 3
 line 4
 line 5
-line 6
+line six
 line 7
 line 8
 line 9
"""
PATCH_2 = """\
From: A Hacker <hacker@example.org>
Subject: [PATCH] md: second

Why it is second.
---

diff --git a/drivers/md/new.c b/drivers/md/new.c
--- a/drivers/md/new.c
+++ b/drivers/md/new.c
@@ -1,5 +1,5 @@
 one
-two
+zwei
 line 1
 line 2
 line 3
diff --git a/drivers/md/raid5.c b/drivers/md/raid5.c
--- a/drivers/md/raid5.c
+++ b/drivers/md/raid5.c
@@ -18,7 +18,7 @@ line 17
 line 18
 line 19
 line 20
-line 21
+line twenty-one
 line 22
 line 23
 line 24
"""
SERIES = """\
# The patches in order; below each, with a +, the new files that arrive with it.

0001-md-first.patch
\t+ drivers/md/new.c

0002-md-second.patch
"""


class Toy:
    """A repository, a base and a cache of a few lines each."""

    def __init__(self, top: pathlib.Path) -> None:
        self.top = top
        self.repo = top / "repo"
        self.kdir = top / "kernel"
        self.env = {**os.environ, "MD_WRITE_CACHE": str(top / "cache"), "KDIR": str(self.kdir)}
        self.env.pop("DEB", None)
        for folder in ("tools/series", "tools/testing/md/lib"):
            shutil.copytree(common.TOP / folder, self.repo / folder)
        (self.repo / "patches/7.3").mkdir(parents=True)
        (self.repo / "drivers/md").mkdir(parents=True)
        self.write("patches/7.3/BASE", "version 7.3.0-1\nsha256 " + "0" * 64 + "\n")
        self.write("patches/7.3/0001-md-first.patch", PATCH_1)
        self.write("patches/7.3/0002-md-second.patch", PATCH_2)
        self.write("patches/7.3/series", SERIES)
        self.write("drivers/md/new.c", NEW_FILE)
        (self.kdir / "drivers/md").mkdir(parents=True)
        (self.kdir / "Makefile").write_text("VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 9\n", "utf-8")
        # as Debian's: git status hides every new file
        (self.kdir / ".gitignore").write_text("/*\n", "utf-8")
        (self.kdir / "drivers/md/raid5.c").write_text(BASE_FILE, "utf-8")
        for args in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t",
                                                     "commit", "-qm", "toy"]):
            git(*args, cwd=self.repo)

    @property
    def tree(self) -> pathlib.Path:
        """The assembled tree."""
        return self.repo / "build/linux-7.3"

    def write(self, name: str, text: str) -> None:
        """Write a file of the repository."""
        (self.repo / name).write_text(text, "utf-8")

    def tool(self, *args: str, **env: str) -> tuple[int, str]:
        """Run series.py; exit status and what it said."""
        done = subprocess.run(["/usr/bin/python3", "tools/series/series.py", *args],
                              cwd=self.repo, env={**self.env, **env}, capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def good(self, *args: str) -> str:
        """Run series.py, which must succeed."""
        status, text = self.tool(*args)
        if status:
            raise common.Error(f"series.py {' '.join(args)}: exit status {status}\n{text}")
        return text

    def refused(self, words: str, *args: str, **env: str) -> None:
        """Run series.py, which must fail, saying @words, and with no Python traceback."""
        status, text = self.tool(*args, **env)
        if not status or words not in text or "Traceback" in text:
            raise common.Error(f"series.py {' '.join(args)} should fail and say {words!r}; exit "
                               f"status {status}, it said:\n{text}")

    def git(self, *args: str) -> str:
        """git in the assembled tree."""
        return common.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *args],
                          cwd=self.tree)


@contextlib.contextmanager
def toy() -> Iterator[Toy]:
    """A toy that lives as long as the test."""
    # not in /tmp, which may be small and in memory
    common.cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=common.cache(), prefix="toy-") as temp:
        yield Toy(pathlib.Path(temp))


def same(what: str, got: object, want: object) -> None:
    """Fail unless equal."""
    if got != want:
        raise common.Error(f"{what}: got {got!r}, want {want!r}")


def assemble_versions(_: pathlib.Path) -> str:
    """A file of ours arrives in its first version, and ends in its final one."""
    with toy() as t:
        t.good("tree")
        same("new.c as it arrives", t.git("show", "HEAD~1:drivers/md/new.c"),
             NEW_FILE.replace("zwei", "two"))
        same("new.c at the end", t.git("show", "HEAD:drivers/md/new.c"), NEW_FILE)
        first = t.git("rev-parse", "HEAD")
        shutil.rmtree(t.top / "cache")
        t.good("tree")
        same("the hash, assembled again", t.git("rev-parse", "HEAD"), first)
    return ""


def refresh_takes_commits(_: pathlib.Path) -> str:
    """Commits of the tree come back into the repository; assembling them gives the same tree."""
    with toy() as t:
        t.good("tree")
        before = {p.name: p.read_bytes() for p in (t.repo / "patches/7.3").iterdir()}
        t.good("refresh")
        same("patches/ after an idle refresh",
             {p.name: p.read_bytes() for p in (t.repo / "patches/7.3").iterdir()}, before)
        (t.tree / "drivers/md/more.c").write_text("more\n", "utf-8")
        t.refused("1 new files there are not committed", "refresh")
        (t.tree / "drivers/md/new.c").write_text(NEW_FILE + "drei\n", "utf-8")
        t.refused("not ready", "refresh")
        busy = t.top / "cache/linux-7.3/git/worktrees/tree/rebase-merge"
        busy.mkdir()
        t.refused("a rebase, merge, cherry-pick or bisect is under way", "refresh")
        busy.rmdir()
        t.git("add", "--force", "drivers/md/more.c")
        t.git("commit", "-qam", "md: third\n\nWhy.")
        t.refused("holds work that would be lost", "tree")
        tree = t.git("rev-parse", "HEAD^{tree}")
        t.good("refresh")
        same("more.c", (t.repo / "drivers/md/more.c").read_text("utf-8"), "more\n")
        same("new.c", (t.repo / "drivers/md/new.c").read_text("utf-8"), NEW_FILE + "drei\n")
        t.good("tree")
        same("the tree, assembled from what refresh wrote", t.git("rev-parse", "HEAD^{tree}"),
             tree)
        t.git("reset", "-q", "--hard", "HEAD~1")
        t.good("refresh")
        same("more.c after its commit was dropped", (t.repo / "drivers/md/more.c").exists(), False)
    return ""


def refresh_keeps_edits(_: pathlib.Path) -> str:
    """Refresh refuses when the repository was edited meanwhile; nothing is overwritten."""
    with toy() as t:
        t.good("tree")
        t.write("drivers/md/new.c", NEW_FILE + "edited\n")
        t.refused("changed in the repository since", "refresh")
        same("the edit", (t.repo / "drivers/md/new.c").read_text("utf-8"),
             NEW_FILE + "edited\n")
        t.good("tree")
        same("the edit in the tree", t.git("show", "HEAD:drivers/md/new.c"),
             NEW_FILE + "edited\n")
    return ""


def hunk_is_named(_: pathlib.Path) -> str:
    """A base that a hunk does not fit: patch, file and hunk are named, nothing is changed."""
    with toy() as t:
        (t.kdir / "drivers/md/raid5.c").write_text(BASE_FILE.replace("line 21\n", "other\n"),
                                                   "utf-8")
        t.refused("0002-md-second.patch does not apply", "tree")
        t.refused("hunk 1 of drivers/md/raid5.c: @@ -18,7 +18,7 @@", "tree")
    return ""


def apply_whole_or_not(_: pathlib.Path) -> str:
    """make apply: all goes in and comes out again; where a hunk does not fit, nothing changes."""
    def files(t: Toy) -> dict[str, str]:
        return {str(p.relative_to(t.kdir)): p.read_text("utf-8")
                for p in sorted(t.kdir.rglob("*")) if p.is_file()}

    with toy() as t:
        (t.kdir / "vmlinux").touch()        # what was built there does not matter
        before = files(t)
        t.refused("make apply KDIR=", "apply", KDIR="")
        said = t.good("apply")
        after = files(t)
        if after["drivers/md/new.c"] != NEW_FILE or "line twenty-one" not in \
                after["drivers/md/raid5.c"]:
            raise common.Error(f"apply did not apply: {after}")
        t.refused("is in that tree already", "apply")
        same("the tree after a second apply", files(t), after)
        undo = said[said.index("GIT_CEILING"):].strip()
        subprocess.run(undo, shell=True, check=True)
        same("the tree after it was taken out", files(t), before)
        (t.kdir / "drivers/md/raid5.c").write_text(BASE_FILE.replace("line 21\n", "other\n"),
                                                   "utf-8")
        before = files(t)
        t.refused("hunk 1 of drivers/md/raid5.c: @@ -18,7 +18,7 @@", "apply")
        same("the tree that it does not fit", files(t), before)
    return ""


def bad_bases(_: pathlib.Path) -> str:
    """KDIR that is no kernel, of another series, or missing; a pin that is not to be had."""
    with toy() as t:
        t.refused("is no kernel tree", "tree", KDIR=str(t.top))
        t.refused("is no kernel tree", "tree", KDIR="/nonexistent")
        t.refused("is no file", "tree", KDIR="", DEB="/nonexistent.deb")
        (t.kdir / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 9\n", "utf-8")
        t.refused("this series is for 7.3.y", "tree")
        t.refused("apt-get is not on this system", "tree", KDIR="", MIRROR="",
                  PATH=str(bare_path(t.top)))
        t.refused("is there a network?", "tree", KDIR="",
                  MIRROR="http://127.0.0.1:9/debian")
    return ""


def bare_path(top: pathlib.Path) -> pathlib.Path:
    """A PATH with git and nothing else."""
    path = top / "bin"
    path.mkdir(exist_ok=True)
    tool = shutil.which("git")
    if tool and not (path / "git").exists():
        (path / "git").symlink_to(tool)
    return path


def interrupted(_: pathlib.Path) -> str:
    """What an interrupted run leaves behind is not trusted; the next run gets through."""
    with toy() as t:
        cache = t.top / "cache/linux-7.3"
        (cache / ".partial-git/objects").mkdir(parents=True)
        (cache / "unpack").mkdir()
        for left_over in ("import.index", "import.index.lock"):
            (cache / left_over).write_text("half", "ascii")
        t.good("tree")
        first = t.git("rev-parse", "HEAD")
        (cache / "git/worktrees/tree/index.lock").touch()
        (t.tree / "drivers/md/raid5.c").unlink()
        t.refused("holds work that would be lost", "tree")
        t.good("tree", "--discard")
        same("HEAD after the interruption", t.git("rev-parse", "HEAD"), first)
        same("files that differ from it", t.git("status", "--porcelain"), "")
    return ""


def discard_keeps_commits(_: pathlib.Path) -> str:
    """make tree DISCARD=1, in the midst of a rebase: every commit stays reachable."""
    with toy() as t:
        t.good("tree")
        (t.tree / "drivers/md/raid5.c").write_text("mine\n", "utf-8")
        t.git("commit", "-qam", "md: mine")
        mine = t.git("rev-parse", "HEAD").strip()
        with contextlib.suppress(common.Error):
            t.git("-c", "sequence.editor=sed -i 1ibreak", "rebase", "-i", "base")
        t.refused("a rebase, merge, cherry-pick or bisect is under way", "tree")
        t.good("tree", "--discard")
        same("the ref that keeps the commit", t.git(
            "for-each-ref", "--format=%(objectname)", f"refs/saved/{mine[:12]}").strip(), mine)
        t.good("refresh")
    return ""


def kdir_as_git_tree(_: pathlib.Path) -> str:
    """KDIR that is a git tree: its tracked files are taken, build output is not."""
    with toy() as t:
        for args in (["init", "-q"], ["add", "--force", "."],
                     ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "kernel"]):
            git(*args, cwd=t.kdir)
        (t.kdir / "vmlinux.o").touch()
        t.good("tree")
        same("the files of the base", t.git("ls-tree", "-r", "--name-only", "base").split(),
             [".gitignore", "Makefile", "drivers/md/raid5.c"])
    return ""


def interrupted_build(_: pathlib.Path) -> str:
    """Objects written by a build that was killed are dropped; a half-made result is not taken."""
    import kernel  # pylint: disable=import-outside-toplevel
    with tempfile.TemporaryDirectory() as temp:
        top = pathlib.Path(temp)
        for name, age in (("old.o", 20), (".building", 10), ("half.o", 0), ("half.ko", 0),
                          ("half.c", 0)):
            (top / name).touch()
            os.utime(top / name, (time.time() - age, time.time() - age))
        kernel.heal(top)
        same("what is left", sorted(p.name for p in top.iterdir()), ["half.c", "old.o"])
        final = top / "result"
        with contextlib.suppress(KeyboardInterrupt), common.published(final) as partial:
            (partial / "half").touch()
            raise KeyboardInterrupt
        same("the result of an interrupted step exists", final.exists(), False)
        with common.published(final) as partial:
            (partial / "whole").touch()
        same("the result of the next", [p.name for p in final.iterdir()], ["whole"])
    return ""


def little_disk(_: pathlib.Path) -> str:
    """Too little room is said before anything is started, with how much is needed."""
    with tempfile.TemporaryDirectory() as temp:
        try:
            common.need_disk(pathlib.Path(temp), 1e6, "this test")
        except common.Error as err:
            if "1000000.0 GB" in str(err) and "MD_WRITE_CACHE" in str(err):
                return ""
            raise
    raise common.Error("a need of 1000000 GB was not refused")


def git_am(_: pathlib.Path) -> str:
    """The mails apply with git am on the pristine base, and give the assembled tree."""
    base = base_mod.find()
    commits = series.assemble(base, series.load())
    with tempfile.TemporaryDirectory(dir=common.cache(), prefix="am-") as temp:
        mails = series.cmd_export(pathlib.Path(temp) / "mails")
        tree = pathlib.Path(temp) / "tree"
        git("worktree", "add", "--quiet", "--detach", "--no-checkout", tree, base.commit)
        try:
            git("sparse-checkout", "set", "--no-cone", "/drivers/md/", "/include/trace/",
                "/Documentation/", "/tools/testing/md/", "/MAINTAINERS", cwd=tree)
            git("checkout", "--quiet", base.commit, cwd=tree)
            git("am", "--quiet", *mails[1:], cwd=tree, env={
                "GIT_AUTHOR_NAME": "", "GIT_AUTHOR_EMAIL": ""})
            got = git("rev-parse", "HEAD^{tree}", cwd=tree)
            for commit, there in zip(reversed(commits), git(
                    "rev-list", f"{base.commit}..HEAD", cwd=tree).split()):
                same(f"the message of {commit[:12]}", git("log", "-1", "--format=%B", there),
                     git("log", "-1", "--format=%B", commit))
        finally:
            git("worktree", "remove", "--force", tree)
    same("the tree after git am", got, git("rev-parse", f"{commits[-1]}^{{tree}}"))
    return f"{len(commits)} mails"


def deb_bad_input(_: pathlib.Path) -> str:
    """What make deb can't do is said in a sentence, before anything is built."""
    import deb  # pylint: disable=import-outside-toplevel
    good = "CONFIG_X86_64=y\nCONFIG_MD_RAID456=m\n"
    with tempfile.TemporaryDirectory() as temp:
        top = pathlib.Path(temp)
        for name, text in (
                ("good", good), ("words", "no configuration\n"), ("empty", ""),
                ("arm", good + "CONFIG_ARM64=y\n"), ("no-raid", "CONFIG_X86_64=y\n"),
                ("head", "# Linux/um 7.3.4 Kernel Configuration\n" + good)):
            (top / name).write_text(text, "utf-8")
        (top / "cut.gz").write_bytes(gzip.compress(good.encode())[:-9])
        (top / "cut.xz").write_bytes(lzma.compress(good.encode())[:-9])
        (top / "binary").write_bytes(b"\x7fELF\xff\xfe")
        cases: list[tuple[str, list[str]]] = [
            ("No such file", ["--config", "/nonexistent"]),
            ("Is a directory", ["--config", temp]),
            ("is no kernel configuration", ["--config", f"{top}/words"]),
            ("is no kernel configuration", ["--config", f"{top}/empty"]),
            ("is no kernel configuration", ["--config", f"{top}/binary"]),
            ("can't be read", ["--config", f"{top}/cut.gz"]),
            ("can't be read", ["--config", f"{top}/cut.xz"]),
            ("a configuration for ARM64", ["--config", f"{top}/arm"]),
            ("a configuration for um", ["--config", f"{top}/head"]),
            ("has no CONFIG_MD_RAID456", ["--config", f"{top}/no-raid"]),
            ("can't be read", ["--config", f"{top}/good", "--lsmod", "/nonexistent"]),
            ("has no line of a module", ["--config", f"{top}/good", "--lsmod", f"{top}/words"]),
            ("it can't be written", ["--config", f"{top}/good", "--out", "/proc/deb"]),
            ("make deps does it", [])]
        for words, args in cases:
            env = {**os.environ, "PATH": str(bare_path(top))} if not args else None
            done = subprocess.run(
                ["/usr/bin/python3", str(common.TOP / "tools/series/deb.py"),
                 *(["--out", f"{top}/out"] if "--out" not in args else []), *args],
                env=env, capture_output=True, text=True, check=False)
            text = done.stdout + done.stderr
            if not done.returncode or words not in text or "Traceback" in text:
                raise common.Error(f"deb.py {' '.join(args)} should fail and say {words!r}; exit "
                                   f"status {done.returncode}, it said:\n{text}")
        (top / "good.gz").write_bytes(gzip.compress(good.encode()))
        same("a packed configuration", deb.read_config(top / "good.gz", "good.gz"), good)
    keys = ('CONFIG_SYSTEM_TRUSTED_KEYS="debian/certs.pem"\n# CONFIG_DEBUG_INFO_NONE is not set\n'
            "CONFIG_DEBUG_INFO_NONE_OTHER=y\n")
    same("the distribution's keys", [v for k, v in deb.options(deb.adapt(keys)).items() if k in (
        "CONFIG_SYSTEM_TRUSTED_KEYS", "CONFIG_DEBUG_INFO_NONE", "CONFIG_DEBUG_INFO_NONE_OTHER")],
         ["y", '""', "y"])
    return ""


def deb_estimate(_: pathlib.Path) -> str:
    """Files to compile are counted as kbuild finds them; too little disk for them is refused."""
    import deb  # pylint: disable=import-outside-toplevel
    with tempfile.TemporaryDirectory(dir=common.cache(), prefix="count-") as temp:
        top = pathlib.Path(temp)
        for folder in ("md", "off", "lib"):
            (top / folder).mkdir()
            (top / folder / "Makefile").write_text("obj-y := one.o\n", "utf-8")
        (top / "Kbuild").write_text("obj-y += top.o md/\nobj-$(CONFIG_OFF) += off/\n", "utf-8")
        (top / "md/Makefile").write_text(
            "raid456-y += raid5.o \\\n\traid5-cache.o\nraid456-$(CONFIG_PPL) += raid5-ppl.o\n"
            "obj-$(CONFIG_MD_RAID456) += raid456.o # both\nobj-$(CONFIG_OFF) += no.o\n", "utf-8")
        config = "CONFIG_MD_RAID456=m\nCONFIG_PPL=y\n# CONFIG_OFF is not set\n"
        same("the files", deb.Counter(top, deb.options(config)).files(), 5)
        bytes_then, deb.BYTES_PER_FILE = deb.BYTES_PER_FILE, 1e15
        try:
            deb.estimate(top, top, config)
        except common.Error as err:
            same("it names the need", "building the packages needs" in str(err), True)
        else:
            raise common.Error("a need of 1000000 GB a file was not refused")
        finally:
            deb.BYTES_PER_FILE = bytes_then
    return ""


# Two writes of one stripe, one of another and one that is never seen again; what every part of
# theirs takes is WHERE_SPENT.
WHERE_ARRAY = """\
array 9437184
level raid6
disks 6
chunk 128
member 263192576 8192 264241152
"""
WHERE_TRACE = """\
# tracer: nop
fio-1 [000] 100: block_bio_queue: 9,0 WS 8 + 8 [fio]
md0_raid6-2 [001] 110: super: (md_update_sb+0x0/0x9e0)
md0_raid6-2 [001] 150: super_done: (md_check_recovery+0x3f2/0x460 <- md_update_sb)
fio-1 [000] 200: started: (raid5_make_request+0x7c/0x1530 <- md_write_start)
fio-1 [000] 210: get: (raid5_get_active_stripe+0x0/0x610) sector=8
fio-1 [000] 300: got: (raid5_make_request+0x210/0x1530 <- raid5_get_active_stripe) sh=0xa
fio-1 [000] 350: get: (raid5_get_active_stripe+0x0/0x610) sector=8
fio-1 [000] 351: got: (raid5_make_request+0x210/0x1530 <- raid5_get_active_stripe) sh=0xa
md0_raid6-2 [001] 360: bitmap: (bitmap_unplug+0x0/0xa0)
md0_raid6-2 [001] 460: bitmap_done: (raid5d+0x13a/0x6e0 <- bitmap_unplug)
md0_raid6-2 [001] 470: handle: (handle_stripe+0x0/0x2670) sh=0xa
md0_raid6-2 [001] 480: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
md0_raid6-2 [001] 1480: handle: (handle_stripe+0x0/0x2670) sh=0xa
md0_raid6-2 [001] 1481: block_bio_remap: 251,0 R 8200 + 8 <- (9,0) 8
md0_raid6-2 [001] 1490: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
md0_raid6-2 [001] 1790: block_rq_issue: 252,0 R 4096 () 8200 + 8 none,0,0 [md0_raid6]
<idle>-0 [001] 2190: block_bio_complete: 251,0 R 8200 + 8 [0]
md0_raid6-2 [001] 2200: handle: (handle_stripe+0x0/0x2670) sh=0xa
md0_raid6-2 [001] 2203: parity: (raid_run_ops+0x0/0x19e0)
md0_raid6-2 [001] 2253: parity_done: (handle_stripe+0x1074/0x2670 <- raid_run_ops)
md0_raid6-2 [001] 2260: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
fio-1 [000] 2265: block_bio_queue: 9,0 FWS 136 + 8 [fio]
fio-1 [000] 2275: started: (raid5_make_request+0x7c/0x1530 <- md_write_start)
fio-1 [000] 2276: get: (raid5_get_active_stripe+0x0/0x610) sector=8
fio-1 [000] 2286: got: (raid5_make_request+0x210/0x1530 <- raid5_get_active_stripe) sh=0xa
md0_raid6-2 [001] 2290: handle: (handle_stripe+0x0/0x2670) sh=0xa
md0_raid6-2 [001] 2291: block_bio_remap: 251,0 WS 8200 + 8 <- (9,0) 8
md0_raid6-2 [001] 2300: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
md0_raid6-2 [001] 2400: block_rq_issue: 252,0 WS 4096 () 8200 + 8 none,0,0 [md0_raid6]
<idle>-0 [001] 2600: block_bio_complete: 251,0 WS 8200 + 8 [0]
md0_raid6-2 [001] 2602: super: (md_update_sb+0x0/0x9e0)
md0_raid6-2 [001] 2605: super_done: (md_check_recovery+0x3f2/0x460 <- md_update_sb)
md0_raid6-2 [001] 2607: handle: (handle_stripe+0x0/0x2670) sh=0xa
md0_raid6-2 [001] 2610: block_bio_complete: 9,0 WS 8 + 8 [0]
md0_raid6-2 [001] 2615: block_bio_remap: 251,0 R 8200 + 8 <- (9,0) 8
md0_raid6-2 [001] 2620: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
md0_raid6-2 [001] 2625: block_rq_issue: 252,0 R 4096 () 8200 + 8 none,0,0 [md0_raid6]
<idle>-0 [001] 2725: block_bio_complete: 251,0 R 8200 + 8 [0]
md0_raid6-2 [001] 2730: handle: (handle_stripe+0x0/0x2670) sh=0xa
md0_raid6-2 [001] 2731: parity: (raid_run_ops+0x0/0x19e0)
md0_raid6-2 [001] 2741: parity_done: (handle_stripe+0x1074/0x2670 <- raid_run_ops)
md0_raid6-2 [001] 2742: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
md0_raid6-2 [001] 2750: handle: (handle_stripe+0x0/0x2670) sh=0xa
md0_raid6-2 [001] 2755: block_bio_remap: 251,0 WS 8200 + 8 <- (9,0) 8
md0_raid6-2 [001] 2760: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
md0_raid6-2 [001] 2761: block_rq_issue: 252,0 WS 4096 () 8200 + 8 none,0,0 [md0_raid6]
<idle>-0 [001] 2861: block_bio_complete: 251,0 WS 8200 + 8 [0]
md0_raid6-2 [001] 2870: handle: (handle_stripe+0x0/0x2670) sh=0xa
md0_raid6-2 [001] 2880: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
<idle>-0 [001] 2900: block_bio_complete: 9,0 FWS 136 + 8 [0]
fio-1 [000] 3000: block_bio_queue: 9,0 WS 16 + 8 [fio]
fio-1 [000] 3000: get: (raid5_get_active_stripe+0x0/0x610) sector=16
fio-1 [000] 3000: got: (raid5_make_request+0x210/0x1530 <- raid5_get_active_stripe) sh=0xb
md0_raid6-2 [001] 3000: handle: (handle_stripe+0x0/0x2670) sh=0xb
md0_raid6-2 [001] 3001: parity: (raid_run_ops+0x0/0x19e0)
md0_raid6-2 [001] 3011: parity_done: (handle_stripe+0x1074/0x2670 <- raid_run_ops)
md0_raid6-2 [001] 3012: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
md0_raid6-2 [001] 3020: handle: (handle_stripe+0x0/0x2670) sh=0xb
md0_raid6-2 [001] 3030: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
md0_raid6-2 [001] 3530: handle: (handle_stripe+0x0/0x2670) sh=0xb
md0_raid6-2 [001] 3535: block_bio_complete: 9,0 WS 16 + 8 [0]
md0_raid6-2 [001] 3540: handled: (handle_active_stripes+0x389/0x530 <- handle_stripe)
fio-1 [000] 4000: block_bio_queue: 9,0 WS 24 + 8 [fio]
<idle>-0 [001] 4100: block_bio_complete: 9,0 WS 24 + 8 [0]
"""
WHERE_SPENT: tuple[dict[str, int], ...] = (
    {"superblock": 103, "no stripe": 91, "overlap": 50, "bitmap": 100, "delayed": 1000, "CPU": 53,
     "queue for the md thread: to be handled first": 19, "preread: to be sent": 300,
     "preread: sent": 400, "queue for the md thread: with its blocks read": 10, "parity": 50,
     "queue for the md thread: with parity computed": 30, "member write: to be sent": 100,
     "member write: sent": 200, "queue for the md thread: with all written": 4},
    {"flush": 30, "no stripe": 10, "overlap": 314, "superblock": 3, "CPU": 36,
     "queue for the md thread: to be handled first": 4, "preread: to be sent": 5,
     "preread: sent": 100, "queue for the md thread: with its blocks read": 5, "parity": 10,
     "queue for the md thread: with parity computed": 8, "member write: to be sent": 1,
     "member write: sent": 100, "queue for the md thread: with all written": 9},
    {"CPU": 17, "parity": 10, "queue for the md thread: with parity computed": 8, "delayed": 500},
    {"other": 100})


def where_adds_up(_: pathlib.Path) -> str:
    """make where: each part of a write's time is what the trace says, and they make the whole."""
    import where  # pylint: disable=import-outside-toplevel

    def spent(array: str) -> list[dict[str, int]]:
        writes = where.breakdown(where.array_of(array), WHERE_TRACE.splitlines())
        for write in writes:
            same("the sum", sum(write.spent.values()), write.ns)
        return [{k: v for k, v in w.spent.items() if v} for w in writes]
    for number, (got, want) in enumerate(zip(spent(WHERE_ARRAY), WHERE_SPENT)):
        same(f"write {number}", got, want)
    logged = spent(WHERE_ARRAY + "journal 263192577\n")[2]
    same("with a journal", logged, {"CPU": 17, "parity": 10, "journal": 508})
    try:
        where.breakdown(where.array_of(WHERE_ARRAY), ["what is this"])
    except common.Error:
        return f"{len(WHERE_SPENT)} writes"
    raise common.Error("a line that is no event was not refused")


def bench_judges(_: pathlib.Path) -> str:
    """make bench: what is worse than the base is found; what the fixes alone are as well is told
    apart; an unseen control is found."""
    import bench  # pylint: disable=import-outside-toplevel
    subjects = [patch.subject for patch in series.load() if patch.name == bench.LAST_FIX]
    same("the last fix", [git("log", "-1", "--format=%s", bench.fixes()).strip()], subjects)
    better, chance, worse = [0.8, 0.9, 1.0], [0.9, 1.1, 1.3], [1.01, 1.1, 1.2]

    def judged(base: Any, fixes: Any = None, **more: Any) -> list[int]:
        row = {"cell": "a cell", "ratio": dict(zip(("p99", "p999"), base)), **more}
        if fixes:
            row |= {bench.FIXES: {}, "ratio_to_fixes": dict(zip(("p99", "p999"), fixes))}
        return [len(lines) for lines in bench.verdicts([row])]
    same("no p99.9", judged((better, None)), [0, 0])
    same("chance", judged((chance, better)), [0, 0])
    same("a worse p99", judged((worse, better)), [1, 0])
    same("a worse p99.9", judged((better, worse)), [1, 0])
    same("both come with the fixes", judged((worse, worse), (chance, better)), [0, 2])
    same("one does", judged((worse, worse), (worse, better)), [1, 1])
    same("fixes without samples", judged((worse, None), (None, None)), [1, 0])
    same("an unseen control", judged((better, None), control=[1.04, 1.2, 1.3]), [1, 0])
    same("a control", judged((better, None), control=[1.1, 1.2, 1.3]), [0, 0])
    return "9 cells"


def bench_keeps_steady(out: pathlib.Path) -> str:
    """make bench: of logged writes those count that ended before a writer ran out of them."""
    import bench  # pylint: disable=import-outside-toplevel
    from cells import CELLS, Part  # pylint: disable=import-outside-toplevel
    run = bench.Run(CELLS[0]._replace(name="toy", writes=5), "base", "base", (7, 8))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for seed in run.seeds:
        (out / f"toy-{seed}.json").write_text(json.dumps({"jobs": [{
            "jobname": "write", "job options": {"iodepth": "2"},
            "write": {"clat_ns": {"bins": {"1000": 5}}}}]}), "ascii")
    # one writer is done at 4 ms, the other at 9; 1 is a write, 2 a flush; 127 ns and less are exact
    logs = {"7-5_clat.1.log": ["1, 10, 1", "2, 20, 1", "3, 999, 2", "4, 30, 1", "5, 40, 1",
                               "5, 50, 1"],
            "7-5_clat.2.log": ["1, 10, 1", "4, 60, 1", "6, 70, 1", "9, 80, 1", "9, 90, 1"],
            "7-1_clat.1.log": ["1, 10, 1"]}
    for name, lines in logs.items():
        (out / name).write_text("\n".join(f"{line}, 4096, 0, 0" for line in lines) + "\n", "ascii")
    bench.keep_steady(out, run)
    same("what is kept, and of a seed without logs all", bench.bins_of(out, run, Part()),
         [{"10": 2, "20": 1, "30": 1, "60": 1}, {"1000": 5}])
    same("logs", list(out.glob("*.log")), [])
    # fio's histogram has 64 bins for each power of two from 64 ns on
    same("bins", [bench.binned(ns) for ns in (127, 128, 129, 130, 1000000)],
         [127, 129, 129, 131, 999424 + 4096])
    return "2 writers"


MUTANTS_FILE = """\
#include <stdio.h>

struct pair { int a; };

/* a sum */
int sum(const struct pair *pair,
\tint b)
{
\tif (b < 0)
\t\treturn 0;
\treturn pair->a + b;
}

static void show(int sums[])
{
\tprintf("%d %d\\n", sums[0], sums[1]);
}
"""
MUTANTS_MAIN = """
int main(int count, char **arguments)
{
\tstruct pair pair = { 2 };
\tint sums[2];

\tmd_mutant = arguments[1][0] - '0';
\tsums[0] = sum(&pair, 3);
\tsums[1] = sum(&pair, -3);
\tshow(sums);
\treturn count - 2;
}
"""
# What takes a line of it out or changes it, and what it prints then.
MUTANTS_MADE = (("if (b < 0)\n\t\treturn 0;\n\t", "", "5 -1"),
                ("sums[0], sums[1]", "sums[1], sums[0]", "0 5"),
                ("pair->a + b", "pair->a", "2 0"))


def mutants_in_one(_: pathlib.Path) -> str:
    """The kernel of all mutants does what each alone would do, and nothing if none is chosen."""
    import mutants  # pylint: disable=import-outside-toplevel
    made = {number: mutants.changed(MUTANTS_FILE, MUTANTS_FILE.replace(old, new)) or {}
            for number, (old, new, _) in enumerate(MUTANTS_MADE, 1)}
    for what in ("int a;", "int b)", "/* a sum */"):
        if mutants.changed(MUTANTS_FILE, MUTANTS_FILE.replace(what, "int c;")) is not None:
            raise common.Error(f"a mutant of “{what}” was taken for one of a function's body")
    with tempfile.TemporaryDirectory() as temp:
        program = pathlib.Path(temp) / "program"
        text = mutants.joined(mutants.HOME, MUTANTS_FILE, made) + MUTANTS_MAIN
        program.with_suffix(".c").write_text("#define core_param(...)\n" + text, "utf-8")
        common.run(["gcc", "-Wall", "-Werror", "-o", program, program.with_suffix(".c")])
        for number, want in enumerate(["5 0", *(want for _, _, want in MUTANTS_MADE)]):
            same(f"mutant {number}", common.run([program, str(number)]).strip(), want)
    return f"{len(made)} mutants"


def hang_is_found(out: pathlib.Path, kind: str, found_by: str, stack: str) -> str:
    """A hanging guest is a failure within 30 s, and its stack is in the log."""
    import kernel  # pylint: disable=import-outside-toplevel
    import test  # pylint: disable=import-outside-toplevel
    script = TESTING / "tests" / "hang.sh"
    folder = kernel.build("patched", "x86")
    began = time.monotonic()
    same("the exit status", test.vm(folder, "tcg", script, out, "--env", f"KIND={kind}"),
         test.HANG)
    took = time.monotonic() - began
    same("what found it", test.ended(out), found_by)
    console = (out / "console.log").read_text("utf-8", "replace")
    if "Call Trace:" not in console or stack not in console:
        raise common.Error(f"no stack with {stack} in {out}/console.log")
    # 30 s, the boot before and the stacks after it, and a host that may be busy
    if took > 60:
        raise common.Error(f"it took {took:.0f} s from the VM's start")
    return f"by {found_by}, {took:.0f} s after the VM was started"


CHECKS = {
    "series/assemble-versions": assemble_versions,
    "series/refresh-takes-commits": refresh_takes_commits,
    "series/refresh-keeps-edits": refresh_keeps_edits,
    "series/hunk-is-named": hunk_is_named,
    "series/apply": apply_whole_or_not,
    "series/bad-bases": bad_bases,
    "series/interrupted-run": interrupted,
    "series/discard-keeps-commits": discard_keeps_commits,
    "series/kdir-as-git-tree": kdir_as_git_tree,
    "series/interrupted-build": interrupted_build,
    "series/little-disk": little_disk,
    "series/git-am": git_am,
    "deb/bad-input": deb_bad_input,
    "deb/estimate": deb_estimate,
    "where/adds-up": where_adds_up,
    "bench/judges": bench_judges,
    "bench/keeps-steady": bench_keeps_steady,
    "kunit/mutants-in-one": mutants_in_one,
    "vm/hang-is-found": lambda out: hang_is_found(out, "write", "hang", "folio_wait_writeback"),
    "vm/silence-is-found": lambda out: hang_is_found(out, "flush", "silence", "submit_bio_wait"),
}
