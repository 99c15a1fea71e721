#!/bin/bash
# SPDX-License-Identifier: MIT
# corail get --store, into SQLite and into a PostgreSQL server of its own: what is stored, what is
# fetched again and what is not, Ctrl-C, a database that is not there.
# ctest: timeout=180
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -z "${PG_PORT:-}" ]; then
	"$CORAIL_BUILD/corail" get --store postgres://127.0.0.1:1/ http://127.0.0.1:1/ 2>&1 |
		grep -q "built without" || exec bash "$here/../pg/server.bash" bash "$0"
fi
. "$here/common.bash"

start_server
hold_port closed_port

# ask SQL: its rows, columns joined by "|".
ask() {
	case $database in
	sqlite:*) python3 - "${database#sqlite:}" "$1" <<-'EOF2' ;;
		import sqlite3, sys
		for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):
		    print("|".join("" if cell is None else str(cell) for cell in row))
	EOF2
	*) psql -X -q -A -t -c "$1" ;;
	esac
}

# lock: nobody else can write until unlock.
lock() {
	case $database in
	sqlite:*)
		coproc locker { python3 -u -c '
import sqlite3, sys
base = sqlite3.connect(sys.argv[1], isolation_level=None)
base.execute("begin immediate")
print("locked")
sys.stdin.read()' "${database#sqlite:}"; }
		;;
	*)
		coproc locker { psql -X -q -A -t; }
		echo "begin; lock table corail_pages; select 'locked';" >&"${locker[1]}"
		;;
	esac
	read -r -t 60 <&"${locker[0]}" || fail "no lock"
}
unlock() {
	local pid=$locker_PID input=${locker[1]}

	exec {input}>&-
	wait "$pid" 2>/dev/null
}

stored() {
	local columns='url, status, bytes, length(body), error'

	run 1 "$corail" get --store "$database" --digest sha256 "$url/ok/5" "$url/ok/0" \
		"$url/ok/100000" "$url/status/404" "$url/truncate" "http://127.0.0.1:$closed_port/"
	same "listed" "$(lines out)" 3
	has err "3 pages, 100.0 kB in"
	same "rows" "$(ask "select $columns from corail_pages" | sort)" "$(sort <<-END
		$url/ok/0|200|0|0|
		$url/ok/5|200|5|5|
		http://127.0.0.1:$closed_port/||0||Connection refused
		$url/ok/100000|200|100000|100000|
		$url/truncate|200|10000||the body ended before its announced length
		$url/status/404|404|0||404 Not Found
	END
	)"
	same "digest" "$(ask "select digest from corail_pages where url = '$url/ok/5'")" \
		"sha256:$(printf xxxxx | sha256sum | cut -d ' ' -f 1)"
	same "times" "$(ask "select count(*) from corail_pages where cast(fetched_at as text)
		like '20__-__-__%'")" 6
}

resumed() {
	local row="select bytes, error from corail_pages where url like '%/flaky/$kind"

	run 0 "$corail" get --store "$database" "$url/ok/5" "$url/ok/0" "$url/ok/6" "$url/ok/6"
	same "fetched" "$(cat "$work/out")" "$(printf "Content from $url/ok/6: 6 bytes\n%.0s" 1 2)"
	has err ", 2 stored before"
	run 1 "$corail" get --json --store "$database" "$url/ok/5" "$url/truncate"
	same "what failed is tried again" "$(field url)" "$url/truncate"
	run 0 "$corail" get --refetch --store "$database" "$url/ok/5"
	same "again" "$(cat "$work/out")" "Content from $url/ok/5: 5 bytes"
	# A failure does not replace a page; a page replaces a failure.
	run 0 "$corail" get --store "$database" "$url/flaky/$kind/0"
	run 1 "$corail" get --refetch --max-size 3 --store "$database" "$url/flaky/$kind/0"
	same "kept" "$(ask "$row/0'")" "12|"
	run 1 "$corail" get --store "$database" "$url/flaky/$kind/1"
	run 0 "$corail" get --store "$database" "$url/flaky/$kind/1"
	same "came" "$(ask "$row/1'")" "12|"
}

many() {
	local i urls=()

	for i in $(seq 1000); do
		urls+=("$url/ok/$i?many")
	done
	# One that PostgreSQL cannot hold spoils no other.
	run "$1" "$corail" get -q --store "$database" "${urls[@]:0:600}" "$url/ok/3?"$'\xff'
	run 0 "$corail" get --store "$database" "${urls[@]}"
	same "the others" "$(lines out)" 400
	same "rows" "$(ask "select count(*), sum(length(body)) from corail_pages
		where url like '%?many'")" "1000|500500"
}

# Twenty pages have come when the one after them is asked for, and the database takes none of them.
interrupted() {
	local i urls=("$url/hold/$kind")

	for i in $(seq 20); do
		urls+=("$url/ok/$i?late")
	done
	start "$corail" get -c 1 --store "$database" "${urls[@]}" "$url/drip" "$url/ok/1?never"
	wait_for "under_way 1" || fail "nothing was asked for"
	lock
	"$corail" get -q "$url/release/$kind"
	wait_for "under_way 1" || fail "the last page was not asked for"
	kill -INT "$job"
	unlock
	wait "$job"
	same "exit status" $? 130
	same "all that came" "$(ask "select count(*) from corail_pages where url like '%?late'")" 20
	same "listed" "$(lines out)" 21
	has err "pages missing: 2"
	run 0 "$corail" get --store "$database" "${urls[@]}"
	has err ", 21 stored before"
}

# under_way COUNT: whether the server says that so many requests are, besides this one.
under_way() {
	"$corail" get -q -o "$work/stats" "$url/stats" &&
		grep -q "\"now\": $(($1 + 1))," "$work/stats"/*"_${port}_stats"
}
find_backends
for backend in ${TEST_BACKENDS:-$backends}; do
	export CORAIL_BACKEND=$backend
	for database in "sqlite:$work/$backend.db" \
		"postgresql://${PGUSER:-}@127.0.0.1:${PG_PORT:-}/postgres"; do
		kind=${database%%:*}-$backend
		run 2 "$corail" get --store "$database" -o "$work/folder" "$url/ok/1"
		if grep -q "built without" "$work/err"; then
			continue
		fi
		if [ "${database%%:*}" = postgresql ]; then
			[ -n "${PG_PORT:-}" ] || continue
			psql -X -q -c 'drop table if exists corail_pages' 2>/dev/null
		fi
		echo "- $kind"
		stored
		resumed
		interrupted
		case $kind in
		sqlite*) many 0 ;;
		*) many 1 ;;
		esac
	done
done
unset CORAIL_BACKEND

# Nothing is fetched when nothing can be stored; and no password is shown.
run 2 "$corail" get --store mysql:x "$url/ok/1"
has err "must be sqlite:FILE or postgres://"
run 2 "$corail" get --store "postgres://me:secret@127.0.0.1:$closed_port/" "$url/ok/1"
has_no err secret
run 2 "$corail" get --store "sqlite:$work/no/folder/x.db" "$url/ok/1"
same "nothing fetched" "$(cat "$work/out")" ""
exit 0
