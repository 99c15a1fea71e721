#!/bin/bash
# SPDX-License-Identifier: MIT
# ctest: timeout=300
# Each public header compiles alone, in strict C11 and C++17, without a warning. All of them
# together do so up to C2x and C++20, and none brings in a macro whose name is not ours.
. "$(dirname "$0")/common.inc"

include=$CORAIL_SOURCE/include
headers=$(cd "$include" && ls corail/*.h)

# compiles NAME COMPLAINT STANDARD...: $scratch/NAME.c, or NAME.cpp, with every compiler.
compiles()
{
	local name=$1 complaint=$2 std cc compilers suffix
	shift 2
	for std in "$@"; do
		case $std in
		*++*) compilers=$compilers_cpp suffix=cpp ;;
		*) compilers=$compilers_c suffix=c ;;
		esac
		for cc in $compilers; do
			$cc -std=$std $strict -I"$include" -fsyntax-only "$scratch/$name.$suffix" ||
				fail "$complaint: $cc -std=$std"
		done
	done
}

for header in $headers; do
	echo "#include <$header>" | tee "$scratch/alone.c" >"$scratch/alone.cpp"
	compiles alone "$header does not compile alone" c11 c++17
	cat "$scratch/alone.c" >>"$scratch/all.c"
	echo "$header: compiles alone"
done
cp "$scratch/all.c" "$scratch/all.cpp"
compiles all "the headers do not compile together" c11 c17 c2x gnu17 c++17 c++20
echo "all: compile together"

# Macros that our headers add to those of the headers that they include.
grep -h '^#include <' "$include"/corail/*.h |
	grep -v '<corail/\|<type_traits>\|<initializer_list>' | sort -u >"$scratch/system.c"
gcc -std=c11 -dM -E "$scratch/system.c" | awk '{print $2}' | sort >"$scratch/before"
for header in $headers; do
	cp "$scratch/system.c" "$scratch/ours.c"
	echo "#include <$header>" >>"$scratch/ours.c"
	gcc -std=c11 -I"$include" -dM -E "$scratch/ours.c" | awk '{print $2}' |
		sort >"$scratch/after"
	foreign=$(comm -13 "$scratch/before" "$scratch/after" |
		sed 's/(.*//' | grep -v '^CORAIL_\|^cr_' || true)
	[ -z "$foreign" ] || fail "$header defines macros that are not ours: $foreign"
done
echo "macros: all named CORAIL_ or cr_"
