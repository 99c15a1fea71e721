#!/bin/bash
# SPDX-License-Identifier: MIT
# Ten thousand pages from nginx in one call.
# ctest: timeout=300
. "$(dirname "$0")/nginx.bash"

mkdir "$work/site"
for size in 0 1 1000 12288 100000; do
	head -c $size /dev/urandom >"$work/site/$size"
done
documents=$work/site
configure_nginx
start_nginx
for i in $(seq 2000); do
	printf "$url/%s?$i\n" 0 1 1000 12288 100000
done >"$work/list"

find_backends
for backend in $backends; do
	echo "- $backend"
	CORAIL_BACKEND=$backend run 0 "$corail" get -c 100 --json -o "$work/pages" -i "$work/list"
	count=10000
	verify "$work/pages"
	rm -rf "$work/pages"
	has err "10000 pages, 226.6 MB in"
	has err "0 failed"
done
exit 0
