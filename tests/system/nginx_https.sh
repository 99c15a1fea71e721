#!/bin/bash
# SPDX-License-Identifier: MIT
# The same over HTTPS with a private CA; and without its certificate, nothing.
# ctest: timeout=300
. "$(dirname "$0")/nginx.bash"
command -v openssl >/dev/null || skip "openssl is not installed"

# make_certificate NAME HOST: signed by the private CA.
make_certificate() {
	openssl req -newkey rsa:2048 -nodes -keyout "$work/$1.key" -out "$work/$1.csr" \
		-subj "/CN=$2" &&
		openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
			-CAcreateserial -days 2 -out "$work/$1.pem" \
			-extfile <(echo "subjectAltName=DNS:$2")
}
{
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout "$work/ca.key" \
		-out "$work/ca.pem" \
		-subj "/CN=Corail test CA" -addext basicConstraints=critical,CA:TRUE &&
		make_certificate good localhost &&
		make_certificate other other.example
} >"$work/openssl.log" 2>&1 || {
	cat "$work/openssl.log" >&2
	fail "openssl"
}

hold_port other_port
configure_nginx "listen 127.0.0.1:SECURE ssl reuseport;" "ssl_certificate $work/good.pem;" \
	"ssl_certificate_key $work/good.key;" "}" "server {" "root $documents;" \
	"listen 127.0.0.1:$other_port ssl reuseport;" "ssl_certificate $work/other.pem;" \
	"ssl_certificate_key $work/other.key;"
sed -i "s/SECURE/$secure_port/" "$work/nginx/conf"
start_nginx
list_documents "https://localhost:$secure_port" 2500
first=$(head -n 1 "$work/list")

find_backends
for backend in $backends; do
	export CORAIL_BACKEND=$backend
	echo "- $backend"
	run 0 "$corail" get -c 100 --json --cacert "$work/ca.pem" -o "$work/pages" -i "$work/list"
	verify "$work/pages"
	rm -rf "$work/pages"

	run 1 "$corail" get -o "$work/pages" "$first"
	has err "$first: the peer's certificate is from an unknown authority"
	wrong=${first/localhost:$secure_port/localhost:$other_port}
	run 1 "$corail" get --cacert "$work/ca.pem" -o "$work/pages" "$wrong"
	has err "$wrong: the peer's certificate is for another host"
	same "files of unverified servers" "$(ls -A "$work/pages")" ""
	# HTTPS to a port that speaks HTTP, and the other way round.
	run 1 "$corail" get --cacert "$work/ca.pem" "https://localhost:$port/"
	grep -q "^corail: https://localhost:$port/: ." "$work/err" || fail "no TLS there"
	run 1 "$corail" get "http://localhost:$secure_port/"
	has err "400 Bad Request"
done
exit 0
