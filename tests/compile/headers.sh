#!/bin/bash
# SPDX-License-Identifier: MIT
# ctest: timeout=300
# Each public header compiles alone, in strict C11 to C2x and C++17 to C++20, without a warning, and
# brings no macro into the user's program whose name is not ours.
. "$(dirname "$0")/common.inc"

include=$CORAIL_SOURCE/include
headers=$(cd "$include" && ls corail/*.h)

for header in $headers; do
	echo "#include <$header>" >"$scratch/alone.c"
	cp "$scratch/alone.c" "$scratch/alone.cpp"
	for cc in $compilers_c; do
		for std in c11 c17 c2x gnu17; do
			$cc -std=$std $strict -I"$include" -fsyntax-only "$scratch/alone.c" ||
				fail "$header does not compile alone: $cc -std=$std"
		done
	done
	for cc in $compilers_cpp; do
		for std in c++17 c++20; do
			$cc -std=$std $strict -I"$include" -fsyntax-only "$scratch/alone.cpp" ||
				fail "$header does not compile alone: $cc -std=$std"
		done
	done
	echo "$header: compiles alone"
done

# Macros that our headers add to those of the headers that they include.
for header in $headers; do
	grep -h '^#include <' "$include"/corail/*.h |
		grep -v '<corail/\|<type_traits>\|<initializer_list>' | sort -u >"$scratch/system.c"
	gcc -std=c11 -dM -E "$scratch/system.c" | awk '{print $2}' | sort >"$scratch/before"
	cp "$scratch/system.c" "$scratch/ours.c"
	echo "#include <$header>" >>"$scratch/ours.c"
	gcc -std=c11 -I"$include" -dM -E "$scratch/ours.c" | awk '{print $2}' |
		sort >"$scratch/after"
	foreign=$(comm -13 "$scratch/before" "$scratch/after" |
		sed 's/(.*//' | grep -v '^CORAIL_\|^cr_' || true)
	[ -z "$foreign" ] || fail "$header defines macros that are not ours: $foreign"
done
echo "macros: all named CORAIL_ or cr_"
