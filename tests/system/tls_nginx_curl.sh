#!/bin/bash
# SPDX-License-Identifier: MIT
# Our client with nginx's TLS, curl with our server.
# ctest: timeout=120
. "$(dirname "$0")/nginx.bash"
. "$(dirname "$0")/tls.bash"
command -v curl >/dev/null || skip "curl is not installed"
make_certificate elsewhere DNS:elsewhere.example ca >"$work/openssl.log" 2>&1 || fail "openssl"

hold_port trusted
hold_port elsewhere
hold_port mutual
configure_nginx "}" "server {" "root $documents;" "listen 127.0.0.1:$trusted ssl reuseport;" \
	"ssl_certificate $work/localhost.pem;" "ssl_certificate_key $work/localhost.key;" \
	"}" "server {" "root $documents;" "listen 127.0.0.1:$elsewhere ssl reuseport;" \
	"ssl_certificate $work/elsewhere.pem;" "ssl_certificate_key $work/elsewhere.key;" \
	"}" "server {" "root $documents;" "listen 127.0.0.1:$mutual ssl reuseport;" \
	"ssl_certificate $work/localhost.pem;" "ssl_certificate_key $work/localhost.key;" \
	"ssl_client_certificate $work/ca.pem;" "ssl_verify_client on;"
start_nginx
plain=$port
page=$(cd "$documents" && find -L . -name copyright -size +20k -size -500k 2>/dev/null | head -n 1)
[ -n "$page" ] || skip "no document to ask for"
question="GET ${page#.} HTTP/1.0\r\n\r\n"

# the_page: whether $work/out is an answer with the whole document.
the_page() {
	has out "200 OK"
	tail -c "$(stat -Lc %s "$documents/$page")" "$work/out" | cmp -s - "$documents/$page" ||
		fail "the page is not the document"
}

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	echo "- $backend"

	talk 0 "$question" -n -a "$work/ca.pem" "localhost:$trusted"
	the_page
	talk 1 "$question" -n "localhost:$trusted"
	has err "certificate is from an unknown authority"
	talk 1 "$question" -n -a "$work/ca.pem" "localhost:$elsewhere"
	has err "certificate is for another host"
	talk 1 "$question" -n -a "$work/ca.pem" "localhost:$plain"
	has err "does not speak TLS"
	talk 0 "$question" -n -a "$work/ca.pem" -c "$work/client.pem" "$work/client.key" \
		"localhost:$mutual"
	the_page
	talk 0 "$question" -n -a "$work/ca.pem" "localhost:$mutual"
	has out "No required SSL certificate was sent"

	# Gopher is one line there and everything until the end back (RFC 1436).
	serve
	run 0 curl --silent --show-error --max-time 60 --cacert "$work/ca.pem" \
		"gophers://localhost:$port/1quit"
	same "the answer" "$(cat "$work/out")" bye
	run 60 curl --silent --show-error --max-time 60 --cacert "$work/other-ca.pem" \
		"gophers://localhost:$port/1quit"
	wait_for "grep -q 'did not accept our certificate' '$work/server.log'" ||
		fail "no complaint"
	stop "$server"
done
exit 0
