#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Boot a kernel, run a script in it and bring its results and its exit status out.

Without --script: a shell on the console, which ends with `exit` or Ctrl-].

Exit status: the script's own; 124 a hang, a crash or a timeout; 125 the machine did not
come up or died without a result, or the command line is wrong; with --fail-on-splat, 126
when the script passed and the kernel warned.
"""
from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import pty
import resource
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import tty
from typing import Any, BinaryIO, Dict, Iterator, List, NamedTuple, NoReturn, Optional

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import common  # noqa: E402
import console as console_module  # noqa: E402
import cpio  # noqa: E402
import initramfs as initramfs_module  # noqa: E402
import machine as machine_module  # noqa: E402

HANG, NO_RESULT, SPLAT = 124, 125, 126

BOOT_LIMIT = 120        # s until GUEST-UP; sanitizers boot slowly
LOUD, BLOCKED, BUSY = "8", "w", "l"     # magic keys: print all, then two kinds of stacks
STACK_TIME = 1.5        # s for each of the two dumps of stacks
EVIDENCE_LINES = 25
KEPT_LOGS = 30          # of failed runs without --out
CTRL_BRACKET = b"\x1d"


class Verdict(NamedTuple):
    """How a run ended."""

    status: int
    kind: str           # done, hang, crash, silence, timeout, boot, died
    reason: str


class Stopped(Exception):
    """A signal asked vm.py itself to end."""

    asked = False

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stop(number: int, _frame: Any) -> None:
    """The signal handler; what runs is ended on the way out, which a second must not disturb."""
    if not Stopped.asked:
        Stopped.asked = True
        raise Stopped(number)


def prepare_child() -> None:
    """In the child: it must not outlive vm.py, nor leave a core of the guest's memory."""
    libc = ctypes.CDLL(None)
    libc.prctl(1, signal.SIGKILL)       # PR_SET_PDEATHSIG
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Run:
    """One machine from its start to its end."""

    def __init__(self, machine: machine_module.Machine, console: console_module.Console,
                 args: argparse.Namespace) -> None:
        self.machine = machine
        self.console = console
        self.args = args
        self.interactive = args.script is None
        self.start = time.monotonic()
        self.selector = selectors.DefaultSelector()
        self.keyboard: Optional[BinaryIO] = None
        self.quit = False
        self._spawn()

    def _spawn(self) -> None:
        command = self.machine.command()
        environment = {**os.environ, **self.machine.environment()}
        uml = isinstance(self.machine, machine_module.Uml)
        slave = None
        stdin: int = subprocess.PIPE
        stdout: int = subprocess.PIPE
        if uml and self.interactive:
            # UML wants one terminal for input and output to give the guest job control.
            master, slave = pty.openpty()
            tty.setraw(slave)
            stdin = stdout = slave
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdin=stdin, stdout=stdout, stderr=subprocess.STDOUT, env=environment,
            start_new_session=True, preexec_fn=prepare_child)
        if slave is not None:
            os.close(slave)
            self.keyboard = os.fdopen(os.dup(master), "wb", buffering=0)
            self.output = os.fdopen(master, "rb", buffering=0)
        else:
            assert self.process.stdout
            self.output = self.process.stdout  # type: ignore[assignment]
            self.keyboard = self.process.stdin  # type: ignore[assignment]
        self.selector.register(self.output, selectors.EVENT_READ, self._from_guest)
        if self.interactive:
            self.selector.register(sys.stdin, selectors.EVENT_READ, self._from_user)

    def _from_guest(self) -> None:
        try:
            data = os.read(self.output.fileno(), 65536)
        except OSError:             # a pty without a writer
            data = b""
        if data:
            self.console.feed(data)
        else:
            self.selector.unregister(self.output)

    def _from_user(self) -> None:
        data = os.read(sys.stdin.fileno(), 4096)
        if CTRL_BRACKET in data:
            self.quit = True
        elif data and self.keyboard:
            self.keyboard.write(data)
            self.keyboard.flush()
        else:
            self.selector.unregister(sys.stdin)

    def gone(self) -> bool:
        """The process has ended and all that it printed was read."""
        return self.process.poll() is not None and not any(
            key.fileobj is self.output for key in self.selector.get_map().values())

    def pump(self, seconds: float) -> None:
        """Take output for so long, or until the machine is gone."""
        deadline = time.monotonic() + seconds
        while not self.gone():
            left = deadline - time.monotonic()
            if left <= 0:
                return
            for key, _ in self.selector.select(min(left, 0.2)):
                key.data()
            if self.process.poll() is not None and not self.selector.select(0):
                # Its helpers can keep the pipe open.
                return

    def stacks(self) -> None:
        """Get the stacks of blocked tasks and of busy CPUs into the log."""
        seen = self.console.last
        for key in LOUD, BLOCKED, BUSY:
            with contextlib.suppress(OSError, ValueError):
                self.machine.sysrq(key, self.keyboard)
            self.pump(0.2 if key == LOUD else STACK_TIME)
        if self.console.last == seen:
            with contextlib.suppress(OSError, ValueError):
                self.machine.interrupt()
            self.pump(STACK_TIME)

    def watch(self) -> Verdict:
        """Until the guest has ended, or can't any more."""
        console = self.console
        while not (self.gone() or console.ended or self.quit):
            self.pump(0.2)
            if self.process.poll() is not None:
                break
            if console.lost:
                return self._lost(console.lost)
            now = time.monotonic()
            if not console.up and now - self.start > BOOT_LIMIT:
                self.stacks()
                return Verdict(NO_RESULT, "boot",
                               f"the machine did not come up within {BOOT_LIMIT} s")
            if self.interactive:
                continue
            if console.up and now - console.last > self.args.silence:
                self.stacks()
                return Verdict(HANG, "silence",
                               f"nothing was printed for {self.args.silence:g} s")
            if now - self.start > self.args.timeout:
                self.stacks()
                return Verdict(HANG, "timeout", f"not done within {self.args.timeout:g} s")
        self.pump(0.1)
        if console.lost:
            return self._lost(console.lost)
        if self.interactive:
            return Verdict(0, "done", "the shell ended")
        return self._result()

    def _lost(self, lost: console_module.Lost) -> Verdict:
        if lost.kind == "crash" or self.console.stacks_shown:
            self.pump(2 * STACK_TIME)
        elif not self.gone():
            self.stacks()
        if not self.console.up:
            return Verdict(NO_RESULT, "boot", f"the kernel was lost while it booted: {lost.text}")
        return Verdict(HANG, lost.kind, lost.text)

    def _result(self) -> Verdict:
        try:
            status = int((self.machine.spec.share / "rc").read_text(encoding="ascii"))
        except (OSError, ValueError):
            exit_status = self.process.poll()
            if self.console.error:
                reason = self.console.error
            elif self.console.done:
                reason = "the results were lost after the script had ended with " \
                         f"{self.console.done}"
            elif self.console.up:
                reason = "the machine ended without a result"
            else:
                reason = "the machine did not come up"
            if exit_status:
                reason += f" (its process: {exit_status})"
            return Verdict(NO_RESULT, "died" if self.console.up else "boot", reason)
        return Verdict(status, "done", f"the script ended with status {status}")

    def kill(self) -> None:
        """End it and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.selector.close()


@contextlib.contextmanager
def raw_terminal(wanted: bool) -> Iterator[None]:
    """Every key goes to the guest, Ctrl-C too."""
    if not (wanted and sys.stdin.isatty()):
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def mebibytes(text: str) -> int:
    """2G or 512M as MiB."""
    units = {"M": 1, "G": 1024}
    if not text[:-1].isdigit() or text[-1].upper() not in units:
        raise argparse.ArgumentTypeError(f"{text!r}: a size such as 512M or 2G is wanted")
    return int(text[:-1]) * units[text[-1].upper()]


def environment(words: List[str]) -> bytes:
    """The file that the guest's init reads before the script."""
    rows = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise common.Error(f"--env {word}: NAME=VALUE is wanted")
        rows.append(f"export {name}={shlex.quote(value)}\n")
    return "".join(rows).encode()


def write_initrd(args: argparse.Namespace, out: pathlib.Path) -> None:
    """The common initramfs and, behind it, a second one with the script and what it needs."""
    archive = cpio.Archive()
    if args.script:
        if not args.script.is_file():
            raise common.Error(f"there is no script {args.script}")
        archive.file("script", args.script, 0o755)
    archive.file("environment", environment(args.env))
    for word in args.add:
        source, colon, target = word.rpartition(":")
        if not colon or not target.startswith("/"):
            raise common.Error(f"--add {word}: SOURCE:/PATH/IN/THE/GUEST is wanted")
        if not os.path.exists(source):
            raise common.Error(f"--add {word}: there is no {source}")
        archive.tree(target, pathlib.Path(source))
    base = args.initramfs or initramfs_module.make()
    if not base.is_file():
        raise common.Error(f"there is no initramfs {base}")
    with open(out, "wb") as stream:
        with open(base, "rb") as first:
            shutil.copyfileobj(first, stream)
        stream.write(b"\0" * (-stream.tell() % 4))
        archive.write(stream)


def disks(paths: List[pathlib.Path]) -> List[pathlib.Path]:
    """The files of --disk, which the guest can read and write in whole sectors."""
    for path in paths:
        if not path.is_file():
            raise common.Error(f"--disk {path}: a file is wanted, there is none")
        if not os.access(path, os.R_OK | os.W_OK):
            raise common.Error(f"--disk {path} cannot be written")
        if not path.stat().st_size or path.stat().st_size % 512:
            raise common.Error(f"--disk {path}: its size is no multiple of 512")
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise common.Error("--disk: a file was given twice")
    return [path.absolute() for path in paths]


def need_memory(mebi: int) -> None:
    """Refuse to start what would drive the host out of memory."""
    free = common.free_memory()
    if free < mebi:
        raise common.Error(f"the machine has {mebi} MiB of memory, the host only {free} MiB left: "
                           "end something or lower --mem")


def prepare_out(args: argparse.Namespace) -> pathlib.Path:
    """The folder of the results; one in the cache when the user named none."""
    out = args.out
    if out is None:
        logs = common.log_path("vm").parent
        for old in sorted(logs.glob("vm-*-*"))[:-KEPT_LOGS]:
            shutil.rmtree(old, ignore_errors=True)
        out = logs / f"vm-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    out.mkdir(parents=True, exist_ok=True)
    for stale in ("splats.txt", "result.json"):
        (out / stale).unlink(missing_ok=True)
    return pathlib.Path(out)


def save(run: Run, verdict: Verdict, out: pathlib.Path, share: pathlib.Path) -> None:
    """Move the guest's results to @out and write down how it went."""
    if (share / "out").is_dir():
        shutil.copytree(share / "out", out, symlinks=True, dirs_exist_ok=True)
    splats = run.console.splats
    if splats:
        text = "\n\n".join("\n".join(splat) for splat in splats) + "\n"
        (out / "splats.txt").write_text(text, encoding="utf-8")
    result: Dict[str, object] = {
        **verdict._asdict(),
        "mode": run.machine.spec.mode, "kernel": str(run.machine.spec.kernel),
        "seconds": round(time.monotonic() - run.start, 2), "splats": len(splats),
    }
    (out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def report(run: Run, verdict: Verdict, out: pathlib.Path) -> None:
    """The few lines that a user reads."""
    def tell(text: str) -> None:
        print(f"vm: {text}", file=sys.stderr)

    seconds = time.monotonic() - run.start
    splats = run.console.splats
    if verdict.kind != "done":
        evidence = run.console.evidence[:EVIDENCE_LINES] or run.console.lines[-EVIDENCE_LINES:]
        if run.args.quiet or verdict.kind in ("boot", "died"):
            for line in evidence:
                print(f"  | {line}", file=sys.stderr)
        tell(f"{verdict.kind.upper()} after {seconds:.0f} s: {verdict.reason}")
        if run.console.done and verdict.kind != "died":
            tell(f"that was after the script had ended with {run.console.done}")
    elif verdict.status:
        tell(f"{verdict.reason} after {seconds:.1f} s")
    if splats:
        tell(f"{len(splats)} warning(s) of the kernel, in {out}/splats.txt; the first: "
             f"{splats[0][0]}")
    if verdict.status:
        tell(f"exit status {verdict.status}; the console's log: {out}/console.log")


def run_machine(args: argparse.Namespace, work: pathlib.Path) -> int:
    """Everything between the arguments and the exit status."""
    if not args.kernel.is_file():
        raise common.Error(f"there is no kernel {args.kernel}: make kernel VARIANT=... builds one")
    share = work / "share"
    share.mkdir()
    spec = machine_module.Spec(
        mode=args.mode, kernel=args.kernel.absolute(), initrd=work / "initrd",
        smp=1 if args.mode == "tt" else args.smp, mem=args.mem,
        append=[word for text in args.append for word in text.split()], work=work, share=share,
        disks=disks(args.disk))
    machine = machine_module.machine(spec)
    machine.check()
    need_memory(args.mem)
    write_initrd(args, spec.initrd)
    out = prepare_out(args)
    interactive = args.script is None
    stream = None if args.quiet and not interactive else sys.stdout.buffer
    console = console_module.Console(out / "console.log", stream, interactive)
    if interactive:
        print("vm: Ctrl-] ends the machine", file=sys.stderr)
    with raw_terminal(interactive):
        run = Run(machine, console, args)
        try:
            verdict = run.watch()
        finally:
            run.kill()
            console.close()
    if verdict.status == 0 and console.splats and args.fail_on_splat:
        verdict = Verdict(SPLAT, verdict.kind, "the kernel warned, and --fail-on-splat was given")
    save(run, verdict, out, share)
    report(run, verdict, out)
    if args.out is None and verdict.status == 0 and not console.splats:
        shutil.rmtree(out)
    return verdict.status


class Parser(argparse.ArgumentParser):
    """Status 2 or 1 could be taken for the script's."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(NO_RESULT, f"vm: {message}\n")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    path = pathlib.Path
    parser.add_argument("--kernel", type=path, required=True, help="a bzImage, or UML's linux")
    parser.add_argument("--mode", choices=machine_module.MODES, default="tcg",
                        help="tcg: qemu; icount: qemu, an instruction is 1 ns; uml: UML; "
                        "tt: UML, computing takes no time")
    parser.add_argument("--script", type=path, help="run this by bash in the guest")
    parser.add_argument("--add", action="append", default=[], metavar="SRC:DEST",
                        help="put a file or a folder into the guest")
    parser.add_argument("--env", action="append", default=[], metavar="K=V",
                        help="a variable of the script's environment")
    parser.add_argument("--disk", action="append", default=[], type=path, metavar="FILE",
                        help="a raw file as a disk: /dev/vda and on, in UML /dev/ubda and on")
    parser.add_argument("--out", type=path, metavar="DIR",
                        help="what the guest leaves in $OUT, console.log, splats.txt, result.json")
    parser.add_argument("--timeout", type=float, default=600, metavar="SEC")
    parser.add_argument("--silence", type=float, default=30, metavar="SEC",
                        help="a script that prints nothing for so long hangs (default: 30)")
    parser.add_argument("--smp", type=int, default=2, metavar="N")
    parser.add_argument("--mem", type=mebibytes, default="2G", metavar="SIZE")
    parser.add_argument("--append", action="append", default=[], metavar="WORDS",
                        help="more for the kernel's command line")
    parser.add_argument("--initramfs", type=path, metavar="PATH",
                        help="instead of the one that initramfs.py makes")
    parser.add_argument("--fail-on-splat", action="store_true",
                        help=f"exit status {SPLAT} when the script passed and the kernel warned")
    parser.add_argument("--quiet", action="store_true", help="do not show the console")
    return parser.parse_args()


def main() -> None:
    """Run and clean up, whatever happens."""
    args = parse()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        with tempfile.TemporaryDirectory(prefix="md-vm-") as work:
            status = run_machine(args, pathlib.Path(work))
    except Stopped as stopped:
        print(f"vm: ended by signal {stopped.number}", file=sys.stderr)
        status = 128 + stopped.number
    except (common.Error, OSError) as err:
        print(f"vm: {err}", file=sys.stderr)
        status = NO_RESULT
    sys.exit(status)


if __name__ == "__main__":
    main()
