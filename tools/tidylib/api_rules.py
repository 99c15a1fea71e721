# SPDX-License-Identifier: MIT
"""Rules about names: what is public, what it promises, and what nobody uses."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from .tree import CALL, NO_CALL, Finding

# What suspends by itself; whatever calls one of these (or a marked function) suspends too.
SUSPENDING_ROOTS = {"cr__park", "cr__hand_over", "cr_yield"}
# Headers of other libraries than libcorail, by the file that lists the library's exported names.
HEADERS = {"src/ext/http/symbols.map": ("/http.h", "/http_server.h", "/curl.h"),
           "src/net/tls/symbols.map": ("/tls.h",),
           "src/ext/pg/symbols.map": ("/pg.h",),
           "src/ext/sqlite/symbols.map": ("/sqlite.h",),
           "src/ext/redis/symbols.map": ("/redis.h",)}
LABELS = {"src/ext/http/symbols.map": "CORAIL_HTTP", "src/net/tls/symbols.map": "CORAIL_TLS",
          "src/ext/pg/symbols.map": "CORAIL_PG", "src/ext/sqlite/symbols.map": "CORAIL_SQLITE",
          "src/ext/redis/symbols.map": "CORAIL_REDIS", "src/symbols.map": "CORAIL"}
# Exported for tools that look into a process from outside; no header says so.
EXPORTED_TOO = {"src/symbols.map": {"cr__debug_descriptor"}}
# Public to the compiler, not to people.
NO_API = r"cr__|CORAIL_(PRINTF|ERROR_MAP)$"


@dataclass
class Public:
    """A public name: a function, an inline function, or a macro used as one."""

    name: str
    path: str
    line: int
    kind: str
    suspends: bool
    documented: bool


def declarations(file):
    """The declarations of a public header, as (first line, text)."""
    number = 0
    while number < len(file.code_lines):
        line = file.code_lines[number]
        first = number
        if line.startswith("#define "):
            while file.code_lines[number].rstrip().endswith("\\"):
                number += 1
            yield first + 1, "\n".join(file.code_lines[first:number + 1])
        elif re.match(r"(CORAIL_API|static inline|extern)\b", line):
            while not re.search(r"[;{]", file.code_lines[number]) and number + 1 < len(file.lines):
                number += 1
            yield first + 1, "\n".join(file.code_lines[first:number + 1])
        number += 1


def documented(file, line):
    """Whether a comment stands above, or above the declarations it is grouped with."""
    for number in range(line - 1, 0, -1):
        text = file.lines[number - 1].strip()
        if text.endswith("*/") and not file.code_lines[number - 1].strip():
            return True
        if not text or text == "}":
            return False
    return False


def public_names(tree):
    found = []
    for file in tree.under("include/corail/", ending=".h"):
        for line, text in declarations(file):
            if text.startswith("#define"):
                match = re.match(r"#define (cr_\w+|CORAIL_[A-Z]\w*)\(", text)
                kind = "macro"
            else:
                flat = re.sub(r"CORAIL_PRINTF\([^)]*\)|__attribute__\s*\(\(.*?\)\)", "", text)
                match = re.search(r"\b(cr_\w+)\s*\(", flat) or \
                    re.search(r"\b(cr_\w+|corail_\w+)\s*(?:\[[^]]*\])?;", flat)
                kind = "inline" if text.startswith("static") else "function"
            if match:
                found.append(Public(match.group(1), file.path, line, kind,
                                    "CORAIL_SUSPENDS" in text, documented(file, line)))
    return found


def documentation(tree):
    names = public_names(tree)
    # A macro that is written twice, for C and for C++, has one comment.
    explained = {public.name for public in names if public.documented}
    for public in names:
        if public.name not in explained and not re.match(NO_API, public.name):
            yield Finding("documentation", public.path, public.line, f"{public.name}: says nothing")


def tested(tree):
    tests = set()
    for file in tree.under("tests/", ending=(".c", ".sh", ".h", ".inc")):
        tests |= set(re.findall(r"\w+", file.text))
    if not tests:
        return
    for public in public_names(tree):
        if public.name not in tests and not re.match(NO_API, public.name):
            yield Finding("tested", public.path, public.line, f"{public.name}: no test names it")


def map_of(header):
    """The map of the library that a public header belongs to."""
    return next((path for path, ends in HEADERS.items() if header.endswith(ends)),
                "src/symbols.map")


def exported_names(tree, path):
    return {public.name: public for public in public_names(tree)
            if public.kind == "function" and map_of(public.path) == path}


def symbol_map(tree, path):
    """The text that a map should have."""
    names = sorted(exported_names(tree, path).keys() | EXPORTED_TOO.get(path, set()))
    lines = [f"\t\t{name};" for name in names]
    return "\n".join([
        "/* SPDX-License-Identifier: MIT */",
        "/* What the shared library exports. Written by `tools/tidy.py --write-maps`. */",
        f"{LABELS[path]}_0.1 {{", "\tglobal:", *lines, "\tlocal:", "\t\t*;", "};", ""])


def symbol_maps(tree):
    for path in LABELS:
        wanted = exported_names(tree, path)
        if not wanted:
            continue
        if path not in tree:
            yield Finding("symbols", path, 1, "missing: tools/tidy.py --write-maps")
            continue
        listed = set(re.findall(r"\b(cr_\w+|corail_\w+);", tree.files[path].code))
        for name in sorted(wanted.keys() - listed):
            where = wanted[name]
            yield Finding("symbols", where.path, where.line, f"{name} is not in {path}")
        for name in sorted(listed - wanted.keys() - EXPORTED_TOO.get(path, set())):
            yield Finding("symbols", path, 1, f"{name} is in no public header")


def macro_calls(tree):
    """What each function-like macro of the project calls."""
    calls = {}
    for file in tree.under("include/", "src/", ending=(".h", ".c")):
        for line, text in declarations(file):
            match = re.match(r"#define (\w+)\(", text)
            if match:
                body = set(CALL.findall(text[match.end():]))
                body |= set(re.findall(r"CORAIL__CLEANUP\((\w+)\)", text))
                calls[match.group(1)] = body - NO_CALL
    return calls


def suspending(tree):
    """What may suspend, with the call that makes it so: names, and (path, name) of functions."""
    functions = [function for file in tree.under("src/", "include/", ending=(".c", ".h"))
                 for function in file.functions]
    macros = macro_calls(tree)
    names = {public.name: "marked" for public in public_names(tree) if public.suspends}
    names |= {name: "suspends by itself" for name in SUSPENDING_ROOTS}
    locals_ = {}
    changed = True
    while changed:
        changed = False
        for name, calls in macros.items():
            if name not in names and calls & names.keys():
                names[name] = min(calls & names.keys())
                changed = True
        for function in functions:
            key = (function.path, function.name)
            if key in locals_:
                continue
            own = {other.name for other in tree.files[function.path].functions if other.static}
            call = suspending_call(function, own, names, locals_)
            if call:
                locals_[key] = call
                if not function.static and function.name not in names:
                    names[function.name] = call
                changed = True
    return names, locals_


def suspending_call(function, own, names, locals_):
    for call in sorted(function.calls):
        if (function.path, call) in locals_ if call in own else call in names:
            return call
    return None


def chain(path, name, names, locals_):
    """The calls that lead from a function to where it suspends."""
    calls = [name]
    anywhere = {other: call for (_, other), call in locals_.items()}
    while len(calls) < 10:
        last = calls[-1]
        call = locals_.get((path, last)) or names.get(last) or anywhere.get(last)
        if not call or " " in call or call == "marked" or call in calls:
            break
        calls.append(call)
    return " > ".join(calls)


def reaches_pointers(tree, names):
    """The functions among these from which a call through a pointer can be reached."""
    functions = {}
    for file in tree.under("src/", "include/", ending=(".c", ".h")):
        for function in file.functions:
            functions.setdefault(function.name, []).append(function)
    found = set()
    for name in names:
        seen, todo = set(), [name]
        while todo:
            for function in functions.get(todo.pop(), ()):
                if function.indirect:
                    found.add(name)
                todo += function.calls - seen
                seen |= function.calls
    return found


def suspends(tree):
    """A mark that is missing breaks users' invariants; one too many hides where tasks switch."""
    names, reaching = suspending(tree)
    defined = defaultdict(set)
    for file in tree.under("src/", "include/", ending=(".c", ".h")):
        for function in file.functions:
            if not function.static or file.path.startswith("include/"):
                defined[function.name].add((file.path, function.name))
    indirect = reaches_pointers(tree, {public.name for public in public_names(tree)})
    for public in public_names(tree):
        places = defined.get(public.name, set())
        if public.kind == "macro" or not places or public.name in SUSPENDING_ROOTS:
            continue
        found = places & reaching.keys()
        if found and not public.suspends:
            why = chain(min(found)[0], public.name, names, reaching)
            yield Finding("suspends", public.path, public.line,
                          f"{public.name} may suspend and is not marked CORAIL_SUSPENDS: {why}")
        elif public.suspends and not found and public.name not in indirect:
            yield Finding("suspends", public.path, public.line,
                          f"{public.name} is marked CORAIL_SUSPENDS and never suspends")


def undefined(tree):
    """A public function that no source defines."""
    sources = tree.under("src/", ending=(".c", ".S"))
    if not sources:
        return
    names = {function.name for file in sources for function in file.functions}
    text = "\n".join(file.code for file in sources)
    for public in public_names(tree):
        if public.kind == "function" and public.name not in names and \
                not re.search(rf"\b{public.name}\b(\s*=|\s*\[|:|\s*\))", text):
            yield Finding("undefined", public.path, public.line,
                          f"{public.name} is defined nowhere")


def dead(tree):
    """Internal functions that nobody calls, or that only their own file does."""
    uses = Counter()
    for file in tree.under("src/", "include/", "cli/", "tests/", "tools/",
                           ending=(".c", ".S", ".h", ".py")):
        headers = file.path.endswith(".h")
        text = file.text if file.path.endswith((".S", ".py")) else file.code
        for name in set(re.findall(r"\b\w+\b", text)):
            if not headers or re.search(rf"^[ \t#].*\b{name}\b", text, re.MULTILINE):
                uses[name] += 1
    public = {entry.name for entry in public_names(tree)}
    for file in tree.under("src/", ending=".c"):
        words = Counter(re.findall(r"\b\w+\b", file.code))
        for function in file.functions:
            name = function.name
            if function.static or name in public or name == "main":
                continue
            if uses[name] > 1:
                continue
            what = "should be static" if words[name] > 1 else "is used nowhere"
            yield Finding("dead", file.path, function.line, f"{name} {what}")


def prefixes(tree):
    """cr__ for what other files see, cr_ for what users see, nothing for the rest."""
    public = {entry.name for entry in public_names(tree)}
    for file in tree.under("src/", ending=".c"):
        for function in file.functions:
            name = function.name
            if function.static and name.startswith("cr_"):
                message = "static functions have no prefix"
            elif not function.static and not name.startswith("cr_"):
                message = "seen by other files: static, or cr__"
            elif name.startswith("cr_") and not name.startswith("cr__") and name not in public:
                message = "no public header declares it: cr__"
            else:
                continue
            yield Finding("prefixes", file.path, function.line, f"{name}: {message}")


RULES = [documentation, tested, symbol_maps, suspends, undefined, dead, prefixes]
