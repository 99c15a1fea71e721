#!/bin/bash
# SPDX-License-Identifier: MIT
# server.bash PROGRAM...: runs a program beside a Redis server of its own, in a temporary folder,
# and stops it again. The program finds it by the environment:
#
#   REDIS_SOCKET    its Unix socket
#   REDIS_PORT      its port on 127.0.0.1; REDIS_TLS_PORT: the one that speaks TLS
#   REDIS_FOLDER    where ca.pem is, which has signed the server's certificate (CN=localhost)
#   REDIS_CTL       a command that takes "stop" (kill it), "start" or "restart"
set -u

if ! type redis-server redis-cli openssl >/dev/null 2>&1; then
	echo "skipped: no Redis server is installed"
	exit 77
fi

# "server.bash ctl FOLDER VERB" is REDIS_CTL.
running()
{
	[ -s "$folder/pid" ] && kill -0 "$(cat "$folder/pid")" 2>/dev/null
}

stop()
{
	[ -s "$folder/pid" ] || return 0
	kill -KILL "$(cat "$folder/pid")" 2>/dev/null
	while running; do sleep 0.01; done
	rm -f "$folder/pid"
}

start()
{
	redis-server "$folder/redis.conf" >>"$folder/log" 2>&1 &
	echo $! >"$folder/pid"
	disown
	until redis-cli -s "$folder/socket" ping 2>/dev/null | grep -q PONG; do
		running || return 1
		sleep 0.01
	done
}

if [ "${1-}" = ctl ]; then
	folder=$2
	case $3 in
	stop) stop ;;
	start) start ;;
	restart) stop; start ;;
	esac
	exit
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/corail-redis.XXXXXX")
trap 'stop; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

certificates()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
		-addext basicConstraints=critical,CA:TRUE \
		-keyout "$folder/ca.key" -out "$folder/ca.pem" &&
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
		-keyout "$folder/key.pem" -out "$folder/request.pem" &&
	openssl x509 -req -in "$folder/request.pem" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" \
		-CAcreateserial -days 2 -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1) \
		-out "$folder/chain.pem"
}

# Ports below those that the kernel gives out by itself.
configure()
{
	REDIS_PORT=$((10000 + RANDOM % 20000))
	REDIS_TLS_PORT=$((REDIS_PORT + 1))
	cat >"$folder/redis.conf" <<-END
		bind 127.0.0.1
		port $REDIS_PORT
		tls-port $REDIS_TLS_PORT
		tls-cert-file $folder/chain.pem
		tls-key-file $folder/key.pem
		tls-ca-cert-file $folder/ca.pem
		tls-auth-clients no
		unixsocket $folder/socket
		dir $folder
		save ""
		maxclients 100
		enable-debug-command local
		user guest on >secret ~* &* +@all
		user reader on >secret ~open:* &open +get +ping +subscribe
	END
}

if ! certificates >"$folder/log" 2>&1; then
	cat "$folder/log"
	exit 1
fi
for attempt in 1 2 3 4 5; do
	configure
	! start || break
	[ "$attempt" != 5 ] || { cat "$folder/log"; exit 1; }
done

export REDIS_PORT REDIS_TLS_PORT REDIS_SOCKET=$folder/socket REDIS_FOLDER=$folder
export REDIS_CTL="/bin/bash $(readlink -f "$0") ctl $folder"
"$@"
status=$?
[ $status = 0 ] || [ $status = 77 ] || tail -20 "$folder/log"
exit $status
