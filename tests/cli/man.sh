#!/bin/bash
# SPDX-License-Identifier: MIT
# The manual page: no warning, and all sections that a user looks for.
. "$(dirname "$0")/common.bash"
command -v man >/dev/null || skip "man is not installed"
page=$here/../../man/corail.1
MANWIDTH=100 LC_ALL=C.UTF-8 run 0 man --warnings -l "$page"
same "warnings" "$(cat "$work/err")" ""
[ "$(lines out)" -gt 100 ] || skip "manual pages are not shown here (dpkg's path-exclude)"
for section in NAME SYNOPSIS DESCRIPTION OPTIONS "EXIT STATUS" ENVIRONMENT FILES EXAMPLES \
	"SEE ALSO"; do
	grep -qx "$section" "$work/out" || fail "no section $section"
done
for variable in CORAIL_BACKEND CORAIL_SEED LANG NO_COLOR http_proxy; do
	has out "$variable"
done
grep -q "\"corail $("$corail" --version | cut -d ' ' -f 2)\"" "$page" || fail "another version"
exit 0
