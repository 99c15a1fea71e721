# SPDX-License-Identifier: MIT
"""Writes the C blocks of Markdown pages to files, for guide.sh.

    guide_blocks.py FOLDER PAGE...

For block number N: FOLDER/N.c, and N.about with its page, line, whether it is a whole program, and
how to run it (a word, or -). N.expected is the text block that follows a block to be run.

A comment on the line before a block says more about it:
    <!-- run: sim -->            a program that needs no network: run on the simulator
    <!-- run: real -->           ... run on the system's own sockets or threads, loopback only
    <!-- within: int n -->       statements: the body of a function with these parameters
A block that is neither a program nor marked is declarations and functions.
"""

import os
import re
import sys

PRELUDE = """#include <corail/corail.h>
#include <corail/curl.h>
#include <corail/http.h>
#include <corail/http_server.h>
#include <corail/sim.h>
#include <corail/sync.h>
#include <corail/tls.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
"""


def blocks(path):
    """(language, first line, text, mark) of each fenced block."""
    mark, opened, language, lines = "", 0, "", []
    with open(path, encoding="utf-8") as page:
        for number, line in enumerate(page, 1):
            if not opened and line.startswith("```"):
                opened, language, lines = number + 1, line[3:].strip(), []
            elif opened and line.startswith("```"):
                yield language, opened, "".join(lines), mark
                opened, mark = 0, ""
            elif opened:
                lines.append(line)
            elif line.strip():
                match = re.match(r"<!-- (run|within): (.*) -->$", line.strip())
                mark = match.groups() if match else ""


def program(text, mark, where):
    """The block as a file that a compiler takes."""
    if "int main" in text:
        return where + text
    if mark and mark[0] == "within":
        return f"{PRELUDE}int block({mark[1]});\nint block({mark[1]})\n{{\n{where}{text}}}\n"
    return PRELUDE + where + text


def main(folder, pages):
    count = 0
    for path in pages:
        last = None
        for language, line, text, mark in blocks(path):
            if language == "text" and last:
                with open(f"{last}.expected", "w", encoding="utf-8") as file:
                    file.write(text)
            last = None
            if language != "c":
                continue
            count += 1
            name = os.path.join(folder, f"{count:03}")
            with open(f"{name}.c", "w", encoding="utf-8") as file:
                file.write(program(text, mark, f'#line {line} "{os.path.relpath(path)}"\n'))
            run = mark[1] if mark and mark[0] == "run" else "-"
            kind = "program" if "int main" in text else "part"
            with open(f"{name}.about", "w", encoding="utf-8") as file:
                file.write(f"{os.path.relpath(path)}:{line} {kind} {run}\n")
            if run != "-":
                last = name


main(sys.argv[1], sys.argv[2:])
