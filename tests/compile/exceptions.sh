#!/bin/bash
# SPDX-License-Identifier: MIT
# ctest: timeout=300
# C++ exceptions in tasks, with the shared library and the static one, and on every backend.
. "$(dirname "$0")/common.inc"

if nm "$CORAIL_BUILD/libcorail.a" 2>/dev/null | grep -q -E '__asan_|__tsan_'; then
	echo "skipped: a sanitizer's build"
	exit 77
fi
libraries=$(pkg-config --libs liburing libcares 2>/dev/null || true)
static="$CORAIL_BUILD/libcorail.a $libraries -pthread"
shared="-L$CORAIL_BUILD -Wl,-rpath,$CORAIL_BUILD -lcorail"

for cc in $compilers_cpp; do
	for libraries in "$static" "$shared"; do
		$cc -std=c++17 -O1 $strict -I"$CORAIL_SOURCE/include" -o "$scratch/program" \
			"$CORAIL_SOURCE/tests/compile/exceptions.cpp" $libraries ||
			fail "$cc: does not build"
		for backend in epoll sim ""; do
			CORAIL_BACKEND=$backend timeout 60 "$scratch/program" ||
				fail "$cc, backend '$backend'"
		done
	done
	echo "exceptions stay with their tasks: $cc"
done
