# SPDX-License-Identifier: MIT
# Certificates by openssl, and the echo pair of the examples. To be sourced.

[ -n "${work:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/../cli/common.bash"

echo_pair=$CORAIL_BUILD/examples/tls_echo
[ -x "$echo_pair" ] || skip "built without TLS"
command -v openssl >/dev/null || skip "openssl is not installed"
command -v python3 >/dev/null || skip "python3 is not installed"

# make_ca NAME
make_ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-keyout "$work/$1.key" -out "$work/$1.pem" -subj "/CN=$1" \
		-addext basicConstraints=critical,CA:TRUE
}

# make_certificate NAME NAMES CA: "DNS:localhost,IP:127.0.0.1"
make_certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$1.key" \
		-out "$work/$1.csr" -subj "/CN=$1" &&
		openssl x509 -req -in "$work/$1.csr" -CA "$work/$3.pem" -CAkey "$work/$3.key" \
			-CAcreateserial -days 2 -out "$work/$1.pem" \
			-extfile <(echo "subjectAltName=$2")
}

{
	make_ca ca && make_ca other-ca && make_certificate localhost DNS:localhost,IP:127.0.0.1 ca &&
		make_certificate client DNS:client ca && make_certificate stranger DNS:client other-ca
} >"$work/openssl.log" 2>&1 || {
	cat "$work/openssl.log" >&2
	fail "openssl"
}

# serve ARGUMENT...: the echo server of the examples; sets $port.
serve() {
	"$echo_pair" serve 127.0.0.1:0 "$work/localhost.pem" "$work/localhost.key" "$@" \
		>"$work/port" 2>"$work/server.log" </dev/null &
	server=$!
	children+=("$server")
	wait_for "grep -q port '$work/port'" || fail "the echo server does not listen"
	port=$(cut -d' ' -f2 "$work/port")
}

# stop PID
stop() {
	kill "$1"
	wait "$1" 2>/dev/null
}

# talk STATUS INPUT ARGUMENT...: the echo client of the examples.
talk() {
	local wanted=$1 input=$2 got

	shift 2
	printf "$input" | "$echo_pair" talk "$@" >"$work/out" 2>"$work/err"
	got=$?
	[ "$got" = "$wanted" ] || fail "exit status $got instead of $wanted: talk $*"
}
