#!/bin/bash
# SPDX-License-Identifier: MIT
# The example that does each kind of work each way: all ways find the same (it checks that itself),
# and it leaves no server behind.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"
mix=$CORAIL_BUILD/examples/mix

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	TMPDIR=$work run 0 "$mix" 4 5
	for kind in network files computing both; do
		grep -qE "^$kind +([0-9]+ ms +[0-9]+ % *){5}\$" "$work/out" ||
			fail "no figures for $kind"
	done
	same "files left behind" "$(find "$work" -name 'corail-mix-*')" ""
done
run 2 "$mix" 0
run 2 "$mix" 1 -1
TMPDIR=$work/missing run 1 "$mix" 1 1
has err "mix: No such file or directory"
exit 0
