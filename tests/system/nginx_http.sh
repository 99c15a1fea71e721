#!/bin/bash
# SPDX-License-Identifier: MIT
# A real tree of documents from nginx: every file identical to its source, plain and compressed.
# ctest: timeout=300
. "$(dirname "$0")/nginx.bash"

find_backends
for variant in "" "gzip on; gzip_types *; gzip_min_length 1; gzip_comp_level 1;"; do
	configure_nginx "$variant"
	start_nginx
	list_documents "$url" 2500
	for backend in $backends; do
		echo "- $backend ${variant:+(compressed on the way)}"
		CORAIL_BACKEND=$backend run 0 "$corail" get -c 100 --json -o "$work/pages" \
			-i "$work/list"
		verify "$work/pages"
		rm -rf "$work/pages"
	done
	stop_nginx
done
exit 0
