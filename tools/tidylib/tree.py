# SPDX-License-Identifier: MIT
"""The files of the project, in memory, so that the rules can also be tried on made-up trees."""

import os
import re
from dataclasses import dataclass
from functools import cached_property

SKIPPED_FOLDERS = {".git", "build", "__pycache__", ".cache", "target"}
TEXT_ENDINGS = (".c", ".h", ".S", ".py", ".sh", ".inc", ".cmake", ".md", ".json", ".map", ".txt",
                ".in", ".go", ".rs", ".cpp", ".cc", ".1", ".toml", ".css", ".html", ".po")
TEXT_NAMES = {"Makefile", "LICENSE", "CMakeLists.txt", "setup", "run-tests", "format", "check",
              "run", ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore"}


@dataclass(frozen=True)
class Finding:
    rule: str
    path: str
    line: int
    message: str
    warning: bool = False

    def __str__(self):
        kind = "warning: " if self.warning else ""
        return f"{self.path}:{self.line}: {kind}{self.message} [{self.rule}]"


@dataclass
class Function:
    """A function defined in a source: where, and what its body calls."""

    name: str
    path: str
    line: int
    length: int
    static: bool
    calls: set
    indirect: bool  # calls through a pointer in a struct


def blank(match):
    """Spaces in place of what was matched, line ends kept."""
    return re.sub(r"[^\n]", " ", match.group())


COMMENT_OR_TEXT = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
NO_CALL = {"if", "while", "for", "switch", "return", "sizeof", "__attribute__", "_Alignof",
           "__typeof__", "_Generic", "defined", "_Static_assert"}


class File:
    def __init__(self, path, text):
        self.path = path
        self.text = text

    @cached_property
    def lines(self):
        return self.text.splitlines()

    @cached_property
    def code(self):
        """The text without comments and without what stands between quotes."""
        return COMMENT_OR_TEXT.sub(blank, self.text)

    @cached_property
    def code_lines(self):
        return self.code.splitlines()

    @cached_property
    def includes(self):
        """(line, name, system) of every #include."""
        found = []
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
            if match:
                found.append((number, match.group(1) or match.group(2), match.group(1) is None))
        return found

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    @cached_property
    def functions(self):
        """Function definitions in the kernel's layout: both braces in the first column."""
        found = []
        start = None
        for number, line in enumerate(self.code_lines, 1):
            if line.startswith("{"):
                start = number
            elif line.startswith("}") and start is not None:
                function = self._function(start, number)
                if function:
                    found.append(function)
                start = None
        return found

    def _function(self, first, last):
        head = []
        for line in reversed(self.code_lines[:first - 1]):
            if not line.strip() or line.startswith(("}", "#")) or line.rstrip().endswith(";"):
                break
            head.insert(0, line)
        text = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", " ".join(head))
        match = re.search(r"\b([A-Za-z_]\w*)\s*\(", text)
        if not match or "=" in text.split("(")[0]:
            return None
        body = "\n".join(self.code_lines[first - 1:last])
        calls = {name for name in CALL.findall(body) if name not in NO_CALL}
        return Function(match.group(1), self.path, first - len(head), last - first + 1 + len(head),
                        bool(re.search(r"\bstatic\b", text[:match.start()])), calls,
                        bool(re.search(r"(->|\.)\s*\w+\s*\(", body)))


class Tree:
    """Paths (relative, with /) to files."""

    def __init__(self, texts):
        self.files = {path: File(path, text) for path, text in sorted(texts.items())}

    @classmethod
    def load(cls, root):
        texts = {}
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(TEXT_ENDINGS) or name in TEXT_NAMES:
                    with open(path, encoding="utf-8", errors="replace") as file:
                        texts[os.path.relpath(path, root)] = file.read()
        return cls(texts)

    def under(self, *prefixes, ending=""):
        """The files below any of these folders, with this ending (or one of several)."""
        return [file for path, file in self.files.items()
                if path.startswith(prefixes) and path.endswith(ending)]

    def __contains__(self, path):
        return path in self.files
