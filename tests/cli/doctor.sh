#!/bin/bash
# SPDX-License-Identifier: MIT
# corail doctor: which backend, why not a better one, limits, versions.
. "$(dirname "$0")/common.bash"

run 0 "$corail" doctor
! grep -Evq '^(\[ok\]  |\[!!\]  |      -> ).' "$work/out" || fail "a line of another form"
for subject in "corail " "backend: " "kernel: " "stack guards: " "memory mappings: " \
	"open files: " "liburing: " "c-ares: " "libcurl: " "compressed pages: " \
	"certificates: " "name servers: "; do
	grep -Eq "^\[..\]  $subject" "$work/out" || fail "nothing on $subject"
done
grep -Eq "^\[..\]  kernel: Linux $(uname -r)" "$work/out" || fail "kernel"
grep -Eq "^\[..\]  libcurl: [0-9]+\.[0-9]+" "$work/out" || fail "libcurl"
grep -Eq "^\[..\]  c-ares: [0-9]+\.[0-9]+" "$work/out" || fail "c-ares"

run 0 env CORAIL_BACKEND=epoll "$corail" doctor
has out "backend: epoll, as CORAIL_BACKEND asks"
run 1 env CORAIL_BACKEND=kqueue "$corail" doctor
has out "environment: CORAIL_BACKEND is none of: "
run 1 env CORAIL_DEBUG_FD=stderr "$corail" doctor
has out "environment: CORAIL_DEBUG_FD is not a number from 0 to 2147483647"
run 0 env LC_ALL=fr_FR.UTF-8 "$corail" doctor
has out "noyau : Linux"

# Without io_uring: epoll, and why.
refused=(strace -f -o "$work/trace" -e trace=io_uring_setup -e inject=io_uring_setup:error=EPERM)
if "${refused[@]}" true 2>/dev/null; then
	run 0 "${refused[@]}" "$corail" doctor
	grep -q '^\[!!\]  backend: epoll; io_uring is faster, and not available: EP' "$work/out" ||
		fail "a refused io_uring"
	grep -A 1 '^\[!!\]  backend' "$work/out" | grep -Eq '^      -> .{20}' || fail "no advice"
fi
(
	ulimit -n 512
	run 0 "$corail" doctor
) || exit 1
grep -A 1 '^\[!!\]  open files: 512' "$work/out" | grep -q LimitNOFILE || fail "few files"
exit 0
