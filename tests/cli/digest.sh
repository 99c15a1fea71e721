#!/bin/bash
# SPDX-License-Identifier: MIT
# corail get --digest: the same digests as everybody else's, for pages small and large, while they
# are saved, retried, refused.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"

# What a command without OpenSSL says, or one with it about a name that it does not know.
run 2 "$corail" get --digest crc http://127.0.0.1/
if grep -q OpenSSL "$work/err"; then
	skip "this corail was built without OpenSSL"
fi
has err "--digest: must be one of: sha256 "

start_server
hold_port closed_port

# digest_of NAME BYTES: of that many "x".
digest_of() {
	case $1 in
	sha3-256)
		python3 -c 'import hashlib, sys
print(hashlib.sha3_256(b"x" * int(sys.argv[1])).hexdigest())' "$2"
		;;
	blake2b512) head -c "$2" /dev/zero | tr '\0' x | b2sum | cut -d ' ' -f 1 ;;
	*) head -c "$2" /dev/zero | tr '\0' x | "$1sum" | cut -d ' ' -f 1 ;;
	esac
}

find_backends
for backend in ${TEST_BACKENDS:-$backends}; do
	export CORAIL_BACKEND=$backend
	echo "- $backend"
	rm -rf "$work/folder"
	sizes="0 1 2047 2048 2049 32768 100000 3000000"
	urls=()
	for size in $sizes; do
		urls+=("$url/ok/$size")
	done
	run 0 "$corail" get --digest sha256 "${urls[@]}"
	same "lines" "$(lines out)" 8
	for size in $sizes; do
		has out "/ok/$size: $size bytes, sha256 $(digest_of sha256 "$size")"
	done
	run 0 env LC_ALL=fr_FR.UTF-8 "$corail" get --digest md5 "$url/ok/5"
	has out "$url/ok/5 : 5 octets, md5 $(digest_of md5 5)"
	for name in sha384 sha512 sha3-256 blake2b512 sha1; do
		run 0 "$corail" get --digest "$name" "$url/ok/70000"
		has out "bytes, $name $(digest_of "$name" 70000)"
	done

	run 1 "$corail" get --json --digest sha512 --retry 2 -o "$work/folder" "$url/ok/5000" \
		"$url/status/404" "$url/truncate" "http://127.0.0.1:$closed_port/" \
		"$url/cut/$backend/1"
	python3 - "$work/out" "$work/folder" <<-'EOF2' || fail "digests in JSON"
		import hashlib, json, sys
		good = 0
		for line in open(sys.argv[1], encoding="utf-8"):
		    page = json.loads(line)
		    assert ("digest" in page) == (page["error"] is None), page
		    if page["error"] is None:
		        with open(f"{sys.argv[2]}/{page['file']}", "rb") as body:
		            assert hashlib.sha512(body.read()).hexdigest() == page["digest"], page
		        good += 1
		assert good == 2, good
	EOF2
	# Many at once, on few threads.
	urls=()
	for i in $(seq 200); do
		urls+=("$url/ok/$((i * 400))")
	done
	run 0 "$corail" get --json --digest sha256 "${urls[@]}"
	python3 - "$work/out" <<-'EOF2' || fail "many digests"
		import hashlib, json, sys
		pages = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
		assert len(pages) == 200
		for page in pages:
		    assert hashlib.sha256(b"x" * page["bytes"]).hexdigest() == page["digest"], page
	EOF2
done
run 0 "$corail" get "$url/ok/5"
has_no out sha256
exit 0
