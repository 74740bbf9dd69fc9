# SPDX-License-Identifier: GPL-2.0
"""All mutants of the series in one kernel: md_mutant=N on its command line takes fix N out.

A mutant (patches/7.3/mutants) changes the bodies of a few functions. In the one kernel each such
function is there as it is and once for each mutant, and what carries its name asks md_mutant which
of them to call. So a mutant costs a boot, not a build. A mutant that changes anything else (a
structure, a table, a function's arguments) is built by itself.
"""
from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing/md/lib"))
import common  # noqa: E402
import kernel  # noqa: E402
import series  # noqa: E402
from base import git  # noqa: E402

# Where md_mutant and its parameter are defined.
HOME = "drivers/md/md.c"
DECLARATION = "extern int md_mutant;\n"
DEFINITION = "int md_mutant;\ncore_param(md_mutant, md_mutant, int, 0);\n"


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A file of patches/7.3/mutants."""
    path: pathlib.Path
    finding: str
    fails: tuple[str, ...]
    diff: str

    @property
    def name(self) -> str:
        """How it is called in messages."""
        return self.path.stem


def load(folder: pathlib.Path) -> list[Mutant]:
    """All mutants of @folder."""
    found = []
    for path in sorted(folder.glob("*.patch")):
        text = path.read_text("utf-8")
        finding = re.search(r"^Finding: (.*)$", text, re.M)
        fails = re.findall(r"^Fails: (.*)$", text, re.M)
        if not finding or not fails or "\ndiff --git " not in text:
            raise common.Error(f"{path} wants the lines Finding: and Fails: at its head, and a "
                               "diff.")
        found.append(Mutant(path, finding[1], tuple(fails), text[text.index("diff --git "):]))
    return found


@dataclasses.dataclass(frozen=True)
class Function:
    """A function of a source file: what is before its name, its arguments, what is behind."""
    name: str
    before: str
    arguments: str
    behind: str
    body: str

    @property
    def text(self) -> str:
        """It, as it is in the source."""
        return self.before + self.name + self.arguments + self.behind + self.body

    def copy(self, name: str) -> str:
        """It, under another name, which nobody outside of the file knows."""
        before = self.before if re.search(r"\bstatic\b", self.before) else f"static {self.before}"
        return before + name + self.arguments + self.behind + self.body

    def call(self, name: str) -> str:
        """The end of it: a call of its copy @name with the arguments that it has got itself."""
        names = []
        for argument in split(self.arguments[1:-1]):
            found = re.search(r"(\w+)\s*(\[\w*\])?$", argument)
            if not found:
                raise common.Error(f"{self.name}(): what is the name of “{argument}”?")
            if argument != "void":
                names.append(found[1])
        call = f"{name}({', '.join(names)});"
        return f"{call} return;" if re.search(r"\bvoid\s*$", self.before) else f"return {call}"


def split(arguments: str) -> list[str]:
    """The arguments of a function, one by one."""
    if "(" in arguments or "..." in arguments:
        raise common.Error(f"arguments that are functions are beyond this: {arguments}")
    return [" ".join(a.split()) for a in arguments.split(",")]


def functions(text: str) -> dict[str, Function]:
    """The functions of a source file by their names; those that are there twice are left out."""
    lines = text.splitlines(keepends=True)
    found: dict[str, Function] = {}
    twice = set()
    for at, line in enumerate(lines):
        if line != "{\n":
            continue
        first = at
        while first and not re.search(r"^\s*$|^[}#]|[;}]$|\*/$", lines[first - 1].rstrip("\n")):
            first -= 1
        head = "".join(lines[first:at])
        last = lines.index("}\n", at)
        named = re.match(r"(?s)([^(]*?)(\w+)(\([^()]*\))(.*)\Z", head)
        if not named:
            continue
        function = Function(named[2], named[1], named[3], named[4],
                            "".join(lines[at:last + 1]))
        if function.name in found:
            twice.add(function.name)
        found[function.name] = function
    return {n: f for n, f in found.items() if n not in twice}


def changed(old: str, new: str) -> dict[str, Function] | None:
    """The functions that differ between two versions of a file; None if anything else does."""
    before, after = functions(old), functions(new)
    differ = {name: f for name, f in after.items()
              if name in before and f.text != before[name].text}
    again = old
    for name, function in differ.items():
        was = before[name]
        if (was.before, was.arguments, was.behind) != (
                function.before, function.arguments, function.behind):
            return None
        again = again.replace(was.text, function.text, 1)
    return differ if again == new else None


def joined(path: str, text: str, mutants: dict[int, dict[str, Function]]) -> str:
    """The file @path with the functions of all @mutants beside its own."""
    ours = functions(text)
    for name in sorted({n for m in mutants.values() for n in m}):
        own = ours[name]
        parts = [own.copy(f"{name}__whole")]
        cases = []
        for number, mutant in sorted(mutants.items()):
            if name in mutant:
                parts.append(mutant[name].copy(f"{name}__{number}"))
                cases.append(f"\tif (md_mutant == {number}) {{ "
                             f"{own.call(f'{name}__{number}')} }}\n")
        dispatcher = (own.before + name + own.arguments + own.behind + "{\n" + "".join(cases)
                      + f"\t{own.call(f'{name}__whole')}\n}}\n")
        text = text.replace(own.text, "\n".join([*parts, dispatcher]), 1)
    # behind the last of the includes at the head of the file
    head = list(re.finditer(r"(?m)^#include .*\n", text.split("\n{\n", maxsplit=1)[0]))[-1].end()
    return text[:head] + "\n" + (DEFINITION if path == HOME else DECLARATION) + text[head:]


class Together:
    """The kernel with all of @mutants, but for those that are to be built alone."""

    def __init__(self, head: str, mutants: list[Mutant]) -> None:
        self.head = head
        self.numbers: dict[Mutant, int] = {}
        files: dict[str, dict[int, dict[str, Function]]] = {HOME: {}}
        for number, mutant in enumerate(mutants, 1):
            differs = {path: changed(*texts) for path, texts in applied(head, mutant).items()}
            if all(differs.values()):
                self.numbers[mutant] = number
                for path, those in differs.items():
                    files.setdefault(path, {})[number] = those or {}
        with series.Index("mutants", head) as index:
            for path, numbered in files.items():
                text = joined(path, source(head, path), numbered)
                index.add(path, "100644", git("hash-object", "-w", "--stdin", stdin=text).strip())
            self.commit = committed(index, head, "all mutants")
        self.folder = kernel.build_kunit(self.commit, "mutants")

    @functools.cached_property
    def whole(self) -> dict[str, str]:
        """What each case says there with no mutant chosen."""
        return kernel.run_kunit(self.folder, self.commit)

    def run(self, mutant: Mutant, case: str) -> str:
        """What @case says with @mutant."""
        if mutant in self.numbers:
            found = kernel.run_kunit(self.folder, self.commit, case,
                                     f"md_mutant={self.numbers[mutant]}")
        else:
            with series.Index("mutant", self.head) as index:
                index.apply(mutant.diff, "--recount")
                commit = committed(index, self.head, f"mutant {mutant.name}")
            found = kernel.run_kunit(kernel.build_kunit(commit, mutant.name), commit, case)
        return found.get(case, "")


@functools.cache
def source(head: str, path: str) -> str:
    """A file of the patched tree."""
    return git("show", f"{head}:{path}")


def applied(head: str, mutant: Mutant) -> dict[str, tuple[str, str]]:
    """The files that @mutant changes: as they are, and with the fix taken out."""
    with tempfile.TemporaryDirectory() as temp:
        copies = {path: pathlib.Path(temp) / path
                  for path in re.findall(r"^\+\+\+ b/(\S+)$", mutant.diff, re.M)}
        for path, copy in copies.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(source(head, path), "utf-8")
        try:
            git("apply", "--recount", "--whitespace=nowarn", stdin=mutant.diff,
                cwd=pathlib.Path(temp), env={"GIT_CEILING_DIRECTORIES": temp})
        except common.Error as err:
            raise common.Error(f"{mutant.path} does not apply to the patched tree:\n"
                               f"{err}") from err
        return {path: (source(head, path), copy.read_text("utf-8"))
                for path, copy in copies.items()}


def committed(index: series.Index, head: str, message: str) -> str:
    """What @index holds as a commit upon @head."""
    return git("commit-tree", index.write(), "-p", head, stdin=f"{message}\n",
               env={"GIT_AUTHOR_NAME": "mutant",
                    "GIT_AUTHOR_EMAIL": "mutant@md-write.invalid"}).strip()
