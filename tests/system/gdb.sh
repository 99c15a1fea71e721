#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The gdb script: lists all tasks and prints the backtrace of each, through the switch, in a live
# process and from a core file.
# ctest: timeout=240
set -u

source=${CORAIL_SOURCE:?} build=${CORAIL_BUILD:?}
command -v gdb >/dev/null || { echo "skipped: gdb is not installed"; exit 77; }
[ -r "$build/libcorail.a" ] || { echo "skipped: no static library in $build"; exit 77; }
if nm "$build/libcorail.a" 2>/dev/null | grep -q -E '__asan_|__tsan_'; then
	echo "skipped: a sanitizer's build"
	exit 77
fi

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

libraries=$(pkg-config --libs liburing libcares 2>/dev/null)
# shellcheck disable=SC2086 # several words
cc -g -O1 -I"$source/include" "$source/tests/system/gdb_target.c" "$build/libcorail.a" \
	$libraries -pthread -o target || exit 1

failures=0
expect() { # expect FILE PATTERN
	if ! grep -q -E "$2" "$1"; then
		echo "FAIL: $1 lacks: $2"
		failures=$((failures + 1))
	fi
}

look() { # look FILE: what every way of looking must show
	expect "$1" '^task [0-9]+ target_main \(.*gdb_target\.c:[0-9]+\) running'
	expect "$1" '^task [0-9]+ sleeper \(.*gdb_target\.c:[0-9]+\) waiting: sleep'
	expect "$1" '^task [0-9]+ the second one \(.*\) waiting: sleep'
	expect "$1" '^task [0-9]+ yielder \(.*\) ready'
	expect "$1" '^#[0-9]+ .*yielder \(count='
	expect "$1" '^#[0-9]+ .*sink \(depth='
	expect "$1" '^#[0-9]+ .*sleeper \('
	expect "$1" '^#[0-9]+ .*cr__ctx_entry'
	expect "$1" '^#[0-9]+ .*abort'
	if grep -q -i -E 'corrupt|previous frame' "$1"; then
		echo "FAIL: $1: gdb could not unwind to the end"
		failures=$((failures + 1))
	fi
	# Four frames of recursion in one task, three in the other, each under its own sleeper().
	frames=$(grep -c -E '^#[0-9]+ .*sink \(depth=' "$1")
	if [ "$frames" -ne 7 ]; then
		echo "FAIL: $1: $frames frames of sink(), expected 7"
		failures=$((failures + 1))
	fi
	[ "$failures" -eq 0 ] || cat "$1"
}

debug()
{
	gdb -q -batch -iex 'set debuginfod enabled off' -x "$source/tools/corail-gdb.py" "$@" 2>&1
}

debug -ex run -ex 'corail bt all' ./target >live.txt
look live.txt

# While nothing runs, the selected thread stands on its own stack, above those of the tasks.
for backend in uring epoll; do
	CORAIL_BACKEND=$backend debug -ex 'handle SIGALRM stop' -ex 'run idle' -ex 'corail bt all' \
		./target >idle.txt
	grep -q 'SIGALRM' idle.txt || continue # no io_uring here
	expect idle.txt '^task [0-9]+ target_main \(.*gdb_target\.c:[0-9]+\) waiting: sleep'
	expect idle.txt '^#[0-9]+ .*target_main \('
	if grep -q -i -E 'corrupt|previous frame' idle.txt ||
		[ "$(grep -c -E '^#[0-9]+ .*sink \(depth=' idle.txt)" -ne 7 ]; then
		echo "FAIL: the backtraces of an idle program ($backend)"
		cat idle.txt
		failures=$((failures + 1))
	fi
done

# gdb's own core writer gives up on pages that are guarded by madvise(2); the kernel's does not.
CORAIL_GUARD=mprotect debug -ex run -ex 'generate-core-file written' ./target >write.txt
[ -r written ] || { cat write.txt; echo "FAIL: no core file"; exit 1; }
debug -ex 'corail bt all' ./target written >core.txt
look core.txt

if [ "$(cat /proc/sys/kernel/core_pattern)" = core ] && ulimit -c unlimited 2>/dev/null; then
	(./target 2>/dev/null) 2>/dev/null
	for core in core core.[0-9]*; do
		[ -r "$core" ] || continue
		debug -ex 'corail bt all' ./target "$core" >kernel.txt
		look kernel.txt
		break
	done
fi

if debug -ex 'corail bt 999' ./target written | grep -q 'no task 999'; then
	echo "ok: live process and core file"
else
	echo "FAIL: a task that is not there"
	failures=$((failures + 1))
fi
exit $((failures > 0))
