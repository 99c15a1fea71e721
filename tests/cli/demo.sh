#!/bin/bash
# SPDX-License-Identifier: MIT
# corail demo: the pages twice, the two times and their ratio; in both languages, and interrupted.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"

find_backends
for backend in $backends; do
	CORAIL_BACKEND=$backend run 0 "$corail" demo
	same "pages" "$(grep -c '^Content from http://127.0.0.1:[0-9]*/[a-z]*.html: [0-9]* bytes$' "$work/out")" 28
	grep -Eq '^One after the other: [0-9.]+ s. All at once: [0-9.]+ s. [0-9.]+ times faster.$' "$work/out" ||
		fail "no result"
	# Each page takes its time, so one after the other cannot be faster than their sum.
	python3 - "$work/out" <<-'EOF' || fail "the times"
		import re, sys
		text = open(sys.argv[1]).read()
		slow, fast, ratio = map(float, re.search(
		    r"other: ([\d.]+) s. All at once: ([\d.]+) s. ([\d.]+) times", text).groups())
		assert slow >= 4.2 and 0.5 <= fast < slow and ratio > 1.5, (slow, fast, ratio)
	EOF
	has out "corail get https://example.com"
done
run 0 env LC_ALL=fr_FR.UTF-8 "$corail" demo
same "pages" "$(grep -c '^Contenu depuis http://127.0.0.1:[0-9]*/[a-z]*.html : [0-9]* octets$' "$work/out")" 28
grep -Eq "^L'une après l'autre : [0-9]+,[0-9] s. Toutes à la fois : [0-9]+,[0-9] s. [0-9]+,[0-9] fois plus vite.$" \
	"$work/out" || fail "no result in French"

# No proxy of the environment is asked for these pages.
run 0 env http_proxy=http://127.0.0.1:1 "$corail" demo

start "$corail" demo
wait_for "grep -q Content '$work/out'" || fail "no first page"
kill -INT "$job"
wait "$job"
same "interrupted" $? 130
exit 0
