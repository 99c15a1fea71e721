# SPDX-License-Identifier: MIT
# For the scripts of this folder and of tests/system: a temporary folder, checks, and servers that
# are gone when the script ends. To be sourced.

set -u
corail=$CORAIL_BUILD/corail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY NO_COLOR \
	LC_MESSAGES LC_CTYPE LANG LANGUAGE CORAIL_BACKEND CORAIL_SEED
export LC_ALL=C

work=$(mktemp -d "${TMPDIR:-/tmp}/corail-test-XXXXXX")
children=()

clean_up() {
	local status=$? child

	trap - EXIT
	for child in ${children[@]+"${children[@]}"}; do
		kill "$child" 2>/dev/null
	done
	for child in ${children[@]+"${children[@]}"}; do
		wait "$child" 2>/dev/null
	done
	rm -rf "$work"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

skip() {
	echo "SKIP: $*"
	exit 77
}

# fail MESSAGE: says so, shows the last command's outputs, and ends the test.
fail() {
	local file

	echo "FAILED: $*" >&2
	for file in out err; do
		if [ -s "$work/$file" ]; then
			echo "--- $file:" >&2
			head -c 4000 "$work/$file" | cat -v >&2
		fi
	done
	exit 1
}

# run STATUS COMMAND...: runs it with its outputs in $work/out and $work/err; the exit status must be
# that one. Standard input is empty unless the caller gives one by run_input.
run() {
	local wanted=$1 got

	shift
	"$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	[ "$got" = "$wanted" ] || fail "exit status $got instead of $wanted: $*"
}

# same WHAT GOT WANTED
same() {
	[ "$2" = "$3" ] || fail "$1: \"$2\" instead of \"$3\""
}

# has FILE TEXT, has_no FILE TEXT: whether $work/FILE holds a text.
has() {
	grep -qF -- "$2" "$work/$1" || fail "std$1 lacks: $2"
}
has_no() {
	! grep -qF -- "$2" "$work/$1" || fail "std$1 has: $2"
}

lines() {
	wc -l <"$work/$1" | tr -d ' '
}

# start COMMAND...: runs it in the background, with its outputs in $work/out and $work/err, and its pid in
# $job. A script's background commands ignore SIGINT; this one does not. The outputs are emptied here:
# the shell in the background does it too, but perhaps after somebody has looked for a line there.
start() {
	: >"$work/out"
	: >"$work/err"
	python3 -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$@" >"$work/out" 2>"$work/err" </dev/null &
	job=$!
	children+=("$job")
}

# start_server: sets $port and $url of tests/cli/server.py.
start_server() {
	command -v python3 >/dev/null || skip "python3 is not installed"
	rm -f "$work/port"
	python3 "$here/server.py" >"$work/port" 2>"$work/server.log" &
	children+=($!)
	wait_for "[ -s '$work/port' ]" || fail "the test's server did not start"
	port=$(cat "$work/port")
	url=http://127.0.0.1:$port
}

# hold_port VARIABLE: a port that nobody listens on, and that no other test can take meanwhile: a
# process holds it. A server of ours may, if it sets SO_REUSEPORT.
hold_port() {
	local file=$work/held-$1

	rm -f "$file"
	python3 -c '
import signal, socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
signal.pause()' >"$file" &
	children+=($!)
	wait_for "[ -s '$file' ]" || fail "no port"
	printf -v "$1" %s "$(cat "$file")"
}

# wait_for CONDITION: up to a minute.
wait_for() {
	local i

	for i in $(seq 1200); do
		if eval "$1"; then
			return 0
		fi
		sleep 0.05
	done
	return 1
}

# field NAME: that member of each JSON object in $work/out, one per line. Fails if a line is not JSON.
field() {
	python3 -c '
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    print(json.loads(line)[sys.argv[2]])' "$work/out" "$1" || fail "not JSON"
}

# The backends that this machine has, besides the simulator: in $backends. At least epoll.
find_backends() {
	backends=epoll
	CORAIL_BACKEND=epoll "$corail" doctor >"$work/out" 2>&1 || fail "epoll does not run"
	if CORAIL_BACKEND=uring "$corail" doctor >/dev/null 2>&1; then
		backends="uring epoll"
	fi
}
