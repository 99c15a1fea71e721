#!/bin/bash
# SPDX-License-Identifier: MIT
# server.bash PROGRAM...: runs a program beside a PostgreSQL server of its own, in a temporary
# folder, and stops it again. The program finds it by the environment:
#
#   PG_SOCKETS   the folder of its Unix socket; also PGHOST, with PGPORT, PGUSER and PGDATABASE
#   PG_PORT      its port, on 127.0.0.1 too
#   PG_CTL       a command that takes "stop", "start" or "restart" and pg_ctl's further options
set -u

binaries=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
if [ -z "$binaries" ]; then
	echo "skipped: no PostgreSQL server is installed"
	exit 77
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/corail-pg.XXXXXX")
chmod 755 "$scratch"
# The server refuses to run as root.
as_user=
if [ "$(id -u)" = 0 ]; then
	as_user="setpriv --reuid=postgres --regid=postgres --clear-groups"
	chown postgres "$scratch"
fi
trap 'stop; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

stop()
{
	[ ! -d "$scratch/data" ] ||
		(cd / && $as_user "$binaries/pg_ctl" -D "$scratch/data" -m immediate stop) >/dev/null 2>&1
}

# Ports below those that the kernel gives out by itself.
start()
{
	PG_PORT=$((10000 + RANDOM % 20000))
	cat >"$scratch/data/postgresql.auto.conf" <<-END
		port = $PG_PORT
		unix_socket_directories = '$scratch'
		listen_addresses = '127.0.0.1'
		fsync = off
		max_connections = 40
		superuser_reserved_connections = 3
	END
	PG_CTL="cd / && $as_user $binaries/pg_ctl -D $scratch/data -l $scratch/log -w -t 60"
	bash -c "$PG_CTL start" >"$scratch/start" 2>&1
}

if ! (cd / && $as_user "$binaries/initdb" -D "$scratch/data" -U corail -A trust -E UTF8 --no-locale \
	--no-sync) >"$scratch/init" 2>&1; then
	cat "$scratch/init"
	exit 1
fi
for attempt in 1 2 3 4 5; do
	! start || break
	[ "$attempt" != 5 ] || { cat "$scratch/start" "$scratch/log"; exit 1; }
done

export PG_PORT PG_CTL PG_SOCKETS=$scratch
export PGHOST=$scratch PGPORT=$PG_PORT PGUSER=corail PGDATABASE=postgres
"$@"
status=$?
[ $status = 0 ] || [ $status = 77 ] || tail -20 "$scratch/log"
exit $status
