#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the rules of the house that no compiler checks: layers, banned calls, sizes, names.

  tools/tidy.py               checks the project; exit status 1 if anything was found
  tools/tidy.py --self-test   checks that every rule finds what is planted for it
  tools/tidy.py --write-maps  writes the lists of exported names from the public headers
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from tidylib import api_rules, layer_rules, selftest, text_rules  # noqa: E402
from tidylib.tree import Tree  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RULES = text_rules.RULES + layer_rules.RULES + api_rules.RULES


def check(tree):
    return sorted((finding for rule in RULES for finding in rule(tree)),
                  key=lambda finding: (finding.path, finding.line, finding.rule))


def self_test():
    wrong = selftest.run(check)
    for line in wrong:
        print(line)
    print(f"{len(selftest.PLANTED)} violations planted, {len(wrong)} surprises")
    return 1 if wrong else 0


def write_maps():
    tree = Tree.load(ROOT)
    for path in api_rules.LABELS:
        if api_rules.exported_names(tree, path):
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(api_rules.symbol_map(tree, path), encoding="utf-8")
            print(f"wrote {path}")
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if sys.argv[1:] == ["--write-maps"]:
        return write_maps()
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    tree = Tree.load(ROOT)
    findings = check(tree)
    for finding in findings:
        print(finding)
    errors = sum(not finding.warning for finding in findings)
    print(f"{len(tree.files)} files, {errors} errors, {len(findings) - errors} warnings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
