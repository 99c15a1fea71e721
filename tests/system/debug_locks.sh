#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A program of somebody else's, linked with the shared library: CORAIL_DEBUG and the preloaded
# library work there too.
set -u

source=${CORAIL_SOURCE:?} build=${CORAIL_BUILD:?}
[ -e "$build/libcorail-debug.so" ] || { echo "skipped: no libcorail-debug.so in $build"; exit 77; }

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

cat >locks.c <<'END'
#include <corail/corail.h>
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int hold_it(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&mutex);
	cr_sleep(cr_millis(1));
	pthread_mutex_unlock(&mutex);
	return cr_sleep(cr_millis(1));
}

int main(void)
{
	return cr_run(hold_it, (void *)NULL) < 0;
}
END
"${CC:-cc}" -g -O1 -I"$source/include" locks.c -L"$build" -Wl,-rpath,"$build" -lcorail -pthread \
	-o locks || exit 1

failures=0
expect() { # expect FILE PATTERN
	if ! grep -q -E "$2" "$1"; then
		echo "FAIL: $1 lacks: $2"
		cat "$1"
		failures=$((failures + 1))
	fi
}

CORAIL_DEBUG=1 CORAIL_DEBUG_BLOCKED_MS=0 LD_PRELOAD=$build/libcorail-debug.so ./locks 2>report ||
	failures=$((failures + 1))
expect report "^corail: task 'hold_it' \(locks\.c:[0-9]+\) suspends \(sleep\) while it holds a lock"
expect report '^corail: where it was locked:'
expect report '^corail:   #0 hold_it at locks'

CORAIL_DEBUG=1 CORAIL_DEBUG_BLOCKED_MS=0 ./locks 2>silent || failures=$((failures + 1))
[ ! -s silent ] || { echo "FAIL: without the library:"; cat silent; failures=$((failures + 1)); }

[ $failures = 0 ]
