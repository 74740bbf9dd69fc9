#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make check: the series is well-formed, and every patch of it builds in order and in silence.

What was green once is remembered by its content and not checked again.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Callable, Iterable

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import aptroot  # noqa: E402
import base as base_mod  # noqa: E402
import common  # noqa: E402
import kernel  # noqa: E402
import series  # noqa: E402
from base import git, home  # noqa: E402

LIB = common.TOP / "tools/testing/md/lib"

# checkpatch types that are not asked for, each with its reason.
IGNORED = {
    "FILE_PATH_CHANGES": "asks whether MAINTAINERS needs an entry; maintainers() below answers "
                         "it for every new file instead",
    "CAMELCASE": "Journal, Faulty, In_sync and their like are md's own flags",
    "EMBEDDED_FILENAME": "takes the path in a source line of drivers/md/Kconfig for the file's own",
}
# In the headers of trace events only, where every file of the kernel gives them.
IGNORED_IN_EVENTS = {
    "PARENTHESIS_ALIGNMENT": "TRACE_EVENT() is laid out as a structure, not as a call",
    "OPEN_ENDED_LINE": "the same",
}
EVENTS = "include/trace/events/"
LISTS = ("linux-raid@vger.kernel.org",)
TARGET = kernel.Target("check", "x86_64", "", ("common", "x86", "check"))


def remembered(what: str, *content: str) -> pathlib.Path:
    """Where it is noted that @content was green; who assembles, builds and checks is part of it."""
    ours = [pathlib.Path(f).read_text("utf-8") for f in (
        __file__, kernel.__file__, series.__file__, base_mod.__file__)]
    text = "\0".join((what, *ours, *content))
    path = common.cache() / "green" / hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def sources(*suffixes: str, shebang: str = "") -> list[pathlib.Path]:
    """The repository's files with one of @suffixes, or whose first line has @shebang."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard",
                 cwd=common.TOP).split("\0")
    found = []
    for name in listed:
        path = common.TOP / name
        if not name or not path.is_file():
            continue
        with open(path, "rb") as handle:
            first = handle.readline(80)
        if path.suffix in suffixes or (shebang and first.startswith(b"#!")
                                       and shebang.encode() in first):
            found.append(path)
    return found


def lint() -> None:
    """Shell and Python of the repository."""
    common.need_tools({"shellcheck": "shellcheck", "mypy": "mypy"})
    shell = sources(".sh", shebang="sh")
    python = sources(".py", shebang="python")
    if shell:
        common.run(["shellcheck", "-x", "--source-path=SCRIPTDIR", *shell], what="shellcheck")
    common.run(["/usr/bin/python3", "-m", "flake8", "--max-line-length", "100", *python],
               what="flake8 (package python3-flake8)")
    for folder in sorted({p.parent for p in python}):
        files = [p for p in python if p.parent == folder]
        common.run(["mypy", "--strict", "--no-error-summary", "--python-executable",
                    "/usr/bin/python3", "--cache-dir", common.cache() / "mypy", *files],
                   cwd=folder, env={"MYPYPATH": f"{LIB}:{folder}"}, what="mypy")


def owned(patches: list[series.Patch]) -> None:
    """Every file that belongs into the tree arrives with a patch."""
    listed = {f for p in patches for f in p.new}
    stray = [f for f in series.our_files() if f not in listed]
    if stray:
        raise common.Error("these files arrive with no patch; add a line '+ FILE' below one in "
                           f"{series.PATCHES}/series:\n  " + "\n  ".join(stray))


def round_trip(base: base_mod.Base, head: str) -> None:
    """Refreshing from the assembled tree gives the repository, to the byte."""
    files = series.exported(base.commit, head)
    kept = {series.PATCHES / p.name for p in (common.TOP / series.PATCHES).glob("*.patch")}
    wrong = [str(f) for f in sorted(kept - set(files))]
    for path, (data, executable) in files.items():
        where = common.TOP / path
        if not where.exists() or where.read_bytes() != data or \
                os.access(where, os.X_OK) != executable:
            wrong.append(str(path))
    if wrong:
        raise common.Error("make tree and make refresh would change: " + ", ".join(wrong) +
                           "\nRun them, look at the difference, and commit it.")


def messages(text: str) -> set[str]:
    """The compiler's, sparse's and kernel-doc's messages, without their line numbers."""
    found = set()
    for line in text.splitlines():
        if re.search(r"(?i)\b(warning|error)\b", line):
            line = re.sub(r"[^\s:]*?((?:drivers|include)/[^\s:]+):\d+(:\d+)?[: ]", r"\1:", line)
            found.add(re.sub(r"\s+", " ", line).strip())
    return found


def sparse() -> pathlib.Path:
    """A sparse that can parse the kernel: the distribution's may be too old."""
    tree = aptroot.source("sparse", "sid")
    final = common.cache() / "tools" / tree.parent.name
    if not (final / "sparse").exists():
        common.need_tools({"gcc": "gcc", "make": "make"})
        common.say("building sparse")
        log = common.log_path("sparse")
        with tempfile.TemporaryDirectory() as temp:
            work = pathlib.Path(temp) / "sparse"
            shutil.copytree(tree, work, symlinks=True)
            common.run(["make", "-C", work, "CC=gcc", "HAVE_SQLITE=no", "HAVE_GTK=no",
                        "HAVE_LIBXML=no", "HAVE_LLVM=no", "sparse"], log=log, what="sparse")
            with common.published(final) as partial:
                shutil.copy(work / "sparse", partial)
    return final / "sparse"


class Builder:
    """Compiles what a patch touches, with all warnings on."""

    def __init__(self) -> None:
        self.objects = home() / "obj-check"
        self.log = common.log_path("check-build")
        self.checker = sparse()
        self.version = common.run([self.checker, "--version"]).strip() + kernel.compiler()

    def prepare(self, commit: str) -> None:
        """Put the source at @commit and make what every object needs."""
        self.source = series.build_source(commit)
        kernel.configure(TARGET, self.source, self.objects, commit, self.log)
        # after that, whoever makes an object prepares what is missing
        if not (self.objects / "Module.prepared").exists():
            common.say("preparing the object tree of make check")
            kernel.make_run([*kernel.make_args(TARGET, self.objects), "-C", self.source,
                             "prepare"], self.log, "make prepare")
            (self.objects / "Module.prepared").touch()

    def compile(self, commit: str, wanted: list[str], headers: list[str]) -> set[str]:
        """The messages of compiling @wanted at @commit; fails if one does not build."""
        note = remembered("messages", kernel.built_hash(commit), git(
            "rev-parse", f"{commit}:drivers/md").strip(), self.version,
            kernel.fragment_text(TARGET), *wanted, *headers)
        if note.exists():
            return set(note.read_text("utf-8").splitlines())
        self.prepare(commit)
        present = [w for w in wanted if (self.source / w).with_suffix(".c").exists()]
        for name in present:
            (self.objects / name).unlink(missing_ok=True)
        args = kernel.make_args(TARGET, self.objects)
        text = common.run([*args, "-C", self.source, "W=1", "C=1", f"CHECK={self.checker}",
                           *present], env=kernel.make_env(), log=self.log,
                          what=f"compiling {' '.join(present)} at {commit[:12]}") \
            if present else ""
        here = [h for h in headers if (self.source / h).exists()]
        if here:
            tool = next(p for p in ("scripts/kernel-doc", "scripts/kernel-doc.py",
                                    "tools/docs/kernel-doc") if (self.source / p).exists())
            text += subprocess.run([str(self.source / tool), "-none", *here], cwd=self.source,
                                   capture_output=True, text=True, check=False).stderr
        found = messages(text)
        draft = note.with_suffix(".draft")
        draft.write_text("\n".join(sorted(found)), "utf-8")
        draft.rename(note)
        return found


def objects_of(source: pathlib.Path, changed: Iterable[str]) -> tuple[list[str], list[str]]:
    """The object files and headers that a change of these files touches."""
    objects: set[str] = set()
    headers = []
    for name in changed:
        path = pathlib.PurePosixPath(name)
        if name.startswith(("tools/", "Documentation/")):
            continue
        if path.suffix == ".c" and "/tests/" not in name:
            objects.add(str(path.with_suffix(".o")))
        elif path.suffix in (".h", ".c"):
            # find who includes it; for a test that is one file, for md.h it is many
            if path.suffix == ".h":
                headers.append(name)
            needle = f'{path.name}"'
            for where in (source / "drivers/md").glob("*.c"):
                if where.name.startswith(("md", "raid", "dm-raid")) and needle in where.read_text(
                        "utf-8", "replace"):
                    objects.add(f"drivers/md/{where.stem}.o")
    skip = {"drivers/md/md-cluster.o", "drivers/md/md-autodetect.o", "drivers/md/raid1-10.o"}
    return sorted(objects - skip), headers


def builds(base: base_mod.Base, patches: list[series.Patch], commits: list[str]) -> None:
    """Every patch compiles, with no message that the base does not give."""
    with common.locked("src"):
        builder = Builder()
        builder.log.write_text("", "ascii")
        parent = base.commit
        for patch, commit in zip(patches, commits):
            changed = git("diff-tree", "-r", "--name-only", "--no-commit-id",
                          parent, commit).split()
            source = series.build_source(commit)
            wanted, headers = objects_of(source, changed)
            parent = commit
            if not wanted and not headers:
                continue
            common.say(f"compiling {patch.name}: {' '.join(wanted)}")
            new = builder.compile(commit, wanted, headers)
            old = builder.compile(base.commit, wanted, headers) if new else set()
            if new - old:
                raise common.Error(f"{patch.name} brings messages that the base does not give:\n  "
                                   + "\n  ".join(sorted(new - old)) +
                                   f"\nThe whole log: {builder.log}")


def checkpatch(head: str) -> None:
    """scripts/checkpatch.pl is silent on every mail."""
    with common.locked("src"), tempfile.TemporaryDirectory(dir=common.cache()) as temp:
        source = series.build_source(head)
        mails = series.cmd_export(pathlib.Path(temp) / "mails")[1:]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            bad = [text for text in pool.map(functools.partial(complaint, source), mails) if text]
        if bad:
            raise common.Error("\n".join(bad))


def complaint(source: pathlib.Path, mail: pathlib.Path) -> str:
    """What checkpatch.pl has against one mail, but for what is ignored."""
    note = remembered("checkpatch", mail.read_text("utf-8"),
                      (source / "scripts/checkpatch.pl").read_text("utf-8"))
    if note.exists():
        return ""
    done = subprocess.run(
        ["perl", "scripts/checkpatch.pl", "--strict", "--no-signoff", "--quiet", "--show-types",
         "--color=never", "--max-line-length=100", f"--ignore={','.join(IGNORED)}",
         str(mail.absolute())],
        # its helpers want the distribution's python3, with ply and git
        env={**os.environ, "PATH": f"/usr/bin:{os.environ.get('PATH', '')}"},
        cwd=source, capture_output=True, text=True, check=False)
    said = [entry for entry in done.stdout.strip().split("\n\n") if not (
        re.search(rf"FILE: {EVENTS}", entry) and entry.split(":")[1] in IGNORED_IN_EVENTS)]
    # what is left of a mail whose messages are all ignored is the sum of them
    if [entry for entry in said if entry and not entry.startswith("total:")] or (
            done.returncode and not done.stdout.strip()):
        return "\n\n".join(said) + done.stderr
    note.touch()
    return ""


def maintainers(head: str, patches: list[series.Patch]) -> None:
    """Every new file has a maintainer and a list."""
    with common.locked("src"):
        source = series.build_source(head)
        names = [f for p in patches for f in p.new]

        def asked(name: str) -> str:
            return common.run(["perl", "scripts/get_maintainer.pl", "--no-git",
                               "--no-git-fallback", "--no-rolestats", "-f", name], cwd=source)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            texts = list(pool.map(asked, names))
        for name, text in zip(names, texts):
            if not any(entry in text for entry in LISTS):
                raise common.Error(f"{name}: MAINTAINERS sends it to none of {', '.join(LISTS)}; "
                                   "add an F: line.")


class Report:
    """Runs the checks, says how each went, and remembers the green ones."""

    def __init__(self) -> None:
        self.failed = 0

    def run(self, name: str, content: list[str], check: Callable[[], None]) -> None:
        """One check; @content is all that its outcome depends on."""
        note = remembered(name, *content)
        if note.exists():
            print(f"ok    {name} (unchanged since it was green)", flush=True)
            return
        began = time.monotonic()
        try:
            check()
        except common.Error as err:
            self.failed += 1
            print(f"FAIL  {name}\n{err}", flush=True)
            return
        note.touch()
        print(f"ok    {name} ({time.monotonic() - began:.0f} s)", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.parse_args()
    kernel.need_all()
    base = base_mod.find()
    patches = series.load()
    commits = series.assemble(base, patches)
    head = commits[-1] if commits else base.commit
    report = Report()
    scripts = [f"{p} {p.read_text('utf-8')}" for p in sources(".sh", ".py", shebang="sh")]
    scripts += [common.run([t, "--version"]) for t in ("shellcheck", "mypy")]
    report.run("shellcheck, flake8 and mypy on our scripts", scripts, lint)
    report.run("every file arrives with a patch", [series.fingerprint(),
                                                   *series.our_files()],
               lambda: owned(patches))
    report.run("refresh(tree) equals the repository", [series.fingerprint(), base.commit],
               lambda: round_trip(base, head))
    report.run("checkpatch --strict is silent", [head], lambda: checkpatch(head))
    report.run("every new file has a maintainer", [head], lambda: maintainers(head, patches))
    report.run(f"each of {len(patches)} patches builds in order, with no new message",
               [head, base.commit, kernel.compiler(), kernel.fragment_text(TARGET)],
               lambda: builds(base, patches, commits))
    if report.failed:
        print(f"{report.failed} checks failed")
        sys.exit(1)


if __name__ == "__main__":
    common.entry(main)
