#!/bin/bash
# SPDX-License-Identifier: MIT
# Against the openssl command: its client with our server, its server with our client.
# ctest: timeout=120
. "$(dirname "$0")/tls.bash"

# s_client STATUS ARGUMENT...: says "hello" and "quit", and prints what comes until the server hangs
# up.
s_client() {
	local wanted=$1 got

	shift
	printf 'hello\nquit\n' | timeout 60 openssl s_client -quiet -connect "127.0.0.1:$port" \
		-CAfile "$work/ca.pem" -verify_return_error -verify_hostname localhost "$@" \
		>"$work/out" 2>"$work/err"
	got=$?
	[ "$got" = "$wanted" ] || fail "exit status $got instead of $wanted: s_client $*"
}

# openssl_server ARGUMENT...: sends each line back reversed; sets $port.
openssl_server() {
	: >"$work/server.log"
	openssl s_server -accept 127.0.0.1:0 -cert "$work/localhost.pem" \
		-key "$work/localhost.key" -rev "$@" >"$work/server.log" 2>&1 </dev/null &
	server=$!
	children+=("$server")
	wait_for "grep -q '^ACCEPT ' '$work/server.log'" || fail "s_server does not listen"
	port=$(sed -n 's/^ACCEPT .*://p' "$work/server.log" | head -n 1)
}

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	echo "- $backend"

	serve
	for version in -tls1_2 -tls1_3; do
		s_client 0 $version -servername localhost
		same "what came back" "$(tr '\n' ' ' <"$work/out")" "hello bye "
		# The second one resumes what the first kept.
		s_client 0 $version -sess_out "$work/session"
		s_client 0 $version -sess_in "$work/session"
	done
	same "resumed sessions" "$(grep -c resumed "$work/server.log")" 2
	s_client 1 -tls1_1 -cipher DEFAULT@SECLEVEL=0
	wait_for "grep -q 'no TLS version in common' '$work/server.log'" ||
		fail "TLS 1.1 was not refused"
	stop "$server"

	serve "$work/ca.pem"
	s_client 0 -cert "$work/client.pem" -key "$work/client.key"
	has out hello
	grep -q 'with CN=client' "$work/server.log" || fail "the server does not know its client"
	s_client 1 -tls1_2
	has err "handshake failure"
	wait_for "grep -q 'the peer showed no certificate' '$work/server.log'" ||
		fail "no complaint"
	s_client 1 -tls1_2 -cert "$work/stranger.pem" -key "$work/stranger.key"
	has err "unknown ca"
	stop "$server"

	for version in -tls1_2 -tls1_3; do
		openssl_server $version
		talk 0 'hello\nworld\n' -a "$work/ca.pem" "localhost:$port"
		same "what came back" "$(tr '\n' ' ' <"$work/out")" "olleh dlrow "
		has err "TLSv1.${version#-tls1_}"
		talk 0 'hello\n' -a "$work/ca.pem" "127.0.0.1:$port"
		talk 1 '' -a "$work/other-ca.pem" "localhost:$port"
		has err "certificate is from an unknown authority"
		talk 1 '' "localhost:$port"
		has err "certificate is from an unknown authority"
		stop "$server"
	done

	openssl_server -Verify 1 -verify_return_error -CAfile "$work/ca.pem"
	talk 0 'hello\n' -a "$work/ca.pem" -c "$work/client.pem" "$work/client.key" \
		"localhost:$port"
	has out olleh
	talk 1 'hello\n' -n -a "$work/ca.pem" "localhost:$port"
	has err "the peer did not accept our certificate"
	has err "certificate required"
	stop "$server"
done
exit 0
