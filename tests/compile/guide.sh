#!/bin/bash
# SPDX-License-Identifier: MIT
# ctest: timeout=300
# Every C block of the guide and of the README compiles without a warning in strict C11, and those
# that are marked as runnable print what the page says. See guide_blocks.py for the marks.
. "$(dirname "$0")/common.inc"

[ -e "$CORAIL_BUILD/libcorail-http.so" ] || {
	echo "skipped: the guide uses the HTTP library, which was not built"
	exit 77
}
if nm -D "$CORAIL_BUILD/libcorail.so" | grep -q -E ' U __(asan|tsan)_'; then
	echo "skipped: a sanitizer's build"
	exit 77
fi

cd "$CORAIL_SOURCE"
mapfile -t pages < <(find docs/guide -name '*.md' | sort)
python3 tests/compile/guide_blocks.py "$scratch" README.md "${pages[@]}"

libraries="-L$CORAIL_BUILD -Wl,-rpath,$CORAIL_BUILD -lcorail-http -Wl,--as-needed"
for extension in tls pg sqlite redis; do
	[ ! -e "$CORAIL_BUILD/libcorail-$extension.so" ] || libraries+=" -lcorail-$extension"
done
libraries+=" -lcorail -pthread"
compiled=0 ran=0
for about in "$scratch"/*.about; do
	block=${about%.about}
	read -r place kind run <"$about"
	for cc in $compilers_c; do
		# shellcheck disable=SC2086 # several words
		$cc -std=c11 $strict -Wno-unused-function -Iinclude -fsyntax-only "$block.c" ||
			fail "$place: does not compile ($cc)"
	done
	if [ "$kind" = program ]; then
		missing=$(sed -n -E 's,^#include <corail/(tls|pg|sqlite|redis)\.h>,\1,p' \
			"$block.c" |
			while read -r name; do
				[ -e "$CORAIL_BUILD/libcorail-$name.so" ] || echo "$name"
			done)
		if [ -n "$missing" ]; then
			compiled=$((compiled + 1))
			continue
		fi
		# shellcheck disable=SC2086
		${CC:-cc} -std=c11 $strict -O1 -Iinclude "$block.c" $libraries -o "$block" ||
			fail "$place: does not compile"
	fi
	compiled=$((compiled + 1))
	case $run in
	-) continue ;;
	sim) export CORAIL_BACKEND=sim ;;
	real) unset CORAIL_BACKEND ;;
	*) fail "$place: run on what? $run" ;;
	esac
	mkdir "$block.folder"
	(cd "$block.folder" && timeout 30 "$block") >"$block.printed" 2>&1 </dev/null || {
		cat "$block.printed"
		fail "$place: the program failed"
	}
	if [ -e "$block.expected" ]; then
		diff -u "$block.expected" "$block.printed" || fail "$place: prints something else"
	fi
	ran=$((ran + 1))
done
[ "$compiled" -gt 50 ] && [ "$ran" -gt 30 ] || fail "only $compiled blocks found, $ran run"
echo "$compiled blocks compiled, $ran run"
