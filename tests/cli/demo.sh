#!/bin/bash
# SPDX-License-Identifier: MIT
# corail demo: the pages twice, the two times and their ratio; in both languages, and interrupted.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"

n=[0-9]+\\.[0-9]
find_backends
for backend in $backends; do
	CORAIL_BACKEND=$backend run 0 "$corail" demo
	page='^Content from http://127.0.0.1:[0-9]*/[a-z]*.html: [0-9]* bytes$'
	same "pages" "$(grep -c "$page" "$work/out")" 28
	grep -Eq "^One after the other: $n s. All at once: $n s. $n times faster.$" "$work/out" ||
		fail "no result"
	# Each page takes its time, so one after the other cannot be faster than their sum.
	python3 - "$work/out" <<-'EOF' || fail "the times"
		import re, sys
		text = open(sys.argv[1]).read()
		slow, fast, ratio = map(float, re.search(
		    r"other: ([\d.]+) s. All at once: ([\d.]+) s. ([\d.]+) times", text).groups())
		assert slow >= 4.2 and 0.5 <= fast < slow and ratio > 1, (slow, fast, ratio)
	EOF
	has out "$corail get https://example.com"
done
run 0 env LC_ALL=fr_FR.UTF-8 "$corail" demo
page='^Contenu depuis http://127.0.0.1:[0-9]*/[a-z]*.html : [0-9]* octets$'
same "pages" "$(grep -c "$page" "$work/out")" 28
n=[0-9]+,[0-9]
grep -Eq "^L'une après l'autre : $n s. Toutes à la fois : $n s. $n fois plus vite.$" \
	"$work/out" || fail "no result in French"

# No proxy of the environment is asked for these pages.
run 0 env http_proxy=http://127.0.0.1:1 "$corail" demo

start "$corail" demo
wait_for "grep -q Content '$work/out'" || fail "no first page"
kill -INT "$job"
wait "$job"
same "interrupted" $? 130
exit 0
