# SPDX-License-Identifier: GPL-2.0
"""The ways to run a guest: qemu with ordinary or counted time, UML with real or simulated time."""
from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import pathlib
import platform
import shutil
import socket
import struct
import tempfile
import time
from typing import BinaryIO, Callable, Dict, Iterator, List, NamedTuple, Optional

import common

MODES = ("tcg", "icount", "uml", "tt")


class Spec(NamedTuple):
    """What a machine is made from."""

    mode: str
    kernel: pathlib.Path
    initrd: pathlib.Path
    smp: int
    mem: int                    # MiB
    append: List[str]
    work: pathlib.Path          # private, short, removed at the end
    share: pathlib.Path         # the guest's results arrive here
    disks: List[pathlib.Path]   # raw files


# quiet shows errors only; 5 shows warnings as well, which is where splats are.
COMMON_ARGS = ["quiet", "loglevel=5", "printk.time=1", "norandmaps", "rdinit=/init",
               "null_blk.nr_devices=0"]


class Machine:
    """One guest: its command, and the ways to make it print where it stands."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def check(self) -> None:
        """Complain about what the user can mend, before anything starts."""

    def command(self) -> List[str]:
        """What to run."""
        raise NotImplementedError

    def environment(self) -> Dict[str, str]:
        """Variables to add."""
        return {}

    def sysrq(self, key: str, keyboard: Optional[BinaryIO]) -> None:
        """Press a magic key; errors are raised as OSError."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """A last resort that a kernel with its interrupts off answers too."""


def tsc_khz() -> int:
    """The host's time stamp counter, measured: qemu hands it to the guest as it is."""
    if platform.machine() != "x86_64":
        return 1000000
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3")   # rdtsc; rax |= rdx << 32; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(address)
    tick, start = rdtsc(), time.monotonic_ns()
    time.sleep(0.05)
    ticks: int = rdtsc() - tick
    return round(ticks * 1e6 / (time.monotonic_ns() - start))


class Qemu(Machine):
    """qemu by translation: hardware virtualisation would make no promise about time."""

    PROGRAM = "qemu-system-x86_64"

    def check(self) -> None:
        if not shutil.which(self.PROGRAM):
            raise common.Error(f"{self.PROGRAM} is missing: apt-get install qemu-system-x86")
        with open(self.spec.kernel, "rb") as image:
            if image.read(0x206)[0x202:] != b"HdrS":
                raise common.Error(f"{self.spec.kernel} is not an x86 bzImage, which mode "
                                   f"{self.spec.mode} needs (a UML kernel runs with --mode uml)")

    def command(self) -> List[str]:
        spec = self.spec
        khz = 1000000 if spec.mode == "icount" else tsc_khz()
        append = ["console=ttyS0", "panic=-1", "nokaslr", "tsc=reliable", "no_timer_check",
                  f"tsc_early_khz={khz}", "unknown_nmi_panic", "sysrq_always_enabled",
                  "md_share=9p", *COMMON_ARGS, *spec.append]
        command = [self.PROGRAM, "-nodefaults", "-no-user-config", "-no-reboot",
                   "-display", "none", "-machine", "q35,hpet=off",
                   "-smp", str(spec.smp), "-m", f"{spec.mem}M",
                   "-kernel", str(spec.kernel), "-initrd", str(spec.initrd),
                   "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                   "-qmp", f"unix:{spec.work}/qmp,server=on,wait=off",
                   "-fsdev", f"local,id=share,path={spec.share},security_model=none,"
                             "multidevs=remap",
                   "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
                   *self._disks(), "-append", " ".join(append)]
        if spec.mode == "icount":
            return command + ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
                              "-cpu", "max,la57=off,rdrand=off,rdseed=off", "-seed", "1",
                              "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
        return command + ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off",
                          "-device", "virtio-rng-pci"]

    def _disks(self) -> List[str]:
        words = []
        for number, path in enumerate(self.spec.disks):
            # in an option's value a comma is doubled
            name = str(path).replace(",", ",,")
            words += ["-drive", f"if=none,id=disk{number},format=raw,cache=writeback,file={name}",
                      "-device", f"virtio-blk-pci,drive=disk{number},serial=disk{number}"]
        return words

    @contextlib.contextmanager
    def _qmp(self) -> Iterator[Callable[..., None]]:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as link:
            link.settimeout(2)
            link.connect(str(self.spec.work / "qmp"))
            stream = link.makefile("rw", encoding="utf-8")
            stream.readline()

            def order(execute: str, **arguments: object) -> None:
                stream.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
                stream.flush()
                while "event" in json.loads(stream.readline() or "{}"):
                    pass

            order("qmp_capabilities")
            yield order

    def sysrq(self, key: str, keyboard: Optional[BinaryIO]) -> None:
        # The key counts for 5 s after the break, which an idle guest whose time is counted
        # skips in no time: both must arrive together.
        with self._qmp() as order:
            order("stop")
            order("chardev-send-break", id="console")
            if keyboard:
                keyboard.write(key.encode())
                keyboard.flush()
            time.sleep(0.1)
            order("cont")

    def interrupt(self) -> None:
        with self._qmp() as order:
            order("inject-nmi")


class Uml(Machine):
    """A kernel as a process of the host."""

    MAX_DISKS = 16

    def check(self) -> None:
        image = self.spec.kernel.read_bytes()
        if not image.startswith(b"\x7fELF") or b"uml_dir=" not in image:
            raise common.Error(f"{self.spec.kernel} is not a UML kernel, which mode "
                               f"{self.spec.mode} needs (a bzImage runs with --mode tcg)")
        if self.spec.mode == "tt" and b"time-travel" not in image:
            raise common.Error(f"{self.spec.kernel} lacks CONFIG_UML_TIME_TRAVEL_SUPPORT, which "
                               "mode tt needs")
        if self.spec.mode == "uml" and self.spec.smp > 1 and b"ncpus=" not in image:
            raise common.Error(f"{self.spec.kernel} is built without SMP: give --smp 1")
        if len(self.spec.disks) > self.MAX_DISKS:
            raise common.Error(f"--disk: UML takes {self.MAX_DISKS} disks at most")
        for path in self.spec.disks:
            if any(c in str(path) for c in ",: "):
                raise common.Error(f"--disk {path}: UML takes no comma, colon or space in a path")
        self._memory_folder()

    def _memory_folder(self) -> str:
        """Where UML keeps the guest's memory: a file, mapped executable."""
        tried = ["/dev/shm", os.environ.get("TMPDIR", ""), tempfile.gettempdir()]
        for folder in dict.fromkeys(filter(None, tried)):
            with contextlib.suppress(OSError):
                stat = os.statvfs(folder)
                room = stat.f_bavail * stat.f_frsize >> 20
                noexec = stat.f_flag & os.ST_NOEXEC
                if room >= self.spec.mem and not noexec and os.access(folder, os.W_OK):
                    return folder
        raise common.Error(
            f"UML keeps its {self.spec.mem} MiB of memory in a file, and none of "
            f"{', '.join(dict.fromkeys(filter(None, tried)))} has that room and allows to execute. "
            "Make room, lower --mem, or set TMPDIR to a folder that has it, best on tmpfs.")

    def command(self) -> List[str]:
        spec = self.spec
        own = ["seccomp=on", f"ncpus={spec.smp}"] if spec.mode == "uml" else \
            ["seccomp=on", "time-travel=inf-cpu", "time-travel-start=1767225600000000000"]
        # d: never taken for a copy-on-write file, whatever is in it
        disks = [f"ubd{number}d={path}" for number, path in enumerate(spec.disks)]
        return [str(spec.kernel), f"mem={spec.mem}M", f"initrd={spec.initrd}", *own, *disks,
                "con0=fd:0,fd:1", "con=null", "umid=vm", f"uml_dir={spec.work}/",
                f"md_share={spec.share}", *COMMON_ARGS, *spec.append]

    def environment(self) -> Dict[str, str]:
        return {"TMPDIR": self._memory_folder()}

    def sysrq(self, key: str, keyboard: Optional[BinaryIO]) -> None:
        data = f"sysrq {key}".encode()
        request = struct.pack("=III512s", 0xcafebabe, 2, len(data), data)
        own = self.spec.work / f"mconsole-{key}"
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as link:
            link.settimeout(1)
            link.bind(str(own))
            link.sendto(request, str(self.spec.work / "vm" / "mconsole"))


def machine(spec: Spec) -> Machine:
    """The machine of a mode."""
    return Uml(spec) if spec.mode in ("uml", "tt") else Qemu(spec)
