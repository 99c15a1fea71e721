#!/bin/bash
# SPDX-License-Identifier: MIT
# The example that stores pages: in SQLite, in PostgreSQL, by a queue in Redis that two share.
# ctest: timeout=120
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
store=$CORAIL_BUILD/examples/store
if [ ! -x "$store" ]; then
	echo "SKIP: built without a database's library"
	exit 77
fi
if [ -z "${PG_PORT:-}" ]; then
	exec bash "$here/../pg/server.bash" bash "$0"
fi
if [ -z "${REDIS_PORT:-}" ]; then
	exec bash "$here/../redis/server.bash" bash "$0"
fi
. "$here/common.bash"

start_server
queue=redis://127.0.0.1:$REDIS_PORT
base=postgres://$PGUSER@127.0.0.1:$PG_PORT/postgres
query="select url, length(body) from pages order by url"
urls=()
for i in $(seq 10 49); do
	urls+=("$url/ok/$i")
done
wanted=$(for i in $(seq 10 49); do echo "$url/ok/$i|$i"; done)

in_file() {
	python3 -c '
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):
    print("%s|%s" % row)' "$1" "$query"
}

run 0 "$store" -d "$work/a.db" "${urls[@]}" "${urls[@]}"
has out "80 pages stored, 0 failed"
same "in SQLite" "$(in_file "$work/a.db")" "$wanted"
run 1 "$store" -d "$work/a.db" "$url/ok/5" "$url/status/404"
has out "1 pages stored, 1 failed"
run 0 "$store" -d "$base" "${urls[@]}"
same "in PostgreSQL" "$(psql -X -q -A -t -c "$query")" "$wanted"

# One has put its URLs into the queue, and waits for the first; another one finds all of them there.
"$store" -d "$base" -q "$queue" "$url/hold/queue" >"$work/first" 2>&1 &
children+=($!)
first=$!
wait_for "\"$corail\" get -q -o \"$work/stats\" \"$url/stats\" &&
	grep -q '\"now\": 2,' \"$work/stats\"/*" || fail "the first page was not asked for"
run 0 "$store" -d "$work/b.db" -q "$queue" "${urls[@]}"
"$corail" get -q "$url/release/queue"
wait "$first"
same "exit status" $? 0
total=$(sed -n 's/ pages stored.*//p' "$work/first" "$work/out" | paste -s -d +)

same "pages of both" "$((total))" 41
run 1 "$store" -d "$work/no/folder/x.db" "$url/ok/1"
run 1 "$store" -d "$work/c.db" -q redis://127.0.0.1:1 "$url/ok/1"
run 2 "$store" -x
exit 0
