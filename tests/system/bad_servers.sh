#!/bin/bash
# SPDX-License-Identifier: MIT
# A slow server and a truncating one: what is there is identical to its source, always.
# ctest: timeout=300
. "$(dirname "$0")/nginx.bash"

# start_bad_server ARGUMENT...: sets $url.
start_bad_server() {
	rm -f "$work/port"
	python3 "$tools/bad_server.py" "$documents" "$@" >"$work/port" 2>"$work/server.log" &
	children+=($!)
	wait_for "[ -s '$work/port' ]" || fail "the test's server did not start"
	url=http://127.0.0.1:$(cat "$work/port")
}

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	echo "- $backend, slow"
	start_bad_server slow
	list_documents "$url" 1000
	run 0 "$corail" get -c 100 --json --timeout 120 -o "$work/pages" -i "$work/list"
	verify "$work/pages"
	rm -rf "$work/pages"

	echo "- $backend, truncating"
	start_bad_server truncate
	list_documents "$url" 1000
	run 0 "$corail" get -c 100 --json --retry 6 -o "$work/pages" -i "$work/list"
	verify "$work/pages"
	rm -rf "$work/pages"

	# Without another attempt: the truncated ones are reported, and are not there.
	start_bad_server truncate
	list_documents "$url" 1000
	run 1 "$corail" get -c 100 --json -o "$work/pages" -i "$work/list"
	python3 - "$work/out" "$work/pages" <<-'EOF' || fail "truncated files"
		import json, os, sys
		pages = [json.loads(line) for line in open(sys.argv[1])]
		good = [page for page in pages if page["error"] is None]
		bad = [page for page in pages if page["error"] is not None]
		assert len(pages) == 1000
		assert len(good) > 100 and len(bad) > 100, (len(good), len(bad))
		codes = {page["code"] for page in bad}
		assert codes <= {"HTTP_TRUNCATED", "ECONNRESET", "HTTP_EMPTY"}, codes
		assert sorted(os.listdir(sys.argv[2])) == sorted(page["file"] for page in good)
	EOF
	grep '"error": null' "$work/out" >"$work/good"
	mv "$work/good" "$work/out"
	python3 -c '
import json, sys
for line in open(sys.argv[1]):
    print(json.loads(line)["url"])' "$work/out" >"$work/list"
	count=$(lines out)
	verify "$work/pages"
	rm -rf "$work/pages"
done
exit 0
