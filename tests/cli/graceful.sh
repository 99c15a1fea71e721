#!/bin/bash
# SPDX-License-Identifier: MIT
# The graceful server of the examples: who is being served is served, who takes too long is told.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"
graceful=$CORAIL_BUILD/examples/graceful

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	start "$graceful" 127.0.0.1:0 0.1
	wait_for "grep -q 'Listening on port' '$work/out'" || fail "graceful does not listen"
	port=$(sed -n 's/Listening on port //p' "$work/out")
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	echo 3600000 >&3
	# Clients are accepted in order: once the second one is answered, the first one is in.
	exec 4<>"/dev/tcp/127.0.0.1/$port"
	echo 1 >&4
	same "the quick client" "$(cat <&4)" "done"
	kill -TERM "$job"
	same "the slow client" "$(cat <&3)" "sorry, closing"
	wait "$job"
	same "the exit status" $? 0
	has out "Closing."
	# The quick client's task may have been about to end.
	grep -qE "^Closed: 2 of [23] tasks were cut short" "$work/out" || fail "who was cut short"
	exec 3>&- 4>&-

	# Nobody is there: it does not wait.
	start "$graceful" 127.0.0.1:0 3600
	wait_for "grep -q 'Listening on port' '$work/out'" || fail "graceful does not listen"
	kill -INT "$job"
	wait "$job"
	same "the exit status" $? 0
	has out "Closed: 0 of 1 tasks were cut short."
done
exit 0
