# SPDX-License-Identifier: MIT
"""A rule that finds nothing proves nothing: each must find a violation that is planted for it."""

from .tree import Tree

C = "/* SPDX-License-Identifier: MIT */\n"
PY = "# SPDX-License-Identifier: MIT\n"
HEADER = C + """
/* Waits. */
CORAIL_API CORAIL_SUSPENDS int cr_wait(int a);

/* Counts. */
CORAIL_API int cr_count(void);

/* Spawns. */
#define cr_start(fn) (cr_count())
"""
SOURCE = C + """#include <corail/task.h>
#include "task/help.h"

static int help(int a)
{
\treturn cr__park(a);
}

int cr_wait(int a)
{
\treturn help(a) + cr__help();
}

int cr_count(void)
{
\treturn 0;
}
"""
MAP = C + "CORAIL_0.1 {\n\tglobal:\n\t\tcr_count;\n\t\tcr_wait;\n\tlocal:\n\t\t*;\n};\n"

# A small project without a fault.
CLEAN = {
    "src/ext/common/turns.h": C,
    "src/ext/pg/client.h": C + '#include "../common/turns.h"\n',
    "src/ext/pg/open.c": C + '#include "client.h"\n',
    "include/corail/task.h": HEADER,
    "src/task/wait.c": SOURCE,
    "src/task/help.h": C + "int cr__help(void);\n",
    "src/task/help.c": C + '#include "task/help.h"\n\nint cr__help(void)\n{\n\treturn 1;\n}\n',
    "src/symbols.map": MAP,
    "tests/unit/wait.c": C + "int main(void)\n{\n\treturn cr_wait(cr_count() + cr_start(0));\n}\n",
    "README.md": "# Title\n\nA [link](#title), [another](src/task/wait.c).\n",
}


def body(code):
    return C + f"static int f(int a)\n{{\n\treturn {code};\n}}\n"


def lines(count):
    return C + "int x;\n" * count


def long_function(count):
    return C + "static void f(void)\n{\n" + "\t;\n" * count + "}\n"


# Rule, changed or added file, its text.
PLANTED = [
    ("spdx", "src/base/a.h", "int x;\n"),
    ("spdx", "tools/x.py", "#!/usr/bin/python3\nprint()\n"),
    ("spaces", "src/base/a.c", C + "int x; \n"),
    ("spaces", "src/base/a.c", C + "int x;"),
    ("spaces", "src/base/a.c", C + "int x;\r\n"),
    ("line-length", "src/base/a.c", C + "\t" * 12 + "int xxxx;\n"),
    ("file-length", "src/base/a.c", lines(460)),
    ("file-length", "src/base/a.c", lines(610)),
    ("function-length", "src/base/a.c", long_function(70)),
    ("words", "src/base/a.c", C + "/* FIX" + "ME later */\n"),
    ("words", "docs/a.md", "see /ho" + "me/someone\n"),
    ("words", "docs/a.md", "see iss" + "ue #12\n"),
    ("links", "docs/a.md", "[x](nowhere.md)\n"),
    ("links", "docs/a.md", "# A\n\n[x](#b)\n"),
    ("layers", "src/base/a.c", C + '#include "task/help.h"\n'),
    ("layers", "src/loop/a.c", C + "#include <corail/task.h>\n"),
    ("layers", "src/io/a.c", C + '#include "sync/a.h"\n'),
    ("layers", "src/task/a.c", C + '#include "help.h"\n'),
    ("layers", "src/ext/http/a.c", C + '#include "task/help.h"\n'),
    ("layers", "src/ext/http/b.c", C + '#include "../pg/client.h"\n'),
    ("layers", "src/nowhere/a.c", C),
    ("unused-header", "src/base/a.h", C),
    ("banned", "src/task/a.c", body("malloc(a) != 0")),
    ("banned", "src/task/a.c", body("clock_gettime(a, 0)")),
    ("banned", "cli/a.c", body("getaddrinfo(0, 0, 0, 0)")),
    ("banned", "src/base/a.c", body("strcpy(a, a)")),
    ("banned", "cli/a.c", body("alloca(a)")),
    ("banned", "src/net/a.c", body("close(a)")),
    ("banned", "src/net/a.c", body("pthread_create(0, 0, 0, 0)")),
    ("banned", "src/net/a.c", body("printf(0)")),
    ("banned", "src/net/a.c", body("exit(1)")),
    ("banned", "tests/unit/a.c", body("atoi(0)")),
    ("thread-local", "src/io/a.c", C + "static __thread int a;\n"),
    ("thread-local", "include/corail/a.h", C + "extern _Thread_local int a;\n"),
    ("assembly", "src/task/a.c", C + "__asm__(\"nop\");\n"),
    ("documentation", "include/corail/task.h", HEADER.replace("/* Counts. */\n", "")),
    ("tested", "tests/unit/wait.c", C + "int main(void)\n{\n\treturn cr_wait(cr_count());\n}\n"),
    ("symbols", "src/symbols.map", MAP.replace("\t\tcr_count;\n", "")),
    ("symbols", "src/symbols.map", MAP.replace("cr_count;", "cr_count;\n\t\tcr_more;")),
    ("suspends", "include/corail/task.h", HEADER.replace("CORAIL_SUSPENDS ", "")),
    ("suspends", "include/corail/task.h",
     HEADER.replace("CORAIL_API int cr_count", "CORAIL_API CORAIL_SUSPENDS int cr_count")),
    ("undefined", "src/task/wait.c", SOURCE.replace("int cr_count(void)", "int cr__kount(void)")),
    ("dead", "src/base/a.c", C + "int cr__unused(void)\n{\n\treturn 0;\n}\n"),
    ("prefixes", "src/base/a.c", C + "static int cr__f(void)\n{\n\treturn 0;\n}\n"),
    ("prefixes", "src/base/a.c", C + "int f(void)\n{\n\treturn 0;\n}\n"),
    ("prefixes", "src/base/a.c", C + "int cr_f(void)\n{\n\treturn 0;\n}\n"),
]
# What looks like a violation and is none.
INNOCENT = {
    "src/net/a.c": body('f("malloc(") /* free() */ + a->close(a) + a.write(a)'),
    "src/ext/http/a.c": C + '#include <corail/task.h>\n#include "a.h"\nint *p = malloc(1);\n',
    "src/ext/http/a.h": C,
    "src/task/local.c": C + "static __thread int a;\n",
    "tools/x.py": "#!/usr/bin/python3\n" + PY,
    "docs/a.md": "[x](https://example.org/a) `[y](nowhere)` [z](../README.md#title)\n",
}


def run(check):
    """check(tree) gives the findings. Returns the list of what went wrong."""
    wrong = [f"in the clean tree: {finding}" for finding in check(Tree(CLEAN))]
    wrong += [f"in the innocent tree: {finding}" for finding in check(Tree(CLEAN | INNOCENT))]
    for rule, path, text in PLANTED:
        found = {finding.rule for finding in check(Tree(CLEAN | {path: text}))}
        if rule not in found:
            wrong.append(f"not found: {rule} in {path}: {text[len(C):][:60]!r}")
    return wrong
