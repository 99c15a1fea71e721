#!/bin/bash
# SPDX-License-Identifier: MIT
# The example of a line of stages: every picture comes out, few are in memory at once.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"
thumbs=$CORAIL_BUILD/examples/thumbs

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	rm -rf "$work/folder"
	mkdir "$work/folder"
	run 0 "$thumbs" 40 "$work/folder"
	has out "40 pictures in "
	same "files" "$(ls "$work/folder" | wc -l | tr -d ' ')" 40
	same "sizes" "$(stat -c %s "$work/folder"/* | sort -u)" 4109
	same "contents" "$(md5sum "$work/folder"/* | cut -d ' ' -f 1 | uniq | wc -l)" 1
	peak=$(sed -n 's/^at most \([0-9]*\) pictures in memory.*/\1/p' "$work/out")
	# Eight being loaded, four between the stages twice, two being written, one on each thread.
	[ "$peak" -ge 1 ] && [ "$peak" -le $((8 + 4 + 4 + 2 + $(nproc))) ] || fail "$peak at once"
done
run 0 "$thumbs" 3
run 1 "$thumbs" 3 /proc
run 2 "$thumbs" 3 "$work/missing"
exit 0
