# SPDX-License-Identifier: MIT
"""Rules about text: sizes, licence lines, spaces, words and links."""

import posixpath
import re

from .tree import Finding

LINE_LENGTH_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_WARN = 450
FILE_LINES_MAX = 600

SOURCES = (".c", ".h", ".S", ".py", ".sh", ".inc", ".cmake", ".go", ".rs", ".cpp")
UNMARKED = (".md", ".json", ".in", ".toml", ".po", ".html", ".css", "LICENSE")
# Unfinished work belongs in an issue, and nobody's home folder belongs in a file.
WORDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK|WI" r"P)\b")
HOME_FOLDER = re.compile(r"(?<![\w.~:/-])/(home|root|work|Users)/\w")
ISSUE_NUMBER = re.compile(r"\b[Ii]ssue #?\d+|\(#\d+\)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")


def is_source(file):
    return file.path.endswith(SOURCES) or "." not in posixpath.basename(file.path)


def spdx(tree):
    for file in tree.files.values():
        if file.path.endswith(UNMARKED) or not file.text:
            continue
        first = file.lines[1:2] if file.text.startswith("#!") else file.lines[:1]
        if "SPDX-License-Identifier: MIT" not in "".join(first):
            yield Finding("spdx", file.path, 1, "the first line has no SPDX licence")


def spaces(tree):
    for file in tree.files.values():
        if "\r" in file.text:
            yield Finding("spaces", file.path, 1, "has carriage returns")
        if file.text and not file.text.endswith("\n"):
            yield Finding("spaces", file.path, len(file.lines), "the last line has no end")
        for number, line in enumerate(file.lines, 1):
            if line != line.rstrip():
                yield Finding("spaces", file.path, number, "spaces at the end of the line")


def line_length(tree):
    for file in filter(is_source, tree.files.values()):
        for number, line in enumerate(file.lines, 1):
            width = len(line.expandtabs(8))
            if width > LINE_LENGTH_MAX:
                yield Finding("line-length", file.path, number,
                              f"{width} columns, at most {LINE_LENGTH_MAX}")


def file_length(tree):
    for file in filter(is_source, tree.files.values()):
        count = len(file.lines)
        if count > FILE_LINES_WARN:
            yield Finding("file-length", file.path, count,
                          f"{count} lines, at most {FILE_LINES_MAX}, better {FILE_LINES_WARN}",
                          warning=count <= FILE_LINES_MAX)


def function_length(tree):
    for file in tree.under("src/", "cli/", "examples/", "tests/", "bench/", ending=(".c", ".h")):
        for function in file.functions:
            if function.length > FUNCTION_LINES_MAX:
                yield Finding("function-length", file.path, function.line,
                              f"{function.name}: {function.length} lines, "
                              f"at most {FUNCTION_LINES_MAX}")


def words(tree):
    for file in tree.files.values():
        for number, line in enumerate(file.lines, 1):
            for pattern, what in ((WORDS, "unfinished work"), (HOME_FOLDER, "somebody's folder"),
                                  (ISSUE_NUMBER, "a number that means nothing here")):
                match = pattern.search(line)
                if match:
                    yield Finding("words", file.path, number, f"{match.group()}: {what}")


def anchors(file):
    """The anchors of a page's headings, as forges make them."""
    found = set()
    for line in file.lines:
        match = re.match(r"#+\s+(.*)", line)
        if match:
            text = re.sub(r"[^\w\- ]", "", match.group(1).strip().lower().replace("`", ""))
            found.add(text.replace(" ", "-"))
    return found


def links(tree):
    folders = {posixpath.dirname(path) for path in tree.files}
    folders |= {posixpath.dirname(folder) for folder in folders}
    for file in tree.under("", ending=".md"):
        in_code = False
        for number, line in enumerate(file.lines, 1):
            in_code ^= line.lstrip().startswith("```")
            for target in () if in_code else LINK.findall(re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                whole = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), path)) \
                    if path else file.path
                if whole not in tree and whole not in folders:
                    yield Finding("links", file.path, number, f"leads nowhere: {target}")
                elif anchor and whole in tree and anchor not in anchors(tree.files[whole]):
                    yield Finding("links", file.path, number, f"no such heading: {target}")


RULES = [spdx, spaces, line_length, file_length, function_length, words, links]
