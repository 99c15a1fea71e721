#!/bin/bash
# SPDX-License-Identifier: MIT
# Ctrl-C: no partial file, a list of what is missing, exit status 130; a second one ends at once.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"

# under_way COUNT: whether the server says that so many requests are, besides this one.
under_way() {
	"$corail" get -q -o "$work/stats" "$url/stats" &&
		grep -q "\"now\": $(($1 + 1))," "$work/stats"/*"_${port}_stats"
}

find_backends
for backend in ${TEST_BACKENDS:-$backends}; do
	export CORAIL_BACKEND=$backend
	echo "- $backend"
	rm -rf "$work/folder"
	start_server
	urls=()
	for i in $(seq 30); do
		urls+=("$url/drip?$i")
	done
	start "$corail" get -o "$work/folder" "$url/ok/1" "$url/ok/2" "$url/status/404" "${urls[@]}"
	wait_for "[ \$(lines out) = 2 ] && grep -q 404 '$work/err'" || fail "the first pages"
	wait_for "under_way 30" || fail "the others were not asked for"
	kill -INT "$job"
	wait "$job"
	same "exit status" $? 130
	same "files" "$(ls -A "$work/folder" | tr '\n' ' ')" \
		"127.0.0.1_${port}_ok_1 127.0.0.1_${port}_ok_2 "
	has err "pages missing: 30"
	has err "  $url/drip?1"
	has err "  ... and 10 more"
	same "URLs listed" "$(grep -c "^  $url/drip" "$work/err")" 20
	has err "2 pages, 3 B in"
	has err "1 failed"

	# While a retry waits, and before anything was answered.
	start_server
	start "$corail" get --retry 5 "$url/status/503" "$url/silent"
	wait_for "under_way 1" || fail "the pages were not asked for"
	kill -INT "$job"
	wait "$job"
	same "exit status" $? 130
	has err "pages missing: 2"
done

# What ends a service, or a terminal that is closed, does the same; what is to be ignored is.
unset CORAIL_BACKEND
for signal in TERM:143 HUP:129; do
	rm -rf "$work/folder"
	start_server
	start "$corail" get -o "$work/folder" "$url/ok/1" "$url/drip?1" "$url/status/503" --retry 9
	wait_for "under_way 1 && [ \$(lines out) = 1 ]" || fail "the pages were not asked for"
	kill "-${signal%:*}" "$job"
	wait "$job"
	same "exit status" $? "${signal#*:}"
	same "files" "$(ls -A "$work/folder")" "127.0.0.1_${port}_ok_1"
	has err "pages missing: 2"
	has err "1 page, 1 B in"
done
start_server
start /bin/sh -c 'trap "" HUP; exec "$0" get "$1"' "$corail" "$url/hold/hup"
wait_for "under_way 1" || fail "the page was not asked for"
kill -HUP "$job"
"$corail" get -q "$url/release/hup" || fail "release"
wait "$job"
same "exit status with SIGHUP ignored" $? 0

# Twice in a row, or killed: over at once, and still no partial file where files can be nameless.
unset CORAIL_BACKEND
for signals in "INT INT" KILL; do
	rm -rf "$work/folder"
	start_server
	start "$corail" get -o "$work/folder" "$url/drip?1" "$url/drip?2"
	wait_for "under_way 2" || fail "the pages were not asked for"
	for signal in $signals; do
		kill "-$signal" "$job" 2>/dev/null
	done
	wait "$job"
	status=$?
	[ $status = 130 ] || [ "$signals" = KILL ] || fail "exit status $status after two"
	if python3 -c 'import os, sys; os.open(sys.argv[1], os.O_TMPFILE | os.O_WRONLY)' "$work" \
		2>/dev/null; then
		same "files after $signals" "$(ls -A "$work/folder")" ""
	fi
done

# Interrupted while it reads a list that does not end: killed by the signal, as any program.
mkfifo "$work/fifo"
sleep 60 >"$work/fifo" &
children+=($!)
start "$corail" get -i "$work/fifo"
wait_for "ls -l /proc/$job/exe | grep -q 'corail\$' && ls -l /proc/$job/fd | grep -q fifo" ||
	fail "the list is not being read"
kill -INT "$job"
wait "$job"
same "exit status" $? 130
exit 0
