#!/bin/bash
# SPDX-License-Identifier: MIT
# corail get against a server that does what it is asked: lists, outputs, errors, limits, retries.
# ctest: timeout=180
. "$(dirname "$0")/common.bash"
start_server

hold_port closed_port

pages() {
	run 0 "$corail" get "$url/ok/0" "$url/ok/1" "$url/ok/100000" "$url/length/70000"
	same "lines" "$(sort "$work/out")" "$(printf "Content from $url/%s bytes\n" \
		'length/70000: 70000' 'ok/0: 0' 'ok/1: 1' 'ok/100000: 100000' | sort)"
	has err "4 pages, 170.0 kB in"
	has err "0 failed"
	same "lines on stderr" "$(lines err)" 1

	run 0 env LC_ALL=fr_FR.UTF-8 "$corail" get "$url/ok/12"
	same "in French" "$(cat "$work/out")" "Contenu depuis $url/ok/12 : 12 octets"
	run 0 "$corail" get -q "$url/ok/12"
	same "quiet" "$(cat "$work/out" "$work/err")" ""
}

lists() {
	printf '\xef\xbb\xbf%s/ok/1\r\n\n# comment\n  %s/ok/2  # two\r\n%s/ok/3' \
		"$url" "$url" "$url" >"$work/list"
	run 0 "$corail" get -i "$work/list" "$url/ok/4" --input="$work/list"
	same "from files and arguments" "$(lines out)" 7
	"$corail" get <"$work/list" >"$work/out" 2>"$work/err" || fail "standard input"
	same "from standard input" "$(lines out)" 3
	"$corail" get -i - "$url/ok/5" <"$work/list" >"$work/out" 2>"$work/err" || fail "-i -"
	same "from -i -" "$(lines out)" 4
	"$corail" get "$url/ok/5" <"$work/list" >"$work/out" 2>"$work/err" || fail "URL and input"
	same "input is left alone when there is a URL" "$(lines out)" 1
	run 0 "$corail" get --sequential -- "$url/ok/1" "$url/ok/2"
	same "after --" "$(lines out)" 2
}

errors() {
	run 1 "$corail" get "$url/ok/1" "$url/status/404" "$url/status/500" "$url/truncate" \
		"$url/reset" "$url/empty" "$url/garbage" "http://127.0.0.1:$closed_port/" \
		"http://name.invalid/" "example.com" \
		"ftp://example.com/" "http://" "http://h/a b" "$url/ok/2"
	same "good ones" "$(lines out)" 2
	same "failures and summary" "$(lines err)" 13
	has err "corail: $url/status/404: 404 Not Found"
	has err "corail: $url/status/500: 500 Internal Server Error"
	has err "corail: $url/truncate: the body ended before its announced length"
	has err "corail: http://127.0.0.1:$closed_port/: Connection refused"
	has err "corail: example.com: not a valid URL; it must begin with http:// or https://"
	grep -q "^corail: http://name.invalid/: ." "$work/err" || fail "unknown host"
	for page in reset empty garbage; do
		grep -q "^corail: $url/$page: ." "$work/err" || fail "$page"
	done
	has err "2 pages, 3 B in"
	has err "12 failed"
	run 1 env LANG=fr_FR LC_ALL= "$corail" get "http://127.0.0.1:$closed_port/"
	has err "connexion refusée"
	run 1 "$corail" get --json "$url/elsewhere" "$url/status/999"
	has err "$url/elsewhere: URL scheme not supported; it redirects to ftp://h/x"
	same "status" "$(field status | sort | tr '\n' ' ')" "302 999 "
	has out '"error": "999", '
	run 0 "$corail" get "$url/redirect/redirect/ok/7"
	has out "redirect/redirect/ok/7: 7 bytes"
}

# Nothing that a URL or a server says reaches a terminal as it is.
harmless() {
	run 1 "$corail" get $'http://h/\033[2J' $'http://h/\xc2\x9b31m' "$url/escape" \
		"http://127.0.0.1:$closed_port/"$'\xe2\x80\xae'
	! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f]' "$work/err" || fail "a control character"
	! LC_ALL=C grep -q $'\xc2\x9b' "$work/err" || fail "a control character of two bytes"
	! LC_ALL=C grep -q $'\xe2\x80\xae' "$work/err" || fail "a direction override"
	has err '\x1b[2J'
}

json() {
	run 1 "$corail" get --json "$url/ok/5" "$url/status/404" "http://127.0.0.1:$closed_port/" \
		$'http://h/"\\\n\xff' "$url/truncate"
	same "objects" "$(lines out)" 5
	while read -r line; do
		python3 -m json.tool <<<"$line" >/dev/null || fail "not JSON: $line"
	done <"$work/out"
	same "bytes" "$(field bytes | sort -n | tr '\n' ' ')" "0 0 0 5 10000 "
	same "status" "$(field status | sort | tr '\n' ' ')" "200 200 404 None None "
	same "code" "$(field code | sort | tr '\n' ' ')" \
		"ECONNREFUSED HTTP_STATUS HTTP_TRUNCATED HTTP_URL None "
	python3 - "$work/out" <<-'EOF' || fail "members"
		import json, sys
		for line in open(sys.argv[1], encoding="utf-8"):
		    page = json.loads(line)
		    assert set(page) >= {"url", "status", "bytes", "seconds", "error"}, page
		    assert isinstance(page["seconds"], float) and 0 <= page["seconds"] < 60
		    assert (page["error"] is None) == (page["code"] is None)
	EOF
	run 1 env LC_ALL=fr_FR.UTF-8 "$corail" get --json "http://127.0.0.1:$closed_port/"
	same "JSON is English" "$(field error)" "Connection refused"
}

folders() {
	local host=127.0.0.1_$port

	run 0 "$corail" get -o "$work/a/b/c" "$url/ok/1000" "$url/ok/1000?x=1" "$url/ok/1000" \
		"$url/ok/0"
	same "names" "$(ls -A "$work/a/b/c" | tr '\n' ' ')" \
		"${host}_ok_0 ${host}_ok_1000 ${host}_ok_1000-2 ${host}_ok_1000_x=1 "
	same "size" "$(wc -c <"$work/a/b/c/127.0.0.1_${port}_ok_1000-2" | tr -d ' ')" 1000
	# What fails leaves nothing, and what was there before stays.
	echo before >"$work/a/b/c/127.0.0.1_${port}_truncate"
	run 1 "$corail" get -o "$work/a/b/c" "$url/truncate" "$url/status/404" "$url/reset" \
		--max-size 500 "$url/ok/501"
	same "files" "$(ls -A "$work/a/b/c" | wc -l | tr -d ' ')" 5
	same "kept" "$(cat "$work/a/b/c/127.0.0.1_${port}_truncate")" before
	# A page replaces an older file; a link is replaced, not followed; a folder is an error.
	echo old >"$work/victim"
	ln -sf "$work/victim" "$work/a/b/c/127.0.0.1_${port}_ok_7"
	echo old >"$work/a/b/c/127.0.0.1_${port}_ok_8"
	mkdir "$work/a/b/c/127.0.0.1_${port}_ok_9"
	run 1 "$corail" get -o "$work/a/b/c" "$url/ok/7" "$url/ok/8" "$url/ok/9"
	same "through a link" "$(cat "$work/victim")" old
	same "link" "$(cat "$work/a/b/c/127.0.0.1_${port}_ok_7")" xxxxxxx
	same "old file" "$(cat "$work/a/b/c/127.0.0.1_${port}_ok_8")" xxxxxxxx
	has err "corail: $url/ok/9: "
	same "hidden files" "$(ls -A "$work/a/b/c" | grep -c '^\.')" 0
	(umask 027 && "$corail" get -q -o "$work/mask" "$url/ok/3") || fail "umask"
	same "mode" "$(stat -c %a "$work/mask/127.0.0.1_${port}_ok_3")" 640
}

sizes() {
	run 1 "$corail" get --max-size 1k "$url/ok/1024" "$url/ok/1025" "$url/length/5000"
	same "within the limit" "$(cat "$work/out")" "Content from $url/ok/1024: 1024 bytes"
	has err "$url/ok/1025: larger than the limit that was set"
	has err "$url/length/5000: larger than the limit that was set"
}

timeouts() {
	run 1 "$corail" get --timeout 0.3 "$url/silent" "$url/drip" --json
	same "timeouts" "$(field code | sort | tr '\n' ' ')" "ETIMEDOUT ETIMEDOUT "
	for seconds in $(field seconds); do
		python3 -c "import sys; sys.exit(not 0.3 <= $seconds < 20)" || fail "$seconds s"
	done
	run 0 "$corail" get --timeout 60 "$url/slow/400" "$url/ok/3"
}

retries() {
	run 0 "$corail" get --retry 3 --json "$url/flaky/a$1/2" "$url/cut/b$1/1" \
		"$url/after/1/c$1" "$url/ok/1"
	same "attempts" "$(field attempts | sort | tr '\n' ' ')" "1 2 2 3 "
	same "bytes" "$(field bytes | sort -n | tr '\n' ' ')" "1 2 12 12 "
	python3 -c '
import json, sys
for line in open(sys.argv[1]):
    page = json.loads(line)
    sys.exit("/after/" in page["url"] and page["seconds"] < 1.0)' "$work/out" || fail "Retry-After"
	run 1 "$corail" get --retry 1 --json "$url/flaky/d$1/5" "$url/status/404" \
		"$url/after/3600/e$1" "http://127.0.0.1:$closed_port/"
	python3 - "$work/out" <<-'EOF' || fail "which are tried again"
		import json, sys
		wanted = {"flaky": 2, "status": 1, "after": 1, "": 2}
		for line in open(sys.argv[1]):
		    page = json.loads(line)
		    assert page["attempts"] == wanted[page["url"].split("/")[3]], page
	EOF
	has err "(2 attempts)"
	run 0 "$corail" get -o "$work/retry$1" --retry 2 "$url/cut/f$1/2"
	same "a retried file" "$(cat "$work/retry$1"/*)" "here you are"
}

# What the server sees: how many at once, and in which order. It answers nobody before there were as
# many as are wanted at once.
limits() {
	local i

	crowd() {
		urls=()
		for i in $(seq 20); do
			urls+=("$url/crowd/$1/$i")
		done
	}
	peak() {
		"$corail" get -o "$work/stats" "$url/stats" >/dev/null 2>&1
		python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
			"$work/stats/127.0.0.1_${port}_stats" peak
	}
	start_server
	crowd 1
	run 0 "$corail" get --sequential "${urls[@]}"
	same "order" "$(sed 's/.*crowd.1.\([0-9]*\):.*/\1/' "$work/out")" "$(seq 20)"
	same "one at a time" "$(peak)" 1
	crowd 3
	run 0 "$corail" get -c 3 "${urls[@]}"
	same "-c 3" "$(peak)" 3
	crowd 5
	run 0 "$corail" get --per-host 5 "${urls[@]}"
	same "--per-host 5" "$(peak)" 5
	crowd 20
	run 0 "$corail" get "${urls[@]}"
	same "all at once" "$(peak)" 20
}

find_backends
for backend in ${TEST_BACKENDS:-$backends}; do
	export CORAIL_BACKEND=$backend
	echo "- $backend"
	for test in pages lists errors harmless json folders sizes timeouts "retries $backend" \
		limits; do
		echo "  - $test"
		rm -rf "$work"/{a,mask,stats}
		$test
	done
done

# A reader that goes away ends the command, with a message.
python3 - "$corail" "$url" "$work/err" <<'EOF' || fail "status on a closed pipe"
import subprocess, sys, urllib.request
corail, url, err = sys.argv[1:]
urls = [f"{url}/ok/{i}" for i in range(1, 51)] + [f"{url}/hold/reader"]
with open(err, "wb") as stderr:
    process = subprocess.Popen([corail, "get", *urls], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=stderr)
    assert process.stdout.readline().startswith(b"Content from ")
    process.stdout.close()
    urllib.request.urlopen(f"{url}/release/reader").read()
    assert process.wait() == 1, process.returncode
EOF
has err "standard output was closed"

# What cannot be written, or was closed from the start, is said, and never goes into a socket.
"$corail" get "$url/ok/1" >/dev/full 2>"$work/err" </dev/null
same "status with a full disk" $? 1
has err "corail: standard output: No space left on device"
"$corail" get "$url/ok/1" >&- 2>"$work/err" </dev/null
same "status without standard output" $? 1
has err "corail: standard output: Bad file descriptor"
"$corail" get "$url/ok/1" <&- >&- 2>&-
same "status with nothing open" $? 1
"$corail" get <&- >/dev/null 2>"$work/err"
same "status without standard input" $? 2
has err "corail: standard input: Bad file descriptor"

# Headers without end, all together or one of them.
run 1 "$corail" get --retry 2 "$url/headers/100000/20" "$url/headers/1/1000000" \
	"$url/headers/10/1000"
has err "headers/100000/20: larger than the limit that was set"
has_no err "attempts"
has err "headers/1/1000000: larger than the limit that was set"
has out "headers/10/1000: 2 bytes"

# A line on standard error is one write, so that those of several programs stay apart.
if command -v strace >/dev/null && strace -o "$work/trace" true 2>/dev/null; then
	run 1 strace -f -e trace=write,writev -o "$work/trace" \
		"$corail" get -q "$url/status/404" foo
	same "writes" "$(grep -c -E 'writev?\(2, ' "$work/trace")" 2
fi

# An engine that cannot be.
for engine in bogus sim; do
	CORAIL_BACKEND=$engine run 2 "$corail" get "$url/ok/1"
	has err "corail: CORAIL_BACKEND"
done
CORAIL_SEED=lucky run 2 "$corail" get "$url/ok/1"
has err "corail: CORAIL_SEED is not a number"

# Few descriptors are worth a word only where there are many pages.
(
	ulimit -n 100 || exit 0
	run 0 "$corail" get -c 50 "$url/ok/1"
	same "lines on stderr" "$(lines err)" 1
	# shellcheck disable=SC2046 # one word for each page
	run 0 "$corail" get -c 50 $(seq -f "$url/ok/%g" 50)
	has err "corail: only 12 at a time"
) || exit 1

# A proxy of the environment is used, and no_proxy is obeyed; its failures are told from the host's.
http_proxy=http://me:secret@127.0.0.1:$closed_port run 1 "$corail" get "$url/ok/1"
has err "Connection refused (proxy 127.0.0.1:$closed_port)"
has_no err secret
http_proxy=http://proxy.invalid run 1 "$corail" get "$url/ok/1"
has err "(proxy proxy.invalid)"
no_proxy=example.org,127.0.0.1 http_proxy=http://127.0.0.1:$closed_port \
	run 0 "$corail" get "$url/ok/1"
no_proxy='*' http_proxy=http://127.0.0.1:$closed_port run 0 "$corail" get "$url/ok/1"
exit 0
