#!/bin/bash
# SPDX-License-Identifier: MIT
# ctest: timeout=300
# What must not compile: a task function with the wrong argument, return type or number of
# arguments. Every case is compiled beside the right one, which must be accepted.
. "$(dirname "$0")/common.inc"

include=$CORAIL_SOURCE/include

# program SPAWNED ARGUMENT: a translation unit that spawns it in every way.
program()
{
	cat <<EOF
#include <corail/corail.h>
struct right { int a; };
struct wrong { int a; };
static inline int good(struct right *r) { return r->a; }
static inline double returns_double(struct right *r) { return r->a; }
static inline void returns_nothing(struct right *r) { (void)r; }
static inline int takes_two(struct right *r, int b) { return r->a + b; }
static inline int takes_value(int a) { return a; }
int main(void)
{
	struct right right = {0}, rights[2] = {{0}, {0}};
	struct wrong wrong = {0}, wrongs[2] = {{0}, {0}};
	double number = 0;
	(void)right; (void)rights; (void)wrong; (void)wrongs; (void)number;
	$1
	return 0;
}
EOF
}

# try CODE: 0 if every compiler takes it, 1 if every compiler refuses it; else the test fails.
try()
{
	local taken=0 refused=0 cc std
	program "$1" >"$scratch/try.c"
	cp "$scratch/try.c" "$scratch/try.cpp"
	for cc in $compilers_c; do
		for std in c11 c2x; do
			if $cc -std=$std -w -I"$include" -fsyntax-only "$scratch/try.c" \
				2>/dev/null; then
				taken=$((taken + 1))
			else
				refused=$((refused + 1))
			fi
		done
	done
	for cc in $compilers_cpp; do
		if $cc -std=c++17 -w -I"$include" -fsyntax-only "$scratch/try.cpp" \
			2>/dev/null; then
			taken=$((taken + 1))
		else
			refused=$((refused + 1))
		fi
	done
	[ $taken = 0 ] || [ $refused = 0 ] || fail "the compilers disagree about: $1"
	[ $refused = 0 ]
}

accepts()
{
	try "$1" || fail "should compile: $1"
	echo "accepted: $1"
}

refuses()
{
	! try "$1" || fail "should not compile: $1"
	echo "refused: $1"
}

accepts 'return cr_run(good, &right);'
accepts 'CORAIL_SCOPE(sc); cr_spawn(&sc, good, &right); cr_spawn_copy(&sc, good, &right);'
accepts 'return cr_gather(good, rights, 2);'
accepts 'cr_call call = cr_call_of(good, &right); return cr_gather_calls(&call, 1);'

for fn in returns_double returns_nothing takes_two takes_value; do
	refuses "return cr_run($fn, &right);"
	refuses "CORAIL_SCOPE(sc); cr_spawn(&sc, $fn, &right);"
	refuses "CORAIL_SCOPE(sc); cr_spawn_copy(&sc, $fn, &right);"
	refuses "return cr_gather($fn, rights, 2);"
	refuses "cr_call call = cr_call_of($fn, &right); return cr_gather_calls(&call, 1);"
done
for arg in '&wrong' '&number' right 3.5; do
	refuses "return cr_run(good, $arg);"
	refuses "CORAIL_SCOPE(sc); cr_spawn(&sc, good, $arg);"
	refuses "CORAIL_SCOPE(sc); cr_spawn_copy(&sc, good, $arg);"
done
refuses 'return cr_gather(good, wrongs, 2);'
refuses 'cr_call call = cr_call_of(good, &wrong); return cr_gather_calls(&call, 1);'
