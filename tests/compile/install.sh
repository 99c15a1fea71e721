#!/bin/bash
# SPDX-License-Identifier: MIT
# ctest: timeout=300
# Installs into a temporary place, moves it, and builds a user's program from there: with pkg-config
# and with find_package, shared and static, in strict C11 and C++17.
. "$(dirname "$0")/common.inc"

consumer=$CORAIL_SOURCE/tests/compile/consumer
cmake --install "$CORAIL_BUILD" --prefix "$scratch/first" >/dev/null
mv "$scratch/first" "$scratch/moved"
prefix=$scratch/moved
libdir=$(dirname "$(find "$prefix" -name libcorail.so)")

for file in include/corail/corail.h include/corail/http.h bin/corail share/man/man1/corail.1; do
	[ -f "$prefix/$file" ] || fail "not installed: $file"
done
for header in "$CORAIL_SOURCE"/include/corail/*.h; do
	[ -f "$prefix/include/corail/$(basename "$header")" ] || fail "not installed: $header"
done
for file in libcorail.a libcorail-http.a libcorail.so libcorail-http.so; do
	[ -f "$libdir/$file" ] || fail "not installed: $file"
done
! grep -rIl "$CORAIL_SOURCE\|$scratch/first" "$prefix/lib"*/*/ ||
	fail "installed files name the build's own folders"
"$prefix/bin/corail" --help >/dev/null || fail "the installed command does not run"

export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir
cp "$consumer/consumer.c" "$scratch/consumer.c"
cp "$consumer/consumer.c" "$scratch/consumer.cpp"
build_and_run()
{
	local what=$1
	shift
	"$@" -o "$scratch/program" || fail "does not build: $what"
	"$scratch/program" >/dev/null || fail "does not run: $what"
	echo "builds and runs: $what"
}
shared="$(pkg-config --cflags --libs corail-http)"
# libcurl's own static dependencies are many, and not all installed: only ours are static.
private=$(sed -n 's/^Requires.private: //p' "$libdir/pkgconfig/corail-http.pc" | tr -d ,)
static="$(pkg-config --cflags corail-http) $libdir/libcorail-http.a $libdir/libcorail.a
	$(pkg-config --libs liburing libcares $private) -pthread"
build_and_run "C11, pkg-config" gcc -std=c11 $strict "$scratch/consumer.c" $shared
build_and_run "C++17, pkg-config" g++ -std=c++17 $strict "$scratch/consumer.cpp" $shared
build_and_run "C11, static" gcc -std=c11 $strict "$scratch/consumer.c" $static
for module in corail corail-http; do
	pkg-config --exists --print-errors "$module" || fail "pkg-config: $module"
	pkg-config --static --libs "$module" >/dev/null || fail "pkg-config --static: $module"
done

# Each example as its reader would build it, with the libraries that its row in the list names. What
# this configuration was built without is left out.
for example in "$CORAIL_SOURCE"/examples/*.c; do
	name=$(basename "$example" .c)
	modules=$(sed -n "/($name\.c)/s/.*| \(\`.*\)|$/\1/p" "$CORAIL_SOURCE/examples/README.md" |
		grep -o '`[^`]*`' | tr -d '`')
	[ -n "$modules" ] || fail "examples/README.md does not say what $name needs"
	# shellcheck disable=SC2086 # several modules
	pkg-config --exists $modules || continue
	# shellcheck disable=SC2046,SC2086
	gcc -std=c11 $strict "$example" $(pkg-config --cflags --libs $modules) \
		-o "$scratch/$name" || fail "does not build: examples/$name.c"
	echo "builds: examples/$name.c, with $modules"
done

cmake -S "$consumer" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/log" 2>&1 &&
	cmake --build "$scratch/build" >>"$scratch/log" 2>&1 || {
	cat "$scratch/log"
	fail "find_package"
}
for program in c cpp c-static cpp-static core; do
	"$scratch/build/$program" >/dev/null || fail "does not run: find_package, $program"
	echo "builds and runs: find_package, $program"
done
