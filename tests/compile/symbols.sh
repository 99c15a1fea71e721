#!/bin/bash
# SPDX-License-Identifier: MIT
# What the linker sees: no executable stack, no text relocation, a SONAME, no exported name that is
# not ours, and no text that names the folder of the build.
. "$(dirname "$0")/common.inc"

cd "$CORAIL_BUILD"
# libcorail-debug.so stands in for functions of the C library.
libraries=$(ls libcorail*.so | grep -v -- -debug)
programs=$(ls corail examples/* 2>/dev/null | while read -r file; do
	[ -f "$file" ] && [ -x "$file" ] && echo "$file"
done)

for file in $libraries $programs; do
	# The flags are the field before the alignment: "RW " or "RWE".
	flags=$(readelf -lW "$file" | awk '$1 == "GNU_STACK" { print $7 }')
	[ "$flags" = RW ] || fail "$file: the stack's flags are '$flags', not RW"
	! readelf -dW "$file" | grep -q TEXTREL || fail "$file: has text relocations"
	echo "$file: stack not executable, no text relocation"
done

for archive in libcorail*.a; do
	without=$(readelf -SW "$archive" | awk '
		/^File:/ { if (name && !note) print name; name = $2; note = 0 }
		/\.note\.GNU-stack/ { note = 1; if (/ X /) print name " (executable)" }
		END { if (name && !note) print name }')
	[ -z "$without" ] || fail "$archive: objects without .note.GNU-stack: $without"
done

for library in $libraries; do
	soname=$(readelf -dW "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
	case $soname in
	"$library".[0-9]*) ;;
	*) fail "$library: its SONAME is '$soname'" ;;
	esac
	exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sed 's/@.*//')
	[ -n "$exported" ] || fail "$library: exports nothing"
	foreign=$(echo "$exported" | grep -v '^cr_\|^corail_' || true)
	[ -z "$foreign" ] || fail "$library: exports foreign names: $foreign"
	! readelf -p .rodata "$library" | grep -F "$CORAIL_SOURCE/" ||
		fail "$library: names its sources"
	echo "$library: $soname, $(echo "$exported" | wc -l) symbols"
done

# A debug build writes frame information for every function; the assembly must not be an exception.
if readelf -SW libcorail.a | grep -q 'switch_.*\.S\.o'; then
	readelf -SW libcorail.a | awk '
		/^File:/ { in_switch = /switch_/ }
		in_switch && /\.eh_frame/ { found = 1 }
		END { exit !found }' || fail "the context switch has no call frame information"
fi
