#!/bin/bash
# SPDX-License-Identifier: MIT
# The examples: their output is the tutorial's, their time what the tutorial says.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"
examples=$CORAIL_BUILD/examples

# Strict C11, without a warning, from public headers alone.
for source in "$here"/../../examples/*.c; do
	"${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
		-I "$here/../../include" "$source" 2>"$work/err" || fail "$source"
	! grep -n '#include "' "$source" || fail "$source includes what users do not have"
done

# elapsed COMMAND...: its output in $work/out, the time that it took in $ms.
elapsed() {
	local began=$EPOCHREALTIME

	run 0 "$@"
	ms=$((($(tr -d .,  <<<"$EPOCHREALTIME") - $(tr -d ., <<<"$began")) / 1000))
}

# within MS COMMAND...: the same, and it took less, at least once in many times: the machine may be
# busy with other things.
within() {
	local most=$1 i

	shift
	for i in $(seq 30); do
		elapsed "$@"
		[ $ms -ge "$most" ] || return 0
	done
	fail "took $ms ms and more instead of $most: $*"
}

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	elapsed "$examples/bonjour"
	same "bonjour" "$(cat "$work/out")" $'Bonjour\nMonde'
	[ $ms -ge 2000 ] || fail "bonjour took $ms ms"
	within 1900 "$examples/bonjour_gather"
	same "bonjour_gather" "$(cat "$work/out")" $'Bonjour\nMonde'
	[ $ms -ge 1000 ] || fail "bonjour_gather took $ms ms"
	elapsed "$examples/pipeline" 9 100
	same "pipeline" "$(tail -n 1 "$work/out")" "9 jobs done"
	same "pipeline, each job once" "$(grep -o '^job [0-9]*' "$work/out" | sort -u | wc -l)" 9
	[ $ms -ge 80 ] || fail "nine jobs at 100 a second took $ms ms"
done
# In virtual time they sleep as long, and take none.
export CORAIL_BACKEND=sim
for seed in 1 2 3; do
	export CORAIL_SEED=$seed
	within 1000 "$examples/bonjour"
	same "bonjour in sim" "$(cat "$work/out")" $'Bonjour\nMonde'
	within 1000 "$examples/bonjour_gather"
	same "bonjour_gather in sim" "$(sort "$work/out")" $'Bonjour\nMonde'
done
unset CORAIL_BACKEND CORAIL_SEED

start_server
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	run 0 "$examples/pages" "$url/slow/300" "$url/ok/1256" "$url/ok/0"
	same "pages, in order" "$(cat "$work/out")" "Contenu depuis $url/slow/300 : 4 octets
Contenu depuis $url/ok/1256 : 1256 octets
Contenu depuis $url/ok/0 : 0 octets"
	run 1 "$examples/pages" "$url/ok/3" "$url/status/404"
	same "the good one" "$(cat "$work/out")" "Contenu depuis $url/ok/3 : 3 octets"
	has err "$url/status/404 : "

	start "$examples/chat" 127.0.0.1:0
	wait_for "grep -q 'Listening on port' '$work/out'" || fail "chat does not listen"
	python3 "$here/chat_clients.py" "$(sed -n 's/Listening on port //p' "$work/out")" "$job" \
		2>"$work/err" || fail "chat"
	wait "$job"
	same "chat's exit status" $? 0
	grep -q Stopped "$work/out" || fail "chat did not say that it stopped"

	start "$examples/loops" 127.0.0.1:0 2
	wait_for "[ \$(grep -c 'listens on port' '$work/out') = 2 ]" || fail "loops do not listen"
	port=$(sed -n '1s/.* listens on port //p' "$work/out")
	python3 "$here/loops_clients.py" "$port" "$job" 2>"$work/err" || fail "loops"
	wait "$job"
	same "the status of loops" $? 0
	grep -q Stopped "$work/out" || fail "loops did not say that it stopped"
done
exit 0
