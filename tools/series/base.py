# SPDX-License-Identifier: GPL-2.0
"""The base tree: found or fetched, and imported into a git repository in the cache."""
from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import aptroot
import common

SUITE = "trixie-backports"
PACKAGE = f"linux-source-{common.SERIES}"

# Who commits what the tools commit, and when: fixed, so that hashes are stable.
IDENTITY = {
    "GIT_COMMITTER_NAME": "md-write series", "GIT_COMMITTER_EMAIL": "series@md-write.invalid",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
}


@dataclasses.dataclass(frozen=True)
class Base:
    """An imported base: its commit, and how to name it to a reader."""
    commit: str
    name: str
    version: str


def home() -> pathlib.Path:
    """The cache folder that holds the repository and its work trees."""
    return common.cache() / f"linux-{common.SERIES}"


def git(*args: str | pathlib.Path, stdin: str | bytes | None = None,
        cwd: pathlib.Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run git in the cached repository, or in the work tree @cwd."""
    where = [] if cwd else ["--git-dir", str(home() / "git")]
    plain = ["-c", "core.autocrlf=false", "-c", "gc.auto=0", "-c", "core.quotePath=false",
             "-c", "safe.directory=*"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    done = subprocess.run(
        ["git", *where, *plain, *map(str, args)], cwd=cwd, check=False, capture_output=True,
        input=(stdin.encode(errors="surrogateescape") if isinstance(stdin, str) else stdin) or b"",
        pass_fds=common.inherited(),
        env={**clean, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
             "LC_ALL": "C.UTF-8", **IDENTITY, **(env or {})})
    if done.returncode:
        raise common.Error(f"git {' '.join(map(str, args[:4]))}: "
                           f"{done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="surrogateescape")


def has_commit(rev: str) -> str | None:
    """The full hash of @rev, or None."""
    try:
        return git("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}").strip()
    except common.Error:
        return None


def pin() -> dict[str, str]:
    """The fields of patches/7.3/BASE."""
    path = common.TOP / "patches" / common.SERIES / "BASE"
    return dict(line.split(None, 1) for line in path.read_text("utf-8").splitlines()
                if line.strip() and not line.startswith("#"))


def kernel_version(tree: pathlib.Path) -> str:
    """VERSION.PATCHLEVEL.SUBLEVEL of a kernel tree; refuses what is none."""
    try:
        text = (tree / "Makefile").read_text("utf-8")
        fields = [re.search(rf"^{f}\s*=\s*(\d+)", text, re.M)
                  for f in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
    except OSError:
        fields = [None]
    numbers = [f.group(1) for f in fields if f]
    if len(numbers) != 3 or not (tree / "drivers/md/raid5.c").exists():
        raise common.Error(f"{tree} is no kernel tree (no Makefile with a VERSION, or no "
                           "drivers/md/raid5.c there). KDIR= takes the top folder of an unpacked "
                           f"Linux {common.SERIES}.y source.")
    return ".".join(numbers)


def _need_series(version: str, where: str) -> None:
    if not version.startswith(common.SERIES + "."):
        raise common.Error(f"{where} is Linux {version}; this series is for {common.SERIES}.y. "
                           f"Give a {common.SERIES}.y tree.")


def _repository() -> None:
    if not (home() / "git" / "HEAD").exists():
        common.need_tools({"git": "git"})
        with common.published(home() / "git") as partial:
            common.run(["git", "init", "--quiet", "--bare", partial])


def _import(tree: pathlib.Path, ref: str, message: str, *, tracked: str = "",
            quiet: bool = False) -> str:
    """Commit the files of @tree as @ref; @tracked limits them to a git index."""
    _repository()
    if not quiet:
        common.say(f"importing {message} into git (about a minute)")
    index = home() / "import.index"
    for left_over in (index, home() / "import.index.lock"):
        left_over.unlink(missing_ok=True)
    env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(tree)}
    if tracked:
        git("update-index", "--add", "-z", "--stdin", stdin=tracked, cwd=tree,
            env={**env, "GIT_DIR": str(home() / "git")})
    else:
        git("add", "--all", "--force", ".", cwd=tree,
            env={**env, "GIT_DIR": str(home() / "git")})
    tree_id = git("write-tree", env=env).strip()
    commit = git("commit-tree", tree_id, stdin=message + "\n", env={
        "GIT_AUTHOR_NAME": "upstream", "GIT_AUTHOR_EMAIL": "upstream@md-write.invalid"}).strip()
    index.unlink(missing_ok=True)
    git("update-ref", ref, commit)
    return commit


def _from_deb(deb: pathlib.Path, digest: str, version: str) -> Base:
    ref = f"refs/bases/deb-{digest[:16]}"
    commit = has_commit(ref)
    unpack = home() / "unpack"
    if not commit:
        common.need_disk(common.cache(), 6, "unpacking and importing the kernel source")
        common.need_tools({"xz": "xz-utils", "tar": "tar", "git": "git", "dpkg-deb": "dpkg"})
        shutil.rmtree(unpack, ignore_errors=True)
        unpack.mkdir(parents=True)
        common.say(f"unpacking {deb.name}")
        common.run(["dpkg-deb", "-x", deb, unpack])
        ball = next(unpack.glob("usr/src/linux-source-*.tar.*"), None)
        if not ball:
            raise common.Error(f"{deb} holds no kernel source: DEB= takes a {PACKAGE} package.")
        common.run(["tar", "-C", unpack, "-xf", ball])
        tree = next(unpack.glob("linux-source-*"))
        number = kernel_version(tree)
        _need_series(number, str(deb))
        commit = _import(tree, ref, f"Linux {number} (Debian {PACKAGE} {version})")
        shutil.rmtree(unpack)
    makefile = git("show", f"{commit}:Makefile")
    number = ".".join(re.findall(r"^(?:VERSION|PATCHLEVEL|SUBLEVEL)\s*=\s*(\d+)", makefile, re.M))
    return Base(commit, f"Debian {PACKAGE} {version} (SHA256 {digest})", number)


def _signature(tree: pathlib.Path, tracked: str) -> str:
    """Names, sizes and times of a tree's files: the same as long as nobody writes there."""
    digest = hashlib.sha256(str(tree).encode())
    names = ([tree / n for n in tracked.split("\0") if n] if tracked else
             (pathlib.Path(d) / f for d, _, files in os.walk(tree) for f in files))
    for name in sorted(names):
        stat = name.lstat()
        digest.update(f"{name}\0{stat.st_size} {stat.st_mtime_ns} {stat.st_mode}\n".encode())
    return digest.hexdigest()[:16]


def _from_kdir(kdir: pathlib.Path) -> Base:
    kdir = kdir.expanduser().absolute()
    version = kernel_version(kdir)
    _need_series(version, str(kdir))
    tracked = ""
    if (kdir / ".git").exists():
        tracked = git("ls-files", "-z", "--cached", cwd=kdir)
        if git("ls-files", "--deleted", cwd=kdir).strip():
            raise common.Error(f"KDIR={kdir}: tracked files are missing from the work tree; "
                               "restore them (git checkout .) first.")
    elif (kdir / ".config").exists() or (kdir / "vmlinux").exists():
        raise common.Error(f"KDIR={kdir} has build output in it and is no git tree, so its source "
                           "can't be told from what was built: run make mrproper there first.")
    ref = f"refs/bases/kdir-{_signature(kdir, tracked)}"
    commit = has_commit(ref) or _import(kdir, ref, f"Linux {version} (KDIR)", tracked=tracked)
    return Base(commit, f"Linux {version} from {kdir}", version)


def partial(kdir: pathlib.Path, files: list[str]) -> Base:
    """@kdir reduced to those of @files that it has: enough to put the series on it.

    Unlike find(), it takes a tree with build output in it and does not read the rest.
    """
    kdir = kdir.expanduser().absolute()
    version = kernel_version(kdir)
    _need_series(version, str(kdir))
    present = "\0".join(f for f in files if (kdir / f).is_file())
    with common.locked("base"):
        commit = _import(kdir, "refs/bases/partial", f"Linux {version} (partial)",
                         tracked=present, quiet=True)
    return Base(commit, f"Linux {version} from {kdir}", version)


def _newest(offers: list[str]) -> str:
    def order(name: str) -> tuple[int, ...]:
        return tuple(int(n) for n in re.findall(r"\d+", name.split("-")[0]))
    return max(offers, key=order)


def find(newest: bool = False) -> Base:
    """The base that the series is to be put on, imported.

    Order: KDIR=, DEB=, a cached import or package with the pinned SHA256, the pinned version by
    apt, the newest of the same series by apt (said in a line). Never another series.
    """
    with common.locked("base"):
        if os.environ.get("KDIR"):
            return _from_kdir(pathlib.Path(os.environ["KDIR"]))
        if os.environ.get("DEB"):
            deb = pathlib.Path(os.environ["DEB"])
            if not deb.is_file():
                raise common.Error(f"DEB={deb} is no file.")
            return _from_deb(deb, common.sha256(deb), deb.name)
        want = pin()
        if not newest:
            if has_commit(f"refs/bases/deb-{want['sha256'][:16]}"):
                return _from_deb(pathlib.Path(PACKAGE), want["sha256"], want["version"])
            for deb in (common.cache() / "dl").glob(f"{PACKAGE}_*/*.deb"):
                if common.sha256(deb) == want["sha256"]:
                    return _from_deb(deb, want["sha256"], want["version"])
        return _by_apt(want, newest)


def _by_apt(want: dict[str, str], newest: bool) -> Base:
    common.need_disk(common.cache(), 6, "fetching and importing the kernel source")
    root = aptroot.Root(SUITE)
    root.update()
    offers = [v for v in root.versions(PACKAGE) if v.startswith(common.SERIES + ".")]
    if not offers:
        names = ", ".join(root.names(r"linux-source-\d.*")) or "none"
        raise common.Error(
            f"no kernel source of the {common.SERIES} series is left in {SUITE}; on offer there: "
            f"{names}. Give the base with KDIR=/path/to/linux-{common.SERIES}.y or "
            f"DEB=/path/to/{PACKAGE}_*.deb.")
    version = want["version"]
    if newest or version not in offers:
        version = _newest(offers)
        if version != want["version"]:
            common.say(f"the pinned base {want['version']} is not used: taking {version}, the "
                       f"newest {common.SERIES}.y in {SUITE}")
    deb = aptroot.deb(PACKAGE, SUITE, version)
    digest = common.sha256(deb)
    if version == want["version"] and digest != want["sha256"]:
        raise common.Error(f"{deb.name} has SHA256 {digest}, but patches/{common.SERIES}/BASE pins "
                           f"{want['sha256']}. Remove {deb.parent} and try again.")
    return _from_deb(deb, digest, version)
