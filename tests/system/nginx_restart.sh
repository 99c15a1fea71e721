#!/bin/bash
# SPDX-License-Identifier: MIT
# nginx is stopped and started again in the middle: with --retry, every file comes, identical.
# ctest: timeout=300
. "$(dirname "$0")/nginx.bash"

# Slowed down, so that many downloads are under way when it stops.
configure_nginx "limit_rate 200k;"
start_nginx
list_documents "$url" 1500

find_backends
for backend in $backends; do
	echo "- $backend"
	: >"$work/out" # before anybody counts its lines: the shell in the background may be late
	CORAIL_BACKEND=$backend "$corail" get -c 100 --retry 8 --json -o "$work/pages" \
		-i "$work/list" >"$work/out" 2>"$work/err" &
	job=$!
	children+=("$job")
	for done_count in 150 450; do
		wait_for "[ \$(lines out) -ge $done_count ]" || fail "the first $done_count pages"
		kill -0 "$job" || fail "it ended too early"
		stop_nginx
		sleep 1
		start_nginx
	done
	wait "$job"
	same "exit status" $? 0
	verify "$work/pages"
	python3 -c '
import json, sys
sys.exit(not any(json.loads(line)["attempts"] > 1 for line in open(sys.argv[1])))' "$work/out" ||
		fail "nothing was tried again: the test did not test"
	rm -rf "$work/pages"
done
exit 0
