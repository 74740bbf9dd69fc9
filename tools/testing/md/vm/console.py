# SPDX-License-Identifier: GPL-2.0
"""What a guest's console says: that it is up, how its script ended, that its kernel is lost."""
from __future__ import annotations

import pathlib
import re
import time
from typing import BinaryIO, List, NamedTuple, Optional

# The command line has printk.time=1: a kernel's line is told from a script's by its stamp,
# which may follow the start of a script's line.
KERNEL_LINE = re.compile(r"\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? (.*)")


class Lost(NamedTuple):
    """Why the guest can't go on."""

    kind: str           # hang or crash
    text: str


# A crash comes first: it may make other tasks hang.
KERNEL_LOST = (
    ("crash", re.compile(r"kernel BUG at |Oops: |Kernel panic - not syncing")),
    ("hang", re.compile(r"task .* blocked.* for more than \d+ seconds")),
    ("hang", re.compile(r"soft lockup - CPU|hard LOCKUP|rcu: INFO: .*detected.* stall")),
)
SCRIPT_LOST = re.compile(r"^HANG: (.*)")
SPLAT = re.compile(r"WARNING: |BUG: |UBSAN: |INFO: (?:possible|suspicious|trying to register)"
                   r"|memory leak")
SPLAT_END = "---[ end trace"
SPLAT_LINES = 80
# In a stack dump, what says nothing about where the kernel stands.
NOISE = re.compile(r"^(R[0-9A-Z]{1,2}|[CDEFG]S|CR\d|DR\d|PKRU|Code): |^ ?</?(TASK|IRQ)>$|^ +\? "
                   r"|^( +[0-9a-f]{8})+$|\+0x0/|uml_curr_cpu|(un)?block_signals|um_set_signals"
                   r"|disables this message|^Call Trace:|^Stack:|^sysrq: HELP|^$")
STACKS = "sysrq: Show Blocked State"
MARK = re.compile(r"GUEST-(UP|DONE|END|ERROR)\b ?(.*)")


class Console:
    """Keeps the log and understands it line by line."""

    def __init__(self, log: pathlib.Path, stream: Optional[BinaryIO], raw: bool) -> None:
        self._log = open(log, "wb")  # pylint: disable=consider-using-with
        self._stream = stream
        self._raw = raw
        self._rest = b""
        self._splat_left = 0
        self.last = time.monotonic()
        self.lines: List[str] = []          # the last ones
        self.evidence: List[str] = []       # from the loss on, without noise
        self.stacks_shown = False
        self.up: Optional[str] = None
        self.done: Optional[str] = None
        self.ended = False
        self.error: Optional[str] = None
        self.lost: Optional[Lost] = None
        self.splats: List[List[str]] = []

    def close(self) -> None:
        """Flush the last, perhaps unfinished line."""
        if self._rest:
            self._line(self._rest.decode(errors="replace"))
            self._rest = b""
        self._log.close()

    def feed(self, data: bytes) -> None:
        """Take what the guest printed."""
        self.last = time.monotonic()
        shown = data
        data = data.replace(b"\r", b"")
        self._log.write(data)
        self._log.flush()
        if self._stream:
            try:
                self._stream.write(shown if self._raw else data)
                self._stream.flush()
            except BrokenPipeError:
                self._stream = None
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace"))

    def _line(self, line: str) -> None:
        self.lines.append(line)
        del self.lines[:-40]
        kernel = KERNEL_LINE.search(line)
        if kernel:
            self._kernel_line(line, kernel.group(1))
            if STACKS in line and not self.stacks_shown:
                self.stacks_shown = True
                self.evidence.clear()
            if (self.lost or self.stacks_shown) and not NOISE.search(kernel.group(1)):
                self.evidence.append(line)
            return
        script = SCRIPT_LOST.match(line)
        if script and not self.lost:
            self.lost = Lost("hang", script.group(1))
        mark = MARK.search(line)
        if mark:
            what, text = mark.groups()
            if what == "UP":
                self.up = text
            elif what == "DONE":
                self.done = text
            elif what == "ERROR":
                self.error = text
            else:
                self.ended = True

    def _kernel_line(self, line: str, text: str) -> None:
        if not self.lost:
            for kind, pattern in KERNEL_LOST:
                if pattern.search(text):
                    self.lost = Lost(kind, text)
                    break
        if self._splat_left:
            self.splats[-1].append(line)
            self._splat_left -= 1
            if SPLAT_END in text:
                self._splat_left = 0
        elif SPLAT.search(text):
            self.splats.append([line])
            self._splat_left = SPLAT_LINES
