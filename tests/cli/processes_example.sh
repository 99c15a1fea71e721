#!/bin/bash
# SPDX-License-Identifier: MIT
# The example that computes in processes: it finds what there is, survives a crash, and leaves no
# process behind.
# ctest: timeout=120 labels=noqemu
. "$(dirname "$0")/common.bash"
example=$CORAIL_BUILD/examples/processes

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	run 0 "$example" 100000 7
	same "primes" "$(sed 's/, in .*//; s/[0-9]* times/N times/; s/^worker [0-9]*/worker/' \
		"$work/out")" "9592 primes below 100000
worker was killed by SIGABRT (Aborted)
25 primes below 100, all the same
the loop ticked N times meanwhile"
	run 0 "$example" 1 3
	same "no primes" "$(sed -n '1s/, in .*//p' "$work/out")" "0 primes below 1"
done
run 2 "$example" 10 0
has err "usage: processes"
exit 0
