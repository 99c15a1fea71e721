#!/bin/bash
# SPDX-License-Identifier: MIT
# The examples that count and copy a tree: links that lead in circles, holes, many levels, a target
# inside of what is copied.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"
copy=$CORAIL_BUILD/examples/copy walk=$CORAIL_BUILD/examples/walk

mkdir -p "$work/tree/a" "$work/tree/empty"
ln -s .. "$work/tree/a/up"
ln -s self "$work/tree/self"
ln -s missing "$work/tree/dangling"
truncate -s 8M "$work/tree/holes"
echo end >>"$work/tree/holes"
touch "$work/tree/nothing" "$work/tree/new
line"
touch "$work"/tree/a/{1..200}
deep=$work/tree/$(printf 'd/%.0s' {1..150})
mkdir -p "$deep"
echo deep >"$deep/file"

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	rm -rf "$work/copy"
	run 0 "$copy" "$work/tree" "$work/copy"
	same "what copy said" "$(cat "$work/out")" "204 files"
	diff -r --no-dereference "$work/tree" "$work/copy" || fail "the copy is another"
	# Where the file system knows holes.
	[ "$(du -k "$work/tree/holes" | cut -f 1)" -gt 1000 ] ||
		[ "$(du -k "$work/copy/holes" | cut -f 1)" -lt 1000 ] || fail "the hole was filled"
	run 0 "$walk" "$work/tree"
	has out "204 files, "
	has out " 3 others, 0 unreadable"
	run 1 "$copy" "$work/tree" "$work/tree/a/inside"
	has err "cannot be copied into itself"
	rm -r "$work/tree/a/inside"
	run 1 "$copy" "$work/none" "$work/copy"
	has err "No such file or directory"
done
run 2 "$copy" "$work/tree"
exit 0
