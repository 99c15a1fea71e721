#!/bin/bash
# SPDX-License-Identifier: MIT
# Ten thousand URLs in one call, with memory that does not grow with their number.
# ctest: timeout=180
. "$(dirname "$0")/common.bash"
start_server

# measure COUNT: that many URLs; the most memory that the command had, in KiB, is in $peak.
measure() {
	seq -f "$url/ok/1000?page=%.0f" "$1" >"$work/list"
	peak=$(python3 - "$corail" "$work" <<-'EOF'
		import os, resource, subprocess, sys
		corail, work = sys.argv[1:]
		with open(f"{work}/out", "wb") as out, open(f"{work}/err", "wb") as err:
		    status = subprocess.run(
		        [corail, "get", "-i", f"{work}/list", "-o", f"{work}/folder"],
		        stdout=out, stderr=err, stdin=subprocess.DEVNULL).returncode
		print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
		sys.exit(status)
	EOF
	) || fail "exit status $?"
	same "lines" "$(lines out)" "$1"
	same "files" "$(find "$work/folder" -type f -size 1000c | wc -l | tr -d ' ')" "$1"
	has err "0 failed"
	rm -rf "$work/folder"
}

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	measure 1000
	few=$peak
	measure 10000
	echo "- $backend: $few KiB for 1,000 pages, $peak KiB for 10,000"
	# A URL, its name and its place in the tables take less than 400 bytes.
	[ $((peak - few)) -lt 4000 ] || fail "memory grows: $few KiB, then $peak KiB"
done

# The same, with all of them failing, and few descriptors.
unset CORAIL_BACKEND
seq -f "$url/status/404?%.0f" 2000 >"$work/list"
(
	ulimit -n 100
	run 1 "$corail" get -c 500 -i "$work/list"
) || exit 1
has err "at most 100 files may be open"
has err "2000 failed"
same "lines" "$(grep -c '404 Not Found' "$work/err")" 2000
exit 0
