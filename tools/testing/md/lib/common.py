# SPDX-License-Identifier: GPL-2.0
"""What every tool of the project shares: the cache, its locks, progress, errors."""
from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Callable, Iterator, NoReturn, Sequence

TOP = pathlib.Path(__file__).resolve().parents[4]
SERIES = "7.3"

START = time.monotonic()


class _Locks(threading.local):
    """The locks that a thread holds."""

    def __init__(self) -> None:
        super().__init__()
        self.held: set[int] = set()


# Children inherit them, so that a lock lives as long as the work under it.
_LOCKS = _Locks()


class Error(Exception):
    """A failure the user can act on: the message says what to do."""


def cache() -> pathlib.Path:
    """The folder outside every checkout that holds what is expensive to make."""
    own = os.environ.get("MD_WRITE_CACHE")
    if own:
        return pathlib.Path(own).absolute()
    xdg = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(xdg) / "md-write"


def log_path(name: str) -> pathlib.Path:
    """Where the output of the step @name is kept."""
    path = cache() / "log" / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def say(text: str) -> None:
    """One line of progress, with the seconds since the tool began."""
    # whole, whatever other threads print
    sys.stderr.write(f"[{time.monotonic() - START:5.0f} s] {text}\n")
    sys.stderr.flush()


def need_disk(path: pathlib.Path, gigabytes: float, what: str) -> None:
    """Refuse before starting when the file system of @path has too little room."""
    path.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path).free / 1e9
    if free < gigabytes:
        raise Error(
            f"{what} needs {gigabytes:.1f} GB below {path}, only {free:.1f} GB are free.\n"
            f"Make room, or set MD_WRITE_CACHE to a folder on a larger disk.")


def free_memory() -> int:
    """What the machine has left, in MiB."""
    with open("/proc/meminfo", encoding="ascii") as rows:
        fields = dict(row.split(":") for row in rows)
    return int(fields["MemAvailable"].split()[0]) >> 10


def need_tools(tools: dict[str, str]) -> None:
    """Name every missing program of @tools (program: Debian package) at once."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {t: p for t, p in tools.items() if not shutil.which(t, path=path)}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise Error(f"missing programs: {', '.join(sorted(missing))}.\n"
                    f"On Debian: apt-get install {packages} (make deps does it); elsewhere "
                    "install the packages that have them.")


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock @name; says so when somebody else has it."""
    path = cache() / "lock" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that holds {path}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        _LOCKS.held.add(handle.fileno())
        try:
            yield
        finally:
            _LOCKS.held.discard(handle.fileno())


def inherited() -> tuple[int, ...]:
    """For pass_fds of every child that works under a lock."""
    return tuple(_LOCKS.held)


@contextlib.contextmanager
def published(final: pathlib.Path) -> Iterator[pathlib.Path]:
    """A temporary folder that becomes @final when the body succeeds.

    An interrupted run leaves only the temporary one, which the next removes.
    """
    partial = final.parent / f".partial-{final.name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)


def run(cmd: Sequence[str | pathlib.Path], *, cwd: pathlib.Path | None = None,
        env: dict[str, str] | None = None, stdin: str | bytes | None = None,
        log: pathlib.Path | None = None, what: str = "") -> str:
    """Run @cmd and return its output; on failure name the command and the log."""
    if isinstance(stdin, str):
        stdin = stdin.encode(errors="surrogateescape")
    done = subprocess.run([str(c) for c in cmd], cwd=cwd, input=stdin or b"", check=False,
                          pass_fds=inherited(),
                          env={**os.environ, **(env or {})}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT if log else subprocess.PIPE)
    out: str = done.stdout.decode(errors="surrogateescape")
    if log:
        with open(log, "a", encoding="utf-8", errors="surrogateescape") as handle:
            handle.write(f"$ {' '.join(str(c) for c in cmd)}\n{out}")
    if done.returncode:
        text = out if log else done.stderr.decode(errors="replace") or out
        tail = "\n".join(text.strip().splitlines()[-12:])
        where = f"\nThe whole log: {log}" if log else ""
        raise Error(f"{what or str(cmd[0])} failed (exit status {done.returncode}):\n"
                    f"{tail}{where}")
    return out


def end_children() -> None:
    """Ask what this process has started, in any thread, to end."""
    for task in pathlib.Path("/proc/self/task").glob("*/children"):
        for child in task.read_text("ascii").split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGTERM)


def sha256(path: pathlib.Path) -> str:
    """The SHA256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def entry(main: Callable[[], None]) -> NoReturn:
    """Run a program; an error of the user's ends it with a sentence and no stack."""
    def stop(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        main()
    except (Error, OSError) as err:
        print(f"error: {err}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; nothing half-made is kept, the same command picks up", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
