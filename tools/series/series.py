#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Turn patches/, drivers/, include/, Documentation/ and tools/testing/md/ into a git tree and back.

patches/7.3/series names the patches in order and, below each, the new files that arrive with it.
A patch holds hunks for upstream's files, and for those of ours that an earlier patch brought; new
files stand in the repository in their final form. Assembling undoes the later hunks, last to
first, to get the version that arrives.
"""
from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import base as base_mod  # noqa: E402
import common  # noqa: E402
from base import git, home  # noqa: E402

PATCHES = pathlib.Path("patches") / common.SERIES
# Where a file of the assembled tree stands in the repository, if not under its own name.
ELSEWHERE = {"drivers/md/Kconfig.md-write": "Kconfig"}
# What of the repository goes into the tree; the rest is the repository's own.
OURS = ("drivers", "include", "Documentation", "tools/testing/md", "Kconfig")
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def in_repo(path: str) -> pathlib.Path:
    """Where the tree's file @path stands in the repository."""
    return common.TOP / ELSEWHERE.get(path, path)


@dataclasses.dataclass
class Patch:
    """One entry of the series."""
    name: str
    new: list[str]
    author: str = ""
    subject: str = ""
    body: str = ""
    diff: str = ""

    @property
    def message(self) -> str:
        """The commit message."""
        return f"{self.subject}\n\n{self.body}".strip() + "\n"

    def mail(self) -> str:
        """The patch as it stands in patches/."""
        return (f"From: {self.author}\nSubject: [PATCH] {self.subject}\n\n{self.body.strip()}\n"
                f"---\n\n{self.diff}")


def parse_patch(name: str, new: list[str], text: str) -> Patch:
    """Take a mail of patches/ apart."""
    head, _, rest = text.partition("\n\n")
    fields = dict(re.findall(r"^(From|Subject): ((?:.*)(?:\n .*)*)", head, re.M))
    if set(fields) != {"From", "Subject"}:
        raise common.Error(f"{PATCHES / name}: wants the headers From: and Subject:, then an empty "
                           "line, the message, a line ---, and the diff (make refresh writes it).")
    body, mark, tail = ("\n" + rest).partition("\n---\n")
    if not mark:
        raise common.Error(f"{PATCHES / name}: no line --- between message and diff.")
    found = re.search(r"^diff --git ", tail, re.M)
    subject = re.sub(r"\s*\n\s*", " ", fields["Subject"])
    return Patch(name, new, fields["From"].strip(),
                 re.sub(r"^\[PATCH[^]]*\]\s*", "", subject).strip(), body.strip(),
                 tail[found.start():] if found else "")


def load() -> list[Patch]:
    """The series as the repository has it."""
    listing = common.TOP / PATCHES / "series"
    entries: list[tuple[str, list[str]]] = []
    for number, line in enumerate(listing.read_text("utf-8").splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        if line.startswith("+"):
            if not entries:
                raise common.Error(f"{PATCHES}/series:{number}: a file before the first patch.")
            entries[-1][1].append(line[1:].strip())
        else:
            entries.append((line, []))
    patches = []
    for name, new in entries:
        path = common.TOP / PATCHES / name
        if not path.exists():
            raise common.Error(f"{PATCHES}/series names {name}, which does not exist.")
        for file in new:
            if not in_repo(file).is_file():
                raise common.Error(f"{PATCHES}/series: {name} brings {file}, but the repository "
                                   f"has no {ELSEWHERE.get(file, file)}.")
        patches.append(parse_patch(name, new, path.read_text("utf-8", "surrogateescape")))
    seen: dict[str, str] = {}
    for patch in patches:
        for file in patch.new:
            if file in seen:
                raise common.Error(f"{PATCHES}/series: {file} arrives twice, with {seen[file]} "
                                   f"and {patch.name}.")
            seen[file] = patch.name
    return patches


def our_files() -> list[str]:
    """Every file of the repository that belongs into the tree, by its name there."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *OURS,
                 cwd=common.TOP)
    back = {v: k for k, v in ELSEWHERE.items()}
    return sorted({back.get(f, f) for f in listed.split("\0") if f and (common.TOP / f).exists()})


def fingerprint() -> str:
    """A hash over everything that assembling reads from the repository."""
    digest = hashlib.sha256()
    files = [p for p in (common.TOP / PATCHES).glob("*") if p.is_file()]
    files += [in_repo(f) for patch in load() for f in patch.new]
    for path in sorted(files):
        mode = os.access(path, os.X_OK)
        digest.update(f"{path.relative_to(common.TOP)} {mode} {common.sha256(path)}\n".encode())
    return digest.hexdigest()


class Index:
    """A private git index in the cached repository; needs no work tree."""

    def __init__(self, name: str, tree: str) -> None:
        self.path = home() / f"{name}-{os.getpid()}-{threading.get_ident()}.index"
        self.env = {"GIT_INDEX_FILE": str(self.path)}
        self.path.with_suffix(".index.lock").unlink(missing_ok=True)
        git("read-tree", tree, env=self.env)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)

    def add(self, path: str, mode: str, blob: str) -> None:
        """Put a blob at @path."""
        git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", env=self.env)

    def entry(self, path: str) -> tuple[str, str]:
        """Mode and blob of @path."""
        mode, blob = git("ls-files", "--stage", "--", path, env=self.env).split()[:2]
        return mode, blob

    def apply(self, diff: str, *options: str) -> None:
        """Apply a diff."""
        git("apply", "--cached", "--whitespace=nowarn", *options, stdin=diff, env=self.env)

    def write(self) -> str:
        """The tree that the index holds."""
        return git("write-tree", env=self.env).strip()


def _touched(diff: str) -> list[str]:
    return re.findall(r"^diff --git a/(\S+) b/\S+$", diff, re.M)


def _why(patch: Patch, index: Index, error: common.Error, what: str) -> common.Error:
    """Which hunks of @patch do not apply."""
    bad = []
    for section in re.split(r"(?m)^(?=diff --git )", patch.diff):
        if not section:
            continue
        head, *hunks = re.split(r"(?m)^(?=@@ )", section)
        for number, hunk in enumerate(hunks, 1):
            try:
                index.apply(head + hunk, "--check", "--recount")
            except common.Error:
                bad.append(f"  hunk {number} of {_touched(section)[0]}: {hunk.splitlines()[0]}")
    listing = "\n".join(bad) or str(error)
    return common.Error(f"{PATCHES / patch.name} does not apply to {what}:\n{listing}\n"
                        "Nothing was changed.")


def arriving(patches: list[Patch]) -> dict[str, tuple[str, str]]:
    """Mode and blob of each new file as it arrives with its own patch."""
    files = [f for p in patches for f in p.new]
    arrives: dict[str, tuple[str, str]] = {}
    with Index("undo", EMPTY_TREE) as index:
        for file in files:
            path = in_repo(file)
            blob = git("hash-object", "-w", "--no-filters", "--stdin",
                       stdin=path.read_bytes()).strip()
            index.add(file, "100755" if os.access(path, os.X_OK) else "100644", blob)
        for patch in reversed(patches):
            for file in patch.new:
                arrives[file] = index.entry(file)
            ours = [f for f in _touched(patch.diff) if f in files]
            if not ours:
                continue
            sections = [s for s in re.split(r"(?m)^(?=diff --git )", patch.diff)
                        if s and _touched(s)[0] in ours]
            try:
                index.apply("".join(sections), "-R")
            except common.Error as err:
                raise common.Error(
                    f"{PATCHES / patch.name} changes {', '.join(ours)}, but these hunks do not "
                    f"undo from the files in the repository:\n{err}\nEdit such files in the tree "
                    "(make tree, commit --fixup there, make refresh).") from err
    return arrives


def assemble(base: base_mod.Base, patches: list[Patch]) -> list[str]:
    """One commit per patch on top of @base; returns their hashes."""
    arrives = arriving(patches)
    commits = [base.commit]
    with Index("assemble", base.commit) as index:
        for patch in patches:
            if patch.diff:
                try:
                    index.apply(patch.diff)
                except common.Error as err:
                    raise _why(patch, index, err, base.name) from err
            for file in patch.new:
                if git("ls-files", "--", file, env=index.env).strip():
                    raise common.Error(f"{PATCHES}/series: {patch.name} brings {file}, which "
                                       f"{base.name} has already.")
                index.add(file, *arrives[file])
            found = re.fullmatch(r"(.*?)\s*<(.*)>", patch.author)
            if not found:
                raise common.Error(f"{PATCHES / patch.name}: From: wants Name <address>.")
            commits.append(git(
                "commit-tree", index.write(), "-p", commits[-1], stdin=patch.message,
                env={"GIT_AUTHOR_NAME": found[1], "GIT_AUTHOR_EMAIL": found[2]}).strip())
    return commits[1:]


def slug(subject: str) -> str:
    """A file name from a subject, as git format-patch makes it."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", subject).strip("-.")[:52].rstrip("-.")


def disassemble(base: str, head: str) -> tuple[list[Patch], dict[str, tuple[str, str]]]:
    """The patches and files that the commits @base..@head are."""
    patches: list[Patch] = []
    known: set[str] = set()
    revs = git("rev-list", "--reverse", "--parents", f"{base}..{head}").splitlines()
    for number, line in enumerate(revs, 1):
        commit, *parents = line.split()
        if len(parents) != 1:
            raise common.Error(f"{commit[:12]} is a merge; the series is a line of commits.")
        status = git("diff-tree", "-r", "--no-renames", "--name-status", "-z", parents[0], commit)
        fields = status.split("\0")
        changes = list(zip(fields[0::2], fields[1::2]))
        new = sorted(f for s, f in changes if s == "A")
        gone = [f for s, f in changes if s == "D" and f in known]
        if gone:
            raise common.Error(f"{commit[:12]} removes {', '.join(gone)}, which an earlier commit "
                               "brought: rebase so that it never arrives.")
        known.update(new)
        rest = [f for s, f in changes if s != "A"]
        diff = ""
        if rest:
            diff = git("diff-tree", "-p", "--no-renames", "--diff-algorithm=histogram",
                       "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "-U3",
                       parents[0], commit, "--", *rest)
            diff = re.sub(r"(?m)^index [0-9a-f]+\.\.[0-9a-f]+.*\n", "", diff)
        author, subject, body = git("log", "-1", "--format=%an <%ae>%x00%s%x00%b",
                                    commit).split("\0")
        patches.append(Patch(f"{number:04d}-{slug(subject)}.patch", new, author, subject,
                             body.strip(), diff))
    final = {}
    for file in sorted(known):
        mode, _, blob = git("ls-tree", head, "--", file).split("\t")[0].split()
        final[file] = (mode, blob)
    return patches, final


def series_text(patches: list[Patch]) -> str:
    """What patches/7.3/series says."""
    lines = ["# The patches in order; below each, with a +, the new files that arrive with it."]
    for patch in patches:
        lines += ["", patch.name, *(f"\t+ {f}" for f in patch.new)]
    return "\n".join(lines) + "\n"


def exported(base: str, head: str) -> dict[pathlib.Path, tuple[bytes, bool]]:
    """The repository's files that @base..@head stands for: contents, executable."""
    patches, final = disassemble(base, head)
    out = {PATCHES / p.name: (p.mail().encode("utf-8", "surrogateescape"), False)
           for p in patches}
    out[PATCHES / "series"] = (series_text(patches).encode(), False)
    for file, (mode, blob) in final.items():
        out[pathlib.Path(ELSEWHERE.get(file, file))] = (
            git("cat-file", "blob", blob).encode("utf-8", "surrogateescape"), mode == "100755")
    return out


# The developer's tree.

def tree_path() -> pathlib.Path:
    """The work tree that build/linux-7.3 points to."""
    return home() / "tree"


def _stamp() -> pathlib.Path:
    return home() / "tree.stamp"


def _tree_busy() -> str:
    """Why the work tree must not be touched or read, or an empty string."""
    tree = tree_path()
    where = pathlib.Path(git("rev-parse", "--absolute-git-dir", cwd=tree).strip())
    for sign in ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "BISECT_LOG"):
        if (where / sign).exists():
            return f"a rebase, merge, cherry-pick or bisect is under way there ({sign})"
    dirty = git("status", "--porcelain", cwd=tree).splitlines()
    if dirty:
        return f"{len(dirty)} files there are changed and not committed, e.g. {dirty[0][3:]}"
    # Debian's .gitignore hides every new file from git status.
    hidden = git("ls-files", "--others", cwd=tree).splitlines()
    if hidden:
        return (f"{len(hidden)} new files there are not committed, e.g. {hidden[0]} (git add "
                "--force adds them: the base's .gitignore hides new files)")
    return ""


def _checkout(path: pathlib.Path, commit: str) -> None:
    """Make @path a work tree of ours at @commit; only files that differ are written."""
    if not (path / ".git").exists():
        common.need_disk(path.parent, 3, "checking out the kernel tree")
        common.say(f"checking out {path}")
        shutil.rmtree(path, ignore_errors=True)
        git("worktree", "prune")
        git("worktree", "add", "--quiet", "--force", "--force", "--detach", "--no-checkout", path,
            commit)
    where = pathlib.Path(git("rev-parse", "--absolute-git-dir", cwd=path).strip())
    (where / "index.lock").unlink(missing_ok=True)
    git("checkout", "--quiet", "--force", "--detach", commit, cwd=path)


def build_source(commit: str) -> pathlib.Path:
    """The work tree that kernels are built from, put at @commit. The caller holds its lock."""
    path = home() / "src"
    _checkout(path, commit)
    return path


def link() -> pathlib.Path:
    """build/linux-7.3 in the checkout, pointing to the work tree."""
    where = common.TOP / "build" / f"linux-{common.SERIES}"
    where.parent.mkdir(exist_ok=True)
    if where.is_symlink() or not where.exists():
        where.unlink(missing_ok=True)
        where.symlink_to(tree_path())
    return where


def cmd_tree(discard: bool) -> None:
    """make tree."""
    base = base_mod.find()
    patches = load()
    print_now = fingerprint()
    commits = assemble(base, patches)
    head = commits[-1] if commits else base.commit
    with common.locked("tree"):
        tree, stamp = tree_path(), _stamp()
        if (tree / ".git").exists() and stamp.exists():
            known = (stamp.read_text("ascii").split()[1], head)
            tips = {git("rev-parse", name, cwd=tree).strip() for name in ("HEAD", "md-write")}
            unsaved = _tree_busy() or ("" if tips <= set(known) else
                                       "it has commits that are not in patches/")
            if unsaved and not discard:
                raise common.Error(
                    f"{tree} holds work that would be lost: {unsaved}.\nTake it over with "
                    "make refresh, or give it up with make tree DISCARD=1 (its commits stay "
                    "reachable as refs/saved/).")
            if unsaved:
                for tip in tips.difference(known):
                    git("update-ref", f"refs/saved/{tip[:12]}", tip)
                for step in ("rebase", "am", "cherry-pick"):
                    with contextlib.suppress(common.Error):
                        git(step, "--quit", cwd=tree)
        _checkout(tree, head)
        git("clean", "--quiet", "-fd", cwd=tree)
        git("checkout", "--quiet", "-B", "md-write", head, cwd=tree)
        git("branch", "--force", "base", base.commit)
        stamp.write_text(f"{print_now} {head} {base.commit}\n", "ascii")
    common.say(f"{link()}: {base.name}, {len(commits)} patches, branch md-write at {head[:12]}")


def cmd_refresh() -> None:
    """make refresh."""
    with common.locked("tree"):
        tree, stamp = tree_path(), _stamp()
        if not stamp.exists():
            raise common.Error("there is no assembled tree yet: make tree first.")
        print_then, _, base = stamp.read_text("ascii").split()
        busy = _tree_busy()
        if busy:
            raise common.Error(f"{tree} is not ready: {busy}. Finish or commit it there first.")
        if fingerprint() != print_then:
            raise common.Error(
                "patches/, drivers/, include/, Documentation/ or tools/testing/md/ changed in the "
                "repository since the tree was assembled, so refreshing would undo that edit.\n"
                "Keep the edit: make the same change in the tree, restore the repository's files "
                "(git stash), make refresh. Or give the tree up: make tree DISCARD=1.")
        head = git("rev-parse", "HEAD", cwd=tree).strip()
        if not has_ancestor(base, head):
            raise common.Error(f"{tree}: HEAD is not on top of the base {base[:12]} it was "
                               "assembled on; rebase onto the branch base.")
        files = exported(base, head)
        old = {PATCHES / p.name for p in load()} | {
            pathlib.Path(ELSEWHERE.get(f, f)) for p in load() for f in p.new}
        strange = [str(p) for p in sorted(set(files) - old)
                   if p.parent != PATCHES and (common.TOP / p).exists()
                   and (common.TOP / p).read_bytes() != files[p][0]]
        if strange:
            raise common.Error(f"the tree brings {', '.join(strange)}, which the repository has "
                               "with other contents and no patch lists. Move it away first.")
        for path in sorted(old - set(files)):
            common.say(f"removed {path}")
            (common.TOP / path).unlink(missing_ok=True)
        for path, (data, executable) in files.items():
            where = common.TOP / path
            if not where.exists() or where.read_bytes() != data:
                common.say(f"wrote {path}")
                where.parent.mkdir(parents=True, exist_ok=True)
                where.write_bytes(data)
            where.chmod(0o755 if executable else 0o644)
        stamp.write_text(f"{fingerprint()} {head} {base}\n", "ascii")


def has_ancestor(old: str, new: str) -> bool:
    """Whether @new descends from @old."""
    return git("merge-base", old, new).strip() == old


COVER = """\
md/raid5: a write path that keeps its promises

This series makes the write path of md's RAID4/5/6 keep what it acknowledged:
no write that was acknowledged and flushed is lost, and no parity is silently
wrong. Existing arrays, mdadm and every on-disk format work unchanged.

Each patch says what a user loses without it, the interleaving that loses it,
why the change is enough, how it was tested and what it costs. The last mails
bring the tests: KUnit suites under drivers/md/tests/, and under
tools/testing/md/ a block device with a true volatile cache and the VM tests
that show the loss on the unpatched kernel.

Base: {name}
      tree {tree}
Apply with: git am (no fuzz is needed on that base)
"""


def cmd_export(out: pathlib.Path) -> list[pathlib.Path]:
    """make series."""
    base = base_mod.find()
    patches = load()
    commits = assemble(base, patches)
    if not commits:
        raise common.Error("the series is empty.")
    tree = git("rev-parse", f"{base.commit}^{{tree}}").strip()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    git("format-patch", "--quiet", "--no-signature", "--zero-commit", "--no-renames",
        "--diff-algorithm=histogram", f"--output-directory={out.absolute()}",
        f"{base.commit}..{commits[-1]}", env={"GIT_CONFIG_COUNT": "1",
                                              "GIT_CONFIG_KEY_0": "format.numbered",
                                              "GIT_CONFIG_VALUE_0": "true"})
    cover = COVER.format(name=base.name, tree=tree)
    subject, _, text = cover.partition("\n")
    stat = git("diff", "--stat=78", base.commit, commits[-1])
    titles = "\n".join(f"  {p.subject}" for p in patches)
    (out / "0000-cover-letter.patch").write_text(
        f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: {patches[0].author}\n"
        f"Date: Thu, 1 Jan 2026 00:00:00 +0000\n"
        f"Subject: [PATCH 0/{len(patches)}] {subject}\n{text}\n{titles}\n\n{stat}", "utf-8")
    return sorted(out.glob("*.patch"))


def cmd_apply(out: pathlib.Path) -> None:
    """make apply: all of the series goes into the files of KDIR, or none of it."""
    if not os.environ.get("KDIR"):
        raise common.Error(f"say into which tree: make apply KDIR=/path/to/linux-{common.SERIES}.y")
    patches = load()
    files = sorted({f for p in patches for f in [*p.new, *_touched(p.diff)]})
    kdir = pathlib.Path(os.environ["KDIR"]).expanduser().absolute()
    base = base_mod.partial(kdir, files)
    there = [f for p in patches for f in p.new if (kdir / f).exists()]
    if there:
        raise common.Error(
            f"{base.name} has {there[0]}: the series, or one before it, is in that tree already. "
            "The command that takes it out was printed when it went in. Nothing was changed.")
    head = assemble(base, patches)[-1]
    out.mkdir(parents=True, exist_ok=True)
    # named by content: applying to a second tree must not overwrite what undoes the first
    diff = git("diff", "--no-renames", "--full-index", "--binary", base.commit,
               head).encode(errors="surrogateescape")
    saved = out / f"linux-{base.version}-{hashlib.sha256(diff).hexdigest()[:8]}.patch"
    saved.write_bytes(diff)
    # a tree that is no repository must not be taken for a folder of one around it
    git("apply", saved.absolute(), cwd=kdir, env={"GIT_CEILING_DIRECTORIES": str(kdir.parent)})
    common.say(f"{len(patches)} patches are in {base.name} now, {len(files)} files, not committed")
    common.say(f"to take them out: GIT_CEILING_DIRECTORIES={shlex.quote(str(kdir.parent))} "
               f"git -C {shlex.quote(str(kdir))} apply -R {shlex.quote(str(saved.absolute()))}")


def cmd_newest() -> None:
    """make check-newest."""
    base = base_mod.find(newest=True)
    commits = assemble(base, load())
    common.say(f"{len(commits)} patches apply to {base.name}")


def cmd_cache() -> None:
    """make clean-cache."""
    busy = _tree_busy() if _stamp().exists() else ""
    print(f"The cache is {common.cache()}. To remove it: rm -rf {common.cache()}")
    if busy:
        print(f"Careful: build/linux-{common.SERIES} is in it, and {busy}.")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    sub = parser.add_subparsers(dest="command", required=True)
    sub.add_parser("base", help="fetch and import the base")
    tree = sub.add_parser("tree", help="assemble build/linux-7.3")
    tree.add_argument("--discard", action="store_true", help="give up unsaved work there")
    sub.add_parser("refresh", help="take the tree's commits back into the repository")
    export = sub.add_parser("export", help="write the mails")
    export.add_argument("--out", type=pathlib.Path, default=common.TOP / "build" / "series")
    apply = sub.add_parser("apply", help="put the series into the tree KDIR")
    apply.add_argument("--out", type=pathlib.Path, default=common.TOP / "build" / "apply")
    sub.add_parser("newest", help="does the series apply to the newest base on offer?")
    sub.add_parser("cache", help="where the cache is")
    args = parser.parse_args()
    if args.command == "newest":
        cmd_newest()
    elif args.command == "apply":
        cmd_apply(args.out)
    elif args.command == "cache":
        cmd_cache()
    elif args.command == "base":
        common.say(base_mod.find().name)
    elif args.command == "tree":
        cmd_tree(args.discard)
    elif args.command == "refresh":
        cmd_refresh()
    else:
        mails = cmd_export(args.out)
        common.say(f"{len(mails) - 1} mails and a cover letter in {args.out}; in a base tree: "
                   f"git am $(ls {args.out}/*.patch | tail -n +2)")


if __name__ == "__main__":
    common.entry(main)
