# SPDX-License-Identifier: GPL-2.0
"""A newc archive as the kernel unpacks it, the same bytes for the same content.

Owner root, time 0, inodes counted from 1, entries sorted by name, parents before children.
Several archives can follow each other: the kernel unpacks them in order.
"""
from __future__ import annotations

import os
import pathlib
import stat
from typing import Dict, Protocol, Tuple, Union

Content = Union[bytes, pathlib.Path]


class Sink(Protocol):
    """What an archive is written to: a file, plain or compressed."""

    def write(self, data: bytes, /) -> int:
        """As of a binary file."""


def _pad(length: int) -> bytes:
    return b"\0" * (-length % 4)


class Archive:
    """Collects entries by their path in the guest; write() puts them out."""

    def __init__(self) -> None:
        self._entries: Dict[str, Tuple[int, Content]] = {}

    def __contains__(self, name: str) -> bool:
        return self._name(name) in self._entries

    @staticmethod
    def _name(name: str) -> str:
        return os.path.normpath("/" + name).lstrip("/")

    def _put(self, name: str, mode: int, content: Content) -> None:
        name = self._name(name)
        parent = os.path.dirname(name)
        if parent and parent not in self._entries:
            self.folder(parent)
        self._entries[name] = (mode, content)

    def folder(self, name: str, mode: int = 0o755) -> None:
        """An empty folder; files below it may follow."""
        if self._name(name):
            self._put(name, stat.S_IFDIR | mode, b"")

    def link(self, name: str, target: str) -> None:
        """A symbolic link."""
        self._put(name, stat.S_IFLNK | 0o777, target.encode())

    def node(self, name: str, major: int, minor: int) -> None:
        """A character device."""
        self._put(name, stat.S_IFCHR | 0o600, f"{major}:{minor}".encode())

    def file(self, name: str, content: Content, mode: int = 0o644) -> None:
        """A regular file from bytes or from a file of the host, links followed."""
        self._put(name, stat.S_IFREG | mode, content)

    def tree(self, name: str, source: pathlib.Path) -> None:
        """A file or a whole folder of the host; it is executable here if it is there."""
        if not source.is_dir():
            self.file(name, source, 0o755 if os.access(source, os.X_OK) else 0o644)
            return
        self.folder(name)
        for path in sorted(source.iterdir()):
            below = f"{name}/{path.name}"
            if path.is_symlink():
                self.link(below, os.readlink(path))
            elif path.is_dir() or path.is_file():
                self.tree(below, path)

    def write(self, out: Sink) -> None:
        """Put the archive out, with its trailer."""
        for inode, name in enumerate(sorted(self._entries), 1):
            mode, content = self._entries[name]
            self._write_entry(out, inode, name, mode, content)
        self._write_entry(out, 0, "TRAILER!!!", 0, b"")

    @staticmethod
    def _write_entry(out: Sink, inode: int, name: str, mode: int, content: Content) -> None:
        data = content if isinstance(content, bytes) else content.read_bytes()
        major = minor = 0
        if stat.S_ISCHR(mode):
            major, minor = (int(n) for n in data.decode().split(":"))
            data = b""
        raw = name.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields)
        out.write(head + raw + _pad(len(head) + len(raw)))
        out.write(data + _pad(len(data)))
