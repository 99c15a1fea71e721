#!/bin/bash
# SPDX-License-Identifier: MIT
# Hostile URLs never write outside the folder, nor under a name that does harm.
. "$(dirname "$0")/common.bash"
start_server
mkdir "$work/deep" "$work/deep/folder"
echo untouched >"$work/deep/outside"

# The server gives a 404 to most, so a redirect target is asked for by query: every URL gets a page.
cat >"$work/list" <<EOF
$url/ok/10?../../outside
$url/ok/10?..%2f..%2foutside
$url/ok/10?/etc/passwd
$url/ok/10?%00
$url/ok/10?%0a%1b[2J
$url/ok/10?\$(touch%20owned);x\`id\`|y>z
$url/ok/10?%E2%80%AEgnp.exe
$url/ok/10?%ff%fe%c0%ae
$url/ok/10?caf%C3%A9
$url/ok/10/../10/../10
$url/ok/10/./
$url//ok/10
http://..:..@127.0.0.1:$port/ok/10?user
$url/ok/10?$(printf 'a%.0s' $(seq 3000))1
$url/ok/10?$(printf 'a%.0s' $(seq 3000))2
$url/ok/10?$(printf '%%C3%%A9%.0s' $(seq 500)).html
EOF
count=$(wc -l <"$work/list")
run 0 "$corail" get -o "$work/deep/folder" -i "$work/list" --json
same "files" "$(find "$work/deep/folder" -type f | wc -l | tr -d ' ')" "$count"
same "outside" "$(cat "$work/deep/outside")" untouched
same "beside the folder" "$(ls -A "$work/deep" | tr '\n' ' ')" "folder outside "
python3 - "$work/deep/folder" "$work/out" <<'EOF' || fail "a name"
import json, os, re, sys
names = sorted(os.listdir(os.fsencode(sys.argv[1])))
for name in names:
    text = name.decode("utf-8")
    assert len(name) <= 250, text
    assert re.fullmatch(r"[\w\-.~+=,@%]+", text), repr(text)
    assert text[0] not in ".-~" and text.isprintable(), repr(text)
    assert os.path.getsize(os.path.join(os.fsencode(sys.argv[1]), name)) == 10
# The JSON says which file is which page.
files = sorted(json.loads(line)["file"].encode() for line in open(sys.argv[2], encoding="utf-8"))
assert files == names, (files, names)
assert any("café" in name.decode() for name in names)
EOF

# The same list gives the same names, whatever comes first.
ls "$work/deep/folder" >"$work/first"
printf '%s\n' "$url/slow/200" "$url/slow/200" "$url/slow/10?200" "$url/slow/200" >"$work/list2"
for i in 1 2; do
	run 0 "$corail" get -o "$work/again$i" -i "$work/list" -i "$work/list2" -c "$i"
done
diff <(ls "$work/again1") <(ls "$work/again2") >/dev/null ||
	fail "names depend on the order of arrival"
grep -qxF "127.0.0.1_${port}_slow_200-3" <(ls "$work/again1") || fail "the third of a name"
exit 0
